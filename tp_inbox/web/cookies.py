"""The session cookie: HttpOnly, SameSite, for the whole site, Secure behind TLS."""

from __future__ import annotations

from starlette.responses import Response

SESSION_COOKIE = "tp_inbox_session"


def set_session(response: Response, token: str, max_age: int, *, secure: bool) -> None:
    response.set_cookie(SESSION_COOKIE, token, max_age=max_age, path="/", secure=secure, httponly=True, samesite="lax")


def clear_session(response: Response, *, secure: bool) -> None:
    response.delete_cookie(SESSION_COOKIE, path="/", secure=secure, httponly=True, samesite="lax")
