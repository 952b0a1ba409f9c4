"""What a person is told of others who have read their conversations."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.views import Reading
from tp_inbox.web.components.basics import icon, link
from tp_inbox.web.components.scripted import Moment
from tp_inbox.web.states.readings import ReadingsState
from tp_inbox.web.states.shell import ShellState
from tp_inbox.web.states.thread import ThreadState

HEAD = ThreadState.head
SECTION = "read-by-others"


def read_by_line() -> rx.Component:
    """In one's own thread, who read it last; nothing while nobody has."""
    last = HEAD.read_by
    more = HEAD.times_read - 1
    return rx.cond(
        HEAD.times_read > 0,
        rx.el.div(
            icon("eye", 15),
            rx.el.p(
                "Read by ",
                rx.el.strong(last.reader),
                ", ",
                Moment.create(at=last.at, form="list"),
                ": ",
                rx.el.bdi(last.reason),
                rx.cond(
                    more > 0, rx.fragment(" (", more.to_string(), rx.cond(more > 1, " more times", " more time"), ")")
                ),
            ),
            link("See all", to="/settings#" + SECTION, class_name="text-link"),
            class_name="read-by",
        ),
    )


def who_has_read() -> rx.Component:
    """A section of Settings, for those who have or had conversations of their own."""
    return rx.cond(
        ShellState.tabs.personal | (ReadingsState.readings.length() > 0),
        rx.el.section(
            rx.el.h2("Who has read my conversations"),
            rx.el.p(
                "Some colleagues may read personal conversations of others. They give a reason, and you see it here."
            ),
            rx.cond(
                ReadingsState.readings.length() == 0,
                rx.el.p("Nobody has read any of yours.", class_name="quiet-text"),
                rx.el.ul(rx.foreach(ReadingsState.readings, _reading), class_name="lines"),
            ),
            rx.cond(
                ReadingsState.older,
                rx.el.button(
                    "Show older", type="button", class_name="button quiet older", on_click=ReadingsState.show_older
                ),
            ),
            id=SECTION,
            class_name="card",
        ),
    )


def _reading(reading: rx.Var[Reading]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            rx.el.span(
                rx.el.strong(reading.reader),
                " read ",
                rx.cond(
                    reading.family != "",
                    rx.fragment("your conversation with ", rx.el.strong(reading.family)),
                    "a conversation",
                ),
            ),
            rx.el.bdi(reading.reason, class_name="quiet-text"),
            rx.el.span(Moment.create(at=reading.at, form="minute"), class_name="quiet-text"),
            class_name="two-lines",
        ),
        key=reading.id.to_string(),
    )
