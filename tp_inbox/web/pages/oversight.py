"""Oversight: list, conversation and family side by side; on a phone one at a time."""

from __future__ import annotations

import reflex as rx

from tp_inbox.web.components.basics import empty
from tp_inbox.web.components.family_panel import overseen_family_panel
from tp_inbox.web.components.oversight_list import overseen_list
from tp_inbox.web.components.oversight_thread import overseen_thread
from tp_inbox.web.components.scripted import Address, Keys
from tp_inbox.web.components.shell import shell
from tp_inbox.web.states.oversight_page import OversightPage


def oversight() -> rx.Component:
    return shell(
        rx.cond(
            OversightPage.refused != "",
            empty("lock", "Not available", OversightPage.refused),
            rx.el.div(
                rx.el.h1("Oversight", class_name="visually-hidden"),
                Keys.create(panel=OversightPage.family_shown, on_close=OversightPage.toggle_family),
                overseen_list(),
                overseen_thread(),
                overseen_family_panel(),
                class_name="panes",
            ),
        ),
        here="oversight",
        class_name=rx.cond(Address.overseen > 0, "detail-open", ""),
    )
