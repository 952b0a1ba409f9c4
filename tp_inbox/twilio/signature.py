"""Whether a webhook comes from Twilio: its signature over the address it called and the form it sent."""

from __future__ import annotations

from starlette.datastructures import ImmutableMultiDict
from twilio.request_validator import RequestValidator

from tp_inbox.twilio.addresses import INSIST


def is_signed(token: str, url: str, form: ImmutableMultiDict[str, str], signature: str | None) -> bool:
    """Whether ``signature`` was made with our token for this address and form.

    ``url`` is the configured public address with the path and the query as they came over the wire: behind
    a proxy the request's own scheme, host and decoded path are not what Twilio called. Blank fields count,
    and a repeated name counts with each of its values. Without a token nothing is signed.
    """
    if not token or not signature:
        return False
    # The fragment is for Twilio alone and is not sent on; should it be signed all the same, no text is lost.
    return any(RequestValidator(token).validate(called, form, signature) for called in (url, url + INSIST))
