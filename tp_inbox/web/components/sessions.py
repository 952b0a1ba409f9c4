"""Where a person is signed in, and signing out there."""

from __future__ import annotations

from typing import Any

import reflex as rx

from tp_inbox.web.components.basics import icon
from tp_inbox.web.components.pages import dialog_buttons, panel, tag
from tp_inbox.web.components.scripted import Dialog, Moment
from tp_inbox.web.states.sessions_panel import SessionLine, SessionsState

State = SessionsState


def sessions_panel() -> rx.Component:
    """Of the person whom the page has shown to ``SessionsState``; nothing for those who may not see it."""
    lines = rx.el.ul(rx.foreach(State.lines, _line), class_name="lines")
    nowhere = rx.el.p("Signed in nowhere at the moment.", class_name="quiet-text")
    return rx.cond(
        State.shown,
        panel(
            rx.cond(State.own, "Where you are signed in", "Where they are signed in"),
            rx.cond(State.lines.length() > 0, lines, nowhere),
            _everywhere(),
        ),
    )


def _line(line: rx.Var[SessionLine]) -> rx.Component:
    about = rx.fragment(line.address, " · ", Moment.create(at=line.used, form="list"))
    words = rx.el.span(
        rx.el.strong(line.browser),
        rx.el.span(rx.cond(line.here, "This browser, now", about), class_name="quiet-text"),
        class_name="two-lines",
    )
    out = rx.el.button(
        "Sign out",
        rx.el.span(" of ", line.browser, class_name="visually-hidden"),
        type="button",
        class_name="button small",
        on_click=State.end(line.id),
    )
    return rx.el.li(words, rx.cond(line.here, tag("Here", "quiet"), out), key=line.id)


def _everywhere() -> rx.Component:
    others = rx.cond(State.own, State.lines.length() > 1, State.lines.length() > 0)
    label = rx.cond(State.own, "Sign out everywhere else", "Sign out everywhere")
    ask: Any = rx.el.button(
        icon("log-out", 18), label, type="button", class_name="button quiet panel-action", on_click=State.ask
    )
    return rx.fragment(
        rx.cond(others, ask),
        Dialog.create(
            rx.el.p(
                rx.cond(
                    State.own,
                    "Every other browser asks for the password again. What you have written as a draft is kept.",
                    "Every browser of this person asks for the password again. What they have written as a draft is"
                    " kept.",
                )
            ),
            dialog_buttons(
                rx.el.button("Cancel", type="button", class_name="button", on_click=State.leave),
                rx.el.button(label, type="button", class_name="button primary", on_click=State.end_all),
            ),
            open=State.asking,
            title=label,
            on_close=State.leave,
        ),
    )
