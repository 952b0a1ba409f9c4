"""About the family: everyone who reads at this phone, their language and schools, and whether they want texts."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.oversight import OverseenHead
from tp_inbox.services.views import PersonView, ThreadHead
from tp_inbox.web.components.basics import avatar, icon, icon_button
from tp_inbox.web.components.consent import consent_facts
from tp_inbox.web.components.scripted import Address
from tp_inbox.web.components.tying import not_this_family, who_is_this
from tp_inbox.web.states.oversight_page import OversightPage
from tp_inbox.web.states.thread import ThreadState

HEAD = ThreadState.head
OVERSEEN = OversightPage.head


def family_panel() -> rx.Component:
    return rx.cond(
        ThreadState.family_shown & (HEAD.id > 0) & (Address.thread == HEAD.id),
        _panel(
            HEAD,
            ThreadState.toggle_family,
            rx.el.h3("Who reads here"),
            rx.el.ul(rx.foreach(HEAD.people, _person), class_name="people"),
            rx.cond(HEAD.people.length() == 0, rx.el.p("Nobody is on file with this number.", class_name="quiet-text")),
            who_is_this(),
            not_this_family(),
            _fact("phone", "Number", HEAD.phone),
            _fact("languages", "Language", HEAD.language),
            rx.cond(HEAD.schools.length() > 0, _schools()),
            rx.cond(HEAD.through != "", _fact("waypoints", "You meet this family", HEAD.through)),
        ),
    )


def overseen_family_panel() -> rx.Component:
    """In oversight: for whoever may stop texts to the family."""
    return rx.cond(
        OversightPage.family_shown & OVERSEEN.manages & (Address.overseen == OVERSEEN.id),
        _panel(OVERSEEN, OversightPage.toggle_family, _fact("phone", "Number", OVERSEEN.phone)),
    )


def family_button(shown: rx.Var[bool], toggle: rx.event.EventType) -> rx.Component:
    return rx.el.button(
        icon("info"),
        type="button",
        id="about-family",
        class_name="icon-button",
        aria_label="About this family",
        title="About this family",
        aria_expanded=shown,
        on_click=toggle,
    )


def _panel(
    head: rx.Var[ThreadHead] | rx.Var[OverseenHead], toggle: rx.event.EventType, *facts: rx.Component
) -> rx.Component:
    return rx.el.aside(
        rx.el.header(
            rx.el.h2("About this family"),
            icon_button("x", "Close", on_click=toggle),
            class_name="panel-head",
        ),
        rx.el.div(
            rx.el.div(avatar(head.initials, head.hue), rx.el.strong(head.title), class_name="panel-face"),
            *facts,
            consent_facts(head),
            class_name="panel-body",
        ),
        class_name="panel",
        aria_label="About this family",
    )


def _person(person: rx.Var[PersonView]) -> rx.Component:
    return rx.el.li(
        rx.cond(person.is_student, icon("graduation-cap", 18), icon("user", 18)),
        rx.el.div(rx.el.strong(person.name), rx.el.span(person.about)),
        class_name="person",
    )


def _fact(icon_name: str, label: str, value: rx.Var[str]) -> rx.Component:
    return rx.el.div(rx.el.h3(label), rx.el.p(icon(icon_name, 18), value), class_name="fact")


def _schools() -> rx.Component:
    return rx.el.div(
        rx.el.h3("Schools"),
        rx.el.ul(rx.foreach(HEAD.schools, lambda name: rx.el.li(icon("school", 18), name)), class_name="plain"),
        class_name="fact",
    )
