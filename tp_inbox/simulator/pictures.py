"""Pictures in texts: the samples that come along, those that scripts bring, and where all can be seen."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from .config import SimulatorConfig
from .errors import Refusal
from .messages import Medium
from .parts import simulator

SAMPLES_FOLDER = Path(__file__).parent / "static" / "samples"
SAMPLES: dict[str, str] = {
    "permission-slip": "A signed permission slip",
    "science-project": "A science project",
    "lost-jacket": "A lost jacket",
}
CONTENT_TYPES = ("image/jpeg", "image/png", "image/gif")
MAX_PICTURES, MAX_BYTES = 10, 5_000_000


def read_picture(given: object) -> tuple[str, bytes]:
    """(content type, bytes) of a sample's name or of {"content_type", "data": base64}. Raises ValueError."""
    if isinstance(given, str) and given in SAMPLES:
        return "image/jpeg", (SAMPLES_FOLDER / f"{given}.jpg").read_bytes()
    if not isinstance(given, dict) or given.get("content_type") not in CONTENT_TYPES:
        raise ValueError(f"a picture is one of {', '.join(SAMPLES)}, or content_type and data of an image")
    try:
        content = base64.b64decode(str(given.get("data", "")), validate=True)
    except ValueError:
        raise ValueError("the picture's data is not base64") from None
    if not 0 < len(content) <= MAX_BYTES:
        raise ValueError(f"a picture has 1 to {MAX_BYTES:,} bytes")
    return given["content_type"], content


def public_path(config: SimulatorConfig, medium: Medium) -> str:
    """An address that nobody can guess and that asks for no password, as a content delivery network's."""
    return f"/mms/{medium.sid}/{_token(config, medium.sid)}"


async def show_picture(request: Request) -> Response:
    """Answers public_path."""
    sim, sid = simulator(request), request.path_params["medium"]
    if not hmac.compare_digest(request.path_params["token"].encode(), _token(sim.config, sid).encode()):
        raise Refusal(20404, request.url.path)
    medium = sim.messages.medium(sid)
    if not medium or medium.content is None:
        raise Refusal(20404, request.url.path)
    return Response(medium.content, media_type=medium.content_type, headers={"Cache-Control": "private, max-age=3600"})


def _token(config: SimulatorConfig, sid: str) -> str:
    return hmac.new(config.auth_token.encode(), sid.encode(), hashlib.sha256).hexdigest()[:32]
