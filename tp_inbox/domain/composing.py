"""What a person writes, made ready: cleaned, introduced, signed, and not too long."""

import re
import unicodedata

from tp_inbox.domain.errors import Invalid

MAX_BODY = 1600
"""Characters of a whole text, signature included; what carriers take in one message."""
MAX_SIGNATURE = 100
MAX_SIGNATURE_LINES = 2
PREVIEW = 80
PICTURE, NO_WORDS = "Picture", "(no words)"

_LINE_ENDS = re.compile("\r\n|[\r\u2028\u2029]")
_INVISIBLE = re.compile("[\u202a-\u202e\u2066-\u2069\ufeff]")
_KEPT_CONTROLS = "\n\t"


def clean_body(text: str) -> str:
    """What a person wrote, as it may be sent: one kind of line end, no trailing space, composed letters (NFC).

    Direction overrides and byte-order marks are removed: they come along when a number is copied, nobody
    sees them, and they can make a text read as something else. Cleaning twice changes nothing more.

    Raises Invalid for an empty text and for control characters other than line break and tab.
    """
    lines = _normal(text).split("\n")
    body = "\n".join(line.rstrip() for line in lines).strip()
    if not _shows_something(body):
        raise Invalid("Your text is empty. Write something first.")
    return body


def _normal(text: str) -> str:
    text = _LINE_ENDS.sub("\n", text)
    if any(map(_is_control, text)):
        raise Invalid("This contains control characters that cannot be sent. Type it again, or paste it as plain text.")
    return unicodedata.normalize("NFC", _INVISIBLE.sub("", text))


def _is_control(character: str) -> bool:
    """Controls, and halves of a surrogate pair, which no encoding can carry."""
    return unicodedata.category(character) in {"Cc", "Cs"} and character not in _KEPT_CONTROLS


def _shows_something(text: str) -> bool:
    return any(unicodedata.category(character)[0] not in "ZC" for character in text)


def clean_signature(text: str) -> str:
    """A signature of one or two lines and at most 100 characters; "" for none. Raises Invalid otherwise."""
    lines = [line.strip() for line in _normal(text).split("\n") if _shows_something(line)]
    signature = "\n".join(lines)
    if len(lines) > MAX_SIGNATURE_LINES:
        raise Invalid("A signature has one or two lines.")
    if (over := len(signature) - MAX_SIGNATURE) > 0:
        raise Invalid(f"Your signature is {_characters(over)} too long. It may have {MAX_SIGNATURE}.")
    return signature


def compose(written: str, *, signature: str | None = None, introduction: str | None = None) -> str:
    """The full body as it is sent: introduction, what was written, signature, each on lines of its own.

    Raises Invalid when what was written cannot be sent, or the whole is longer than MAX_BODY.
    """
    body = "\n".join(part for part in (introduction, clean_body(written), signature) if part)
    if over := excess(body):
        raise Invalid(f"Your text is {_characters(over)} too long ({_limit(signature, introduction)}).")
    return body


def excess(body: str) -> int:
    """Characters beyond MAX_BODY, 0 when it fits; an emoji outside the basic plane counts two, as at carriers."""
    units = len(body.encode("utf-16-le", "surrogatepass")) // 2
    return max(0, units - MAX_BODY)


def _limit(signature: str | None, introduction: str | None) -> str:
    added = [name for name, part in (("introduction", introduction), ("signature", signature)) if part]
    return f"it may have {MAX_BODY:,}" + (f" with {' and '.join(added)}" if added else "")


def _characters(number: int) -> str:
    return "1 character" if number == 1 else f"{number:,} characters"


def introduction_for(name: str, title: str | None, school: str) -> str:
    """How the first text from a personal number begins: who writes, for which school, and how to end it."""
    who = f"{name}, {title}" if title else name
    return f"This is {who} at {school}. {_HOW_TO_STOP}"


def introduction_for_school(school: str) -> str:
    """How the first text from a school's number begins."""
    return f"This is {school}. {_HOW_TO_STOP}"


_HOW_TO_STOP = "Reply STOP to end texts."


def preview_of(body: str, media: int) -> str:
    """What a list shows of a text; one without words is named by what came instead of them."""
    return preview(body) or (PICTURE if media else NO_WORDS)


def preview(body: str, limit: int = PREVIEW) -> str:
    """One line for a list, of at most ``limit`` characters, cut between words where it can be."""
    line = " ".join(body.split())
    if len(line) <= limit:
        return line
    cut = line[: limit - 1]
    words = cut if line[limit - 1] == " " else cut.rpartition(" ")[0]
    return (words if len(words) > limit // 2 else cut).rstrip() + "…"
