"""How many segments a text is, which is what it costs.

3GPP TS 23.038: a text of the 7-bit alphabet holds 160 units, 153 in each of several segments; any other
character makes it UCS-2 with 70 units, 67 in each of several.
"""

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Encoding(StrEnum):
    GSM7 = "GSM-7"
    UCS2 = "UCS-2"


GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = frozenset("\f^{}\\[~]|€")
"""Each is sent as an escape and a character: two units that stay in one segment."""

_GSM = GSM_BASIC | GSM_EXTENSION
_BASIC_PLANE = 0xFFFF
_ALONE = {Encoding.GSM7: 160, Encoding.UCS2: 70}
_JOINED = {Encoding.GSM7: 153, Encoding.UCS2: 67}


@dataclass(frozen=True, slots=True)
class SegmentCount:
    """``units`` are those of the encoding; ``left`` says how many still fit into the last segment.

    ``costly`` are the characters that force UCS-2, ``doubles`` those that count two in GSM-7; each once,
    as first met. An emoji made of several characters is listed as these.
    """

    encoding: Encoding
    units: int
    segments: int
    per_segment: int
    left: int
    costly: tuple[str, ...]
    doubles: tuple[str, ...]


def count(body: str) -> SegmentCount:
    """What ``body`` costs exactly as it stands, signature and introduction included if they are in it."""
    costly = _once(character for character in body if character not in _GSM)
    encoding = Encoding.UCS2 if costly else Encoding.GSM7
    widths = [_width(character, encoding) for character in body]
    segments, per_segment, left = _fill(widths, encoding)
    doubles = () if costly else _once(character for character in body if character in GSM_EXTENSION)
    return SegmentCount(encoding, sum(widths), segments, per_segment, left, costly, doubles)


def _once(characters: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(characters))


def _width(character: str, encoding: Encoding) -> int:
    """Units of a character: an escape pair in GSM-7, a surrogate pair in UCS-2, else one."""
    wide = character in GSM_EXTENSION if encoding is Encoding.GSM7 else ord(character) > _BASIC_PLANE
    return 2 if wide else 1


def _fill(widths: list[int], encoding: Encoding) -> tuple[int, int, int]:
    """Segments, their size, and the units left in the last one; a pair goes whole into the next segment."""
    alone = _ALONE[encoding]
    if sum(widths) <= alone:
        return min(1, len(widths)), alone, alone - sum(widths)
    size = _JOINED[encoding]
    segments, left = 1, size
    for width in widths:
        if width > left:
            segments, left = segments + 1, size
        left -= width
    return segments, size, left


_PLAIN = {
    **dict.fromkeys("‘’‚‛′´`ʼ", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‐‑‒–—―−•·", "-"),
    **dict.fromkeys("\t\u00a0\u2002\u2003\u2007\u2008\u2009\u200a\u202f\u3000", " "),
    **dict.fromkeys("\u00ad\u200b\u2060\ufeff", ""),
    "…": "...",
}
_TO_PLAIN = str.maketrans(_PLAIN)


def hint(body: str) -> str | None:
    """What makes this text cost more than its length does, and what to write instead; None when nothing does."""
    counted = count(body)
    if counted.encoding is Encoding.GSM7:
        return _doubles_hint(counted, _fill([1] * len(body), Encoding.GSM7)[0])
    if all(character in _PLAIN for character in counted.costly):
        return _plain_hint(counted, count(body.translate(_TO_PLAIN)).segments)
    if counted.segments < 2:
        return None
    letter = next(character for character in counted.costly if character not in _PLAIN)
    return f"With {_shown(letter)} in it, each part of a text holds 67 characters instead of 153."


def _doubles_hint(counted: SegmentCount, single: int) -> str | None:
    """For characters that count two, where that alone makes another segment; ``single`` is the cost without it."""
    if single >= counted.segments:
        return None
    shown = " ".join(_shown(character) for character in counted.doubles)
    counts = "counts" if len(counted.doubles) == 1 else "each count"
    return f"This text costs {counted.segments} instead of {single}, because {shown} {counts} as two characters."


def _plain_hint(counted: SegmentCount, plain: int) -> str | None:
    if plain >= counted.segments:
        return None
    swaps = ", ".join(_swap(character) for character in counted.costly)
    return f"This text costs {counted.segments} instead of {plain}. To save, {swaps}."


def _swap(character: str) -> str:
    plain = _PLAIN[character].replace(" ", "a space")
    return f"use {plain} instead of {_shown(character)}" if plain else f"remove the {_shown(character)}"


def _shown(character: str) -> str:
    """A character as a person can read it: itself, or its name when it shows nothing."""
    visible = character.isprintable() and not unicodedata.combining(character)
    return character if visible else unicodedata.name(character, "tab").lower()
