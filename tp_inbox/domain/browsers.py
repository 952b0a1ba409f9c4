"""What a browser says of itself, in the words of people."""

from __future__ import annotations

UNKNOWN = "Unknown browser"
# The first that is found says it: later ones call themselves by the names of earlier ones, too.
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
DEVICES = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "Chromebook"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)


def in_words(agent: str) -> str:
    """``agent``: the User-Agent header. “Chrome on Windows”; whoever says nothing known is an unknown browser."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "")
    device = next((name for mark, name in DEVICES if mark in agent), "")
    return f"{browser or UNKNOWN} on {device}" if device else browser or UNKNOWN
