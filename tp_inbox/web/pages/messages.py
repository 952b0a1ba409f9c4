"""The page of messages: list, thread and family side by side; on a phone one at a time."""

from __future__ import annotations

import reflex as rx

from tp_inbox.web.components.basics import empty
from tp_inbox.web.components.family_panel import family_panel
from tp_inbox.web.components.new_message import new_message
from tp_inbox.web.components.scripted import Address, Keys
from tp_inbox.web.components.shell import shell
from tp_inbox.web.components.thread_list import thread_list
from tp_inbox.web.components.thread_view import thread_view
from tp_inbox.web.states.shell import ShellState
from tp_inbox.web.states.thread import ThreadState


def messages() -> rx.Component:
    return shell(
        rx.cond(
            ShellState.ready & ~ShellState.sees_messages,
            empty("inbox", "No messages for you", "Your role has no inbox. A district admin can change that."),
            rx.el.div(
                rx.el.h1("Messages", class_name="visually-hidden"),
                Keys.create(panel=ThreadState.family_shown, on_close=ThreadState.toggle_family),
                thread_list(),
                rx.cond(Address.fresh, new_message(), thread_view()),
                family_panel(),
                class_name="panes",
            ),
        ),
        here="messages",
        class_name=rx.cond(Address.opened, "detail-open", ""),
    )
