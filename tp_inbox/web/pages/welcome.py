"""The page behind an invitation or a reset link. It is open to anyone; what it shows depends on the link alone."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.passwords import MAX_CHARACTERS, MIN_CHARACTERS
from tp_inbox.web.components.scripted import Welcome
from tp_inbox.web.pages.sign_in import sample


def welcome() -> rx.Component:
    card = rx.el.div(
        rx.el.img(src="/logo.svg", alt=""),
        Welcome.create(shortest=MIN_CHARACTERS, longest=MAX_CHARACTERS),
        class_name="card",
    )
    return rx.el.main(sample(), rx.el.div(card, class_name="sign-in-side"), class_name="sign-in welcome")
