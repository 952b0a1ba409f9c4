"""A family calls: the number's VoiceUrl is asked, and its answer read as Twilio reads it, only more strictly."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from .config import SimulatorConfig
from .courier import Courier, Outcome
from .database import new_sid
from .fiction import REGION_OF, normalize
from .numbers import Number
from .webhooks import API_VERSION

MAX_SAID = 4_096
LONGEST_PAUSE = 600
KNOWN: dict[str, set[str]] = {
    "Response": set(),
    "Say": {"voice", "language", "loop"},
    "Pause": {"length"},
    "Dial": {"callerId", "timeout", "answerOnBridge", "timeLimit", "action", "method"},
    "Number": set(),
    "Hangup": set(),
}


class NoTwiml(Exception):
    """Why the answer cannot be followed; a caller would hear that an application error has occurred."""


@dataclass(frozen=True)
class Heard:
    """One thing that happens to the caller: said words, a pause, being put through, or the end."""

    kind: str
    words: str = ""
    language: str = ""
    seconds: int = 0
    number: str = ""


@dataclass(frozen=True)
class Call:
    """problem: why nothing, or not all, could be followed."""

    sid: str
    outcome: Outcome
    heard: tuple[Heard, ...] = ()
    problem: str = ""


class Switchboard:
    """Puts a family's call to the number's webhook."""

    def __init__(self, config: SimulatorConfig, courier: Courier) -> None:
        self._config = config
        self._courier = courier

    async def call(self, caller: str, number: Number) -> Call:
        """Never raises: what is wrong with the answer stands in the call."""
        sid = new_sid("CA")
        form = self._form(sid, caller, number)
        outcome = await self._ask("voice", sid, form, number)
        if not outcome.ok:
            excuse = {"ErrorCode": "11200", "ErrorUrl": number.settings.get("voice_url", "")}
            spare = await self._ask("voice_fallback", sid, form | excuse, number)
            outcome = spare if spare.ok else outcome
        return _followed(sid, outcome) if outcome.ok else Call(sid, outcome, problem=_silence(outcome))

    async def _ask(self, place: str, sid: str, form: dict[str, str], number: Number) -> Outcome:
        url, method = number.settings.get(f"{place}_url"), number.settings.get(f"{place}_method")
        if not url or number.settings.get("voice_application_sid"):
            return Outcome(None, "no webhook", tries=0)
        return await self._courier.deliver(f"{place} webhook", sid, url, form, method or "POST")

    def _form(self, sid: str, caller: str, number: Number) -> dict[str, str]:
        ours = number.phone_number
        return {
            "CallSid": sid,
            "AccountSid": self._config.account_sid,
            "From": caller,
            "Caller": caller,
            "To": ours,
            "Called": ours,
            "CallStatus": "ringing",
            "Direction": "inbound",
            "ApiVersion": API_VERSION,
            **_places("From", caller),
            **_places("Caller", caller),
            **_places("To", ours),
            **_places("Called", ours),
        }


def read_twiml(answer: bytes) -> Iterator[Heard]:
    """What the caller hears, in order; ends after the first thing that ends the call. Raises NoTwiml."""
    if b"<!DOCTYPE" in answer.upper():
        raise NoTwiml("TwiML has no DOCTYPE.")
    try:
        root = ET.fromstring(answer)  # noqa: S314 - without a DOCTYPE there is nothing to expand
    except ET.ParseError as error:
        raise NoTwiml(f"The answer is not XML: {error}.") from None
    if root.tag != "Response":
        raise NoTwiml(f"TwiML begins with Response, not with {root.tag}.")
    verbs = list(_checked(root))
    if any(verb.tag not in VERBS for verb in verbs):
        raise NoTwiml(f"There is no verb {next(verb.tag for verb in verbs if verb.tag not in VERBS)} here.")
    everything = [VERBS[verb.tag](verb) for verb in verbs]
    for heard in everything:
        yield heard
        if heard.kind == "hang up":
            return


def _say(verb: ET.Element) -> Heard:
    words = _words(verb)
    if len(verb):
        raise NoTwiml("Say holds nothing but words.")
    if not words or len(words) > MAX_SAID:
        raise NoTwiml(f"Say has 1 to {MAX_SAID:,} characters.")
    return Heard("say", words, verb.get("language", ""))


def _pause(verb: ET.Element) -> Heard:
    length = verb.get("length", "1")
    if _words(verb) or not length.isdecimal() or int(length[:4]) > LONGEST_PAUSE:
        raise NoTwiml(f"Pause has a length of up to {LONGEST_PAUSE} seconds, and nothing in it.")
    return Heard("pause", seconds=int(length))


def _dial(verb: ET.Element) -> Heard:
    if len(verb) > 1 or any(noun.tag != "Number" for noun in verb):
        raise NoTwiml("Dial holds one number.")
    number = normalize(_words(verb[0] if len(verb) else verb))
    if not number:
        raise NoTwiml("Dial holds no phone number.")
    if (timeout := verb.get("timeout")) and not timeout.isdecimal():
        raise NoTwiml("Dial's timeout is a number of seconds.")
    return Heard("put through", number=number)


def _hang_up(verb: ET.Element) -> Heard:
    if _words(verb):
        raise NoTwiml("Hangup has nothing in it.")
    return Heard("hang up")


VERBS: dict[str, Callable[[ET.Element], Heard]] = {"Say": _say, "Pause": _pause, "Dial": _dial, "Hangup": _hang_up}


def _checked(root: ET.Element) -> Iterator[ET.Element]:
    """The verbs, when every element and attribute is one that we know, and no words stand between them."""
    if _words(root) or any((verb.tail or "").strip() for verb in root):
        raise NoTwiml("Words stand outside of a verb.")
    for element in root.iter():
        unknown = set(element.keys()) - KNOWN.get(element.tag, set(element.keys()))
        if unknown:
            raise NoTwiml(f"{element.tag} has no attribute {min(unknown)}.")
    return iter(root)


def _followed(sid: str, outcome: Outcome) -> Call:
    try:
        return Call(sid, outcome, tuple(read_twiml(outcome.body)))
    except NoTwiml as error:
        return Call(sid, outcome, problem=str(error))


def _silence(outcome: Outcome) -> str:
    if outcome.problem == "no webhook":
        return "The number has no VoiceUrl: the caller hears that the call cannot be completed."
    return "The VoiceUrl gave no answer: the caller hears that an application error has occurred."


def _words(element: ET.Element) -> str:
    return (element.text or "").strip()


def _places(name: str, number: str) -> dict[str, str]:
    region = REGION_OF.get(number[2:5], "")
    return {f"{name}City": "", f"{name}State": region, f"{name}Zip": "", f"{name}Country": "US"}
