"""What the thread of a tab shows, as the server's frames add up to it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

UPDATE = '42/_event,["event",'

Frame = tuple[float, str]
Sighting = tuple[float, int]


def sightings(frames: Iterable[Frame], texts: Sequence[str]) -> dict[str, Sighting]:
    """When each text was first on the screen, and the most copies of it there at once; none for one that never came."""
    wanted, found = set(texts), dict[str, Sighting]()
    shown: dict[str, list[str]] = {}
    for at, frame in frames:
        for text, copies in _after(frame, shown).items():
            if text in wanted:
                first, most = found.get(text, (at, 0))
                found[text] = (first, max(most, copies))
    return found


def _after(frame: str, shown: dict[str, list[str]]) -> Counter[str]:
    """Takes in one frame: a variable comes whole, in place of what it was. Counts what is shown then."""
    changed = {name: list(_texts(value)) for name, value in _variables(frame) if isinstance(value, list)}
    shown |= {name: texts for name, texts in changed.items() if texts or name in shown}
    return Counter(text for texts in shown.values() for text in texts) if changed else Counter()


def _variables(frame: str) -> Iterator[tuple[str, Any]]:
    if not frame.startswith(UPDATE):
        return
    delta = json.loads(frame[frame.index("[") :])[1].get("delta") or {}
    for state, variables in delta.items():
        for name, value in variables.items():
            yield f"{state}.{name}", value


def _texts(value: Any) -> Iterator[str]:
    """Those of the bubbles in a variable, however deep they lie."""
    if isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict) and {"text", "outbound"} <= value.keys():
        yield value["text"]
