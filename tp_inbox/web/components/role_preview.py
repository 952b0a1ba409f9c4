"""The shell in small: what somebody would see who holds a role. Nothing in it can be pressed."""

from __future__ import annotations

import reflex as rx

from tp_inbox.web.components.basics import icon
from tp_inbox.web.components.pages import SECTIONS, facts, panel, tag
from tp_inbox.web.states.roles_page import RolesPage
from tp_inbox.web.states.shell import Rail


def role_preview() -> rx.Component:
    return panel(
        "Preview as this role",
        rx.el.p("What its holder would have with this role alone. You act as nobody, and see nobody’s messages."),
        rx.cond(
            RolesPage.place == "",
            rx.el.p("There is no school yet at which it could be held.", class_name="note"),
            rx.el.div(_where(), _shell(), _told(), class_name="stack"),
        ),
    )


def _where() -> rx.Component:
    return rx.cond(
        RolesPage.place == "the district",
        rx.el.p("Held at the district.", class_name="quiet-text"),
        rx.el.label(
            "At",
            rx.el.select(
                rx.foreach(RolesPage.schools, lambda s: rx.el.option(s.name, value=s.id.to_string())),
                value=RolesPage.school_id.to_string(),
                on_change=lambda value: RolesPage.choose_school(value.to(int)),
            ),
        ),
    )


def _shell() -> rx.Component:
    """A picture; ``_told`` says the same in words."""
    return rx.el.div(
        rx.el.div(
            rx.cond(RolesPage.sees_messages, _place("messages-square", "Messages")),
            rx.cond(RolesPage.rail.oversight, _place("eye", "Oversight")),
            rx.cond(RolesPage.rail.admin.length() > 0, _place("shield-check", "Admin")),
            _place("settings", "Settings"),
            class_name="mock-rail",
        ),
        rx.el.div(
            rx.cond(RolesPage.sees_messages, _messages(), _other()),
            class_name="mock-stage",
        ),
        class_name="mock",
        aria_hidden="true",
    )


def _place(icon_name: str, label: str) -> rx.Component:
    return rx.el.div(icon(icon_name, 18), rx.el.span(label), class_name="mock-place")


def _messages() -> rx.Component:
    return rx.fragment(
        rx.el.div(
            rx.el.strong("Messages"),
            rx.cond(RolesPage.rail.writes, rx.el.span(icon("square-pen", 14), "New", class_name="mock-new")),
            class_name="mock-head",
        ),
        rx.el.div(
            rx.cond(RolesPage.rail.personal, rx.el.span("Personal messages")),
            rx.cond(RolesPage.rail.school, rx.el.span("School messages")),
            class_name="mock-tabs",
        ),
        rx.el.div(*[rx.el.div(rx.el.i(), rx.el.i(), class_name="mock-line") for _ in range(2)]),
        rx.cond(
            RolesPage.senders.length() > 1,
            rx.el.div("From ", rx.el.span(RolesPage.senders[0], icon("chevron-down", 14)), class_name="mock-from"),
        ),
    )


def _other() -> rx.Component:
    """Who has no messages begins in Admin or in Oversight."""
    return rx.cond(
        RolesPage.rail.admin.length() > 0,
        rx.fragment(rx.el.div(rx.el.strong("Admin"), class_name="mock-head"), _sections()),
        rx.cond(
            RolesPage.rail.oversight,
            rx.el.div(rx.el.strong("Oversight"), class_name="mock-head"),
            rx.el.div(rx.el.strong("No conversations"), class_name="mock-head"),
        ),
    )


def _sections() -> rx.Component:
    return rx.el.div(
        *[rx.cond(RolesPage.rail.admin.contains(name), rx.el.span(label)) for name, _, label in SECTIONS],
        class_name="mock-tabs",
    )


def _told() -> rx.Component:
    rail: Rail = RolesPage.rail
    return facts(
        (
            "Tabs",
            rx.cond(
                RolesPage.sees_messages,
                _tags((rail.personal, "Personal messages"), (rail.school, "School messages")),
                "No messages of their own",
            ),
        ),
        ("From", _senders()),
        ("Oversight", rx.cond(rail.oversight, tag("Other people’s conversations"), "None")),
        (
            "Admin",
            rx.cond(
                rail.admin.length() > 0,
                _tags(*[(rail.admin.contains(name), label) for name, _, label in SECTIONS]),
                "None",
            ),
        ),
    )


def _tags(*shown: tuple[rx.Var[bool], str]) -> rx.Component:
    return rx.el.span(*[rx.cond(there, tag(label)) for there, label in shown], class_name="tags")


def _senders() -> rx.Component:
    """From is there only where there is something to choose."""
    senders = RolesPage.senders
    alone = rx.fragment("No choice: texts leave from ", tag(senders[0]))
    several = rx.el.span(rx.foreach(senders, tag), class_name="tags")
    return rx.cond(senders.length() == 0, "Writes to no families", rx.cond(senders.length() == 1, alone, several))
