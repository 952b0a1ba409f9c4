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
    20429: (429, "Too Many Requests"),
    20500: (500, "Internal Server Error"),
    20503: (503, "Service is not available"),
    21211: (400, "Invalid 'To' Phone Number: {detail}"),
    21212: (400, "Invalid 'From' Number (caller ID): {detail}"),
    21266: (400, "'To' and 'From' number cannot be the same: {detail}"),
    21404: (400, "Trial accounts are limited to one number"),
    21408: (400, "Permission to send an SMS has not been enabled for the region of the 'To' number: {detail}"),
    21421: (400, "PhoneNumber is invalid: {detail}"),
    21422: (400, "{detail} is not available"),
    21451: (400, "Invalid area code: {detail}"),
    21452: (400, "No phone numbers found in area code {detail}"),
    21481: (400, "Invalid PageToken"),
    21502: (400, "Invalid callback url: {detail}"),
    21601: (400, "Phone number {detail} is not a valid SMS-capable inbound phone number for your account"),
    21602: (400, "Message body is required."),
    21603: (400, "A 'From' or 'MessagingServiceSid' parameter is required to send a message."),
    21604: (400, "A 'To' phone number is required."),
    21606: (400, "'From' {detail} is not a valid message-capable Twilio phone number for this account"),
    21608: (400, "The number {detail} is unverified. Trial accounts cannot send messages to unverified numbers"),
    21609: (400, "The 'StatusCallback' URL {detail} is not a valid URL."),
    21610: (400, "Attempt to send to unsubscribed recipient"),
    21611: (400, "This 'From' number has exceeded the maximum number of queued messages"),
    21614: (400, "'To' number is not a valid mobile number: {detail}"),
    21617: (400, "The concatenated message body exceeds the 1600 character limit"),
    21620: (400, "Invalid media URL(s): {detail}"),
    21623: (400, "Number of media files exceeds allowed limit of 10"),
    21624: (400, "Invalid validity period value: {detail}"),
    21635: (400, "'To' number {detail} cannot be a landline"),
    21659: (400, "'From' {detail} is not a Twilio phone number or Short Code country mismatch"),
    21701: (404, "The Messaging Service {detail} does not exist"),
    21704: (400, "The Messaging Service contains no phone numbers."),
    21710: (409, "Phone Number or Short Code is already in the Messaging Service."),
    21711: (400, "Phone Number {detail} is not associated with the specified Messaging Service."),
    21712: (409, "Phone Number or Short Code is associated with another Messaging Service."),
    21714: (412, "Messaging Service Number Pool size limit reached"),
    22300: (400, "This account is not allowed to buy phone numbers"),
    30400: (400, "Parameters are not valid: {detail}"),
    30409: (409, "This message cannot be canceled"),
}

# Code → what the ErrorMessage of a text says that was taken and did not arrive.
ENDS: dict[int, str] = {
    30001: "Queue overflow",
    30002: "Account suspended",
    30003: "Unreachable destination handset",
    30004: "Message blocked",
    30005: "Unknown destination handset",
    30006: "Landline or unreachable carrier",
    30007: "Message filtered",
    30008: "Unknown error",
    30022: "US A2P 10DLC - Rate Limits Exceeded",
    30023: "US A2P 10DLC - Daily Message Cap Reached",
    30032: "Toll-Free Number Has Not Been Verified",
    30034: "US A2P 10DLC - Message from an Unregistered Number",
    30036: "Validity Period Expired",
    30500: "Twilio Internal Error",
}


class Refusal(Exception):
    """Twilio says no: a code of its dictionary, an HTTP status and a sentence.

    A code that is not above is one that nobody knows yet: 400, and no sentence to speak of.
    """

    def __init__(self, code: int, detail: object = "") -> None:
        self.code = code
        self.status, sentence = REFUSALS.get(code, (400, "Error {detail}"))
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
