"""The frame of every page: rail or bottom bar, the connection notice, and the title."""

from __future__ import annotations

import reflex as rx
from reflex_components_core.core.banner import has_connection_errors

from tp_inbox.web.components.basics import Anchor, NativeForm, avatar, badge, icon, link, on_its_way, skeleton
from tp_inbox.web.components.scripted import PageTitle
from tp_inbox.web.states.shell import ShellState

PRODUCT = "tp-inbox"


def shell(content: rx.Component, here: str, class_name: str | rx.Var[str] = "") -> rx.Component:
    return rx.el.div(
        PageTitle.create(unread=ShellState.unread, name=PRODUCT),
        Anchor.create("Skip to content", href="#content", class_name="skip"),
        _rail(here),
        rx.el.div(
            _connection(), rx.el.main(content, id="content", class_name="content", tab_index=-1), class_name="stage"
        ),
        class_name=rx.Var.create("shell ") + class_name,
    )


def first_paint() -> rx.Component:
    """What the browser shows while the code is on its way: the frame of the page of messages, without words."""
    return rx.el.div(
        rx.el.div(_logo(), class_name="rail"),
        rx.el.div(
            rx.el.div(
                rx.el.div(
                    rx.el.div(class_name="list-head"),
                    rx.el.div(class_name="tabs"),
                    skeleton(9, "list-skeleton"),
                    class_name="list",
                ),
                rx.el.div(on_its_way(), class_name="thread"),
                class_name="panes",
            ),
            class_name="stage",
        ),
        class_name="shell first",
        aria_hidden="true",
    )


def toasts() -> rx.Component:
    """Where short notices appear; above the composer, which is used most."""
    return rx.toast.provider(
        rich_colors=False, position="top-center", duration=6000, offset="14px", mobile_offset="12px"
    )


def _rail(here: str) -> rx.Component:
    return rx.el.nav(
        _logo(),
        rx.cond(
            ShellState.sees_messages,
            _place("messages-square", "Messages", "/messages", here == "messages", badge(ShellState.unread, "unread")),
        ),
        rx.cond(ShellState.sees_oversight, _place("eye", "Oversight", "/oversight", here == "oversight")),
        rx.cond(
            ShellState.admin.length() > 0,
            _place("shield-check", "Admin", "/admin", here == "admin", badge(ShellState.alerts, _alerts())),
        ),
        rx.el.div(class_name="rail-space"),
        rx.cond(ShellState.ready, _place("settings", "Settings", "/settings", here == "settings")),
        rx.cond(ShellState.ready, _me()),
        class_name="rail",
        aria_label="Main",
    )


def _alerts() -> rx.Var[str]:
    return rx.cond(ShellState.alerts == 1, "alert", "alerts").to(str)


def _logo() -> rx.Component:
    return rx.el.div(rx.el.img(src="/logo.svg", alt=""), class_name="rail-logo")


def _me() -> rx.Component:
    return rx.el.div(
        avatar(ShellState.initials, ShellState.hue),
        title=ShellState.name,
        role="img",
        aria_label="Signed in as " + ShellState.name,
        class_name="rail-me",
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
    return NativeForm.create(rx.el.button(label, type="submit", class_name=class_name), action=action, method="post")
