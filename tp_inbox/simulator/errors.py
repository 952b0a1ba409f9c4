"""Twilio's refusals: their codes, HTTP statuses and sentences."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse

# Code → (HTTP status, message). Sources: Twilio's error dictionary.
REFUSALS: dict[int, tuple[int, str]] = {
    20001: (400, "Invalid parameter: {detail}"),
    20003: (401, "Authenticate"),
    20004: (405, "Method not allowed"),
    20009: (409, "Cannot delete this resource before it is complete"),
    20404: (404, "The requested resource {detail} was not found"),
    21211: (400, "Invalid 'To' Phone Number: {detail}"),
    21212: (400, "Invalid 'From' Number (caller ID): {detail}"),
    21266: (400, "'To' and 'From' number cannot be the same: {detail}"),
    21408: (400, "Permission to send an SMS has not been enabled for the region of the 'To' number: {detail}"),
    21421: (400, "PhoneNumber is invalid: {detail}"),
    21422: (400, "{detail} is not available"),
    21451: (400, "Invalid area code: {detail}"),
    21452: (400, "No phone numbers found in area code {detail}"),
    21481: (400, "Invalid PageToken"),
    21502: (400, "Invalid callback url: {detail}"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' or 'MessagingServiceSid' parameter is required to send a message."),
    21604: (400, "A 'To' phone number is required."),
    21606: (400, "'From' {detail} is not a valid message-capable Twilio phone number for this account"),
    21609: (400, "The 'StatusCallback' URL {detail} is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    21620: (400, "Invalid media URL(s): {detail}"),
    21623: (400, "Number of media files exceeds allowed limit of 10"),
    21624: (400, "Invalid validity period value: {detail}"),
    21659: (400, "'From' {detail} is not a Twilio phone number or Short Code country mismatch"),
    21701: (404, "The Messaging Service {detail} does not exist"),
    21704: (400, "The Messaging Service contains no phone numbers."),
    21710: (409, "Phone Number or Short Code is already in the Messaging Service."),
    21711: (400, "Phone Number {detail} is not associated with the specified Messaging Service."),
    21712: (409, "Phone Number or Short Code is associated with another Messaging Service."),
    21714: (412, "Messaging Service Number Pool size limit reached"),
    30400: (400, "Parameters are not valid: {detail}"),
    30409: (409, "This message cannot be canceled"),
}


class Refusal(Exception):
    """Twilio says no: a code of its dictionary, an HTTP status and a sentence."""

    def __init__(self, code: int, detail: object = "") -> None:
        self.code = code
        self.status, sentence = REFUSALS[code]
        self.message = sentence.format(detail=detail)
        super().__init__(f"{code}: {self.message}")


def refusal_response(refusal: Refusal) -> JSONResponse:
    """Twilio's error body; its numbers are numbers here, strings nowhere."""
    body = {
        "code": refusal.code,
        "message": refusal.message,
        "more_info": f"https://www.twilio.com/docs/errors/{refusal.code}",
        "status": refusal.status,
    }
    challenge = {"WWW-Authenticate": 'Basic realm="Twilio API"'} if refusal.status == 401 else None
    return JSONResponse(body, status_code=refusal.status, headers=challenge)


async def on_refusal(_request: Request, refusal: Exception) -> JSONResponse:
    """Starlette's exception handler for Refusal."""
    assert isinstance(refusal, Refusal)
    return refusal_response(refusal)
