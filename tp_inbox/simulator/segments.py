"""How many segments a text takes on the air."""

from __future__ import annotations

GSM_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM_EXTENSION = frozenset("^{}\\[~]|€\f")
GSM_ONE, GSM_MANY = 160, 153
UCS_ONE, UCS_MANY = 70, 67


def count_segments(body: str) -> int:
    """Segments of a text; a picture without words is one."""
    if all(character in GSM_BASIC or character in GSM_EXTENSION for character in body):
        return _parts([1 + (character in GSM_EXTENSION) for character in body], GSM_ONE, GSM_MANY)
    return _parts([1 + (ord(character) > 0xFFFF) for character in body], UCS_ONE, UCS_MANY)


def _parts(units: list[int], alone: int, together: int) -> int:
    if sum(units) <= alone:
        return 1
    parts, room = 1, together
    for unit in units:
        if unit > room:  # a two-unit character is never torn apart
            parts, room = parts + 1, together
        room -= unit
    return parts
