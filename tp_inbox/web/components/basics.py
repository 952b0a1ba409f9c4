"""Small pieces that every page uses."""

from __future__ import annotations

from typing import Any

import reflex as rx
from reflex_components_core.el.elements.base import BaseHTML
from reflex_components_core.react_router.dom import ReactRouterLink


class NativeForm(BaseHTML):
    """A form that the browser itself posts, so that the answer can set a cookie."""

    tag = "form"

    action: rx.Var[str]
    method: rx.Var[str]


def link(*children: Any, to: rx.Var[str] | str, **props: Any) -> rx.Component:
    """A link inside the app, without loading the page again."""
    return ReactRouterLink.create(*children, to=to, **props)


class Anchor(BaseHTML):
    """A link within the page, which the browser follows itself."""

    tag = "a"

    href: rx.Var[str]


def avatar(initials: rx.Var[str] | str, hue: rx.Var[int] | int) -> rx.Component:
    return rx.el.span(initials, class_name="avatar", custom_attrs={"data-hue": hue, "aria-hidden": "true"})


def icon(name: str, size: int = 20) -> rx.Component:
    return rx.icon(name, size=size, custom_attrs={"aria-hidden": "true"})


def icon_button(name: str, label: str, **props: Any) -> rx.Component:
    return rx.el.button(icon(name), type="button", class_name="icon-button", aria_label=label, title=label, **props)


def badge(count: rx.Var[int], label: str | rx.Var[str]) -> rx.Component:
    """A number of unread things; nothing when there are none."""
    shown = rx.cond(count > 99, "99+", count.to_string())
    return rx.cond(
        count > 0,
        rx.el.span(shown, rx.el.span(f" {label}", class_name="visually-hidden"), class_name="badge"),
    )


def empty(icon_name: str, title: str, text: str, *more: rx.Component) -> rx.Component:
    """What stands where nothing is."""
    return rx.el.div(
        rx.el.div(icon(icon_name, 28), class_name="empty-icon"),
        rx.el.h2(title),
        rx.el.p(text),
        *more,
        class_name="empty",
    )


def skeleton(lines: int, class_name: str) -> rx.Component:
    """Grey shapes of what is on its way, in its size, so that nothing jumps."""
    return rx.el.div(
        *[rx.el.div(rx.el.span(), rx.el.div(rx.el.i(), rx.el.i()), class_name="skeleton-row") for _ in range(lines)],
        class_name=f"skeleton {class_name}",
        aria_hidden="true",
    )


def on_its_way() -> rx.Component:
    """Covers the thread that was open until the one that the address names is there, in the same shapes."""
    shapes = [rx.el.i(class_name=f"shape {side}") for side in ("in", "in wide", "out", "in", "out wide", "out")]
    return rx.el.div(
        rx.el.div(rx.el.span(), rx.el.div(rx.el.i(), rx.el.i()), class_name="skeleton-row"),
        rx.el.div(*shapes, class_name="shapes"),
        rx.el.div(class_name="skeleton-composer"),
        class_name="skeleton cover",
        aria_hidden="true",
    )
