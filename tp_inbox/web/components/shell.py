"""The frame of every page: rail or bottom bar, the connection notice, and the title."""

from __future__ import annotations

import reflex as rx
from reflex_components_core.core.banner import has_connection_errors

from tp_inbox.web.components.basics import NativeForm, avatar, badge, icon, link
from tp_inbox.web.components.scripted import PageTitle
from tp_inbox.web.states.shell import ShellState

PRODUCT = "tp-inbox"


def shell(content: rx.Component, here: str, class_name: str | rx.Var[str] = "") -> rx.Component:
    return rx.el.div(
        PageTitle.create(unread=ShellState.unread, name=PRODUCT),
        rx.el.a("Skip to content", href="#content", class_name="skip"),
        _rail(here),
        rx.el.div(_connection(), rx.el.main(content, id="content", class_name="content"), class_name="stage"),
        class_name=rx.Var.create("shell ") + class_name,
    )


def _rail(here: str) -> rx.Component:
    return rx.el.nav(
        rx.el.div(rx.el.img(src="/logo.svg", alt="", width="28", height="28"), class_name="rail-logo"),
        rx.cond(
            ShellState.sees_messages,
            _place("messages-square", "Messages", "/messages", here == "messages", badge(ShellState.unread, "unread")),
        ),
        rx.cond(ShellState.sees_district, _place("building-2", "District", "/district", here == "district")),
        rx.el.div(class_name="rail-space"),
        _place("settings", "Settings", "/settings", here == "settings"),
        rx.el.div(avatar(ShellState.initials, ShellState.hue), title=ShellState.name, class_name="rail-me"),
        class_name="rail",
        aria_label="Main",
    )


def _place(icon_name: str, label: str, to: str, here: bool, *more: rx.Component) -> rx.Component:
    current = {"aria-current": "page"} if here else {}
    return link(
        rx.el.span(icon(icon_name, 22), *more, class_name="rail-icon"),
        rx.el.span(label, class_name="rail-label"),
        to=to,
        class_name="rail-link",
        custom_attrs=current,
    )


def _connection() -> rx.Component:
    return rx.el.div(
        rx.cond(
            has_connection_errors,
            rx.el.div(
                icon("wifi-off", 16),
                "No connection. What you send is kept here and goes out when it is back.",
                class_name="notice",
            ),
        ),
        role="status",
        class_name="notices",
    )


def sign_out_form(label: str, action: str, class_name: str = "button") -> rx.Component:
    return NativeForm.create(
        rx.el.button(label, type="submit", class_name=class_name), action=action, method="post"
    )
