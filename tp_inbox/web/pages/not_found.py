"""What an address leads to that names no page."""

from __future__ import annotations

import reflex as rx

from tp_inbox.web.components.basics import link


def not_found() -> rx.Component:
    return rx.el.main(
        rx.el.div(
            rx.el.img(src="/logo.svg", alt="", width="48", height="48"),
            rx.el.h1("This page does not exist"),
            rx.el.p("Perhaps the address was mistyped, or the page has moved.", class_name="quiet-text"),
            link("To my messages", to="/", class_name="button primary wide"),
            class_name="card",
        ),
        class_name="sign-in",
    )
