"""Why can this person see this: a panel of a person's page."""

from __future__ import annotations

from typing import Any

import reflex as rx

from tp_inbox.services.explaining import Answer, Askable, Because, Kind, Offer
from tp_inbox.web.components.basics import avatar, icon, link
from tp_inbox.web.components.pages import panel, search_box, tag
from tp_inbox.web.states.shell import ShellState
from tp_inbox.web.states.why import WhyState

State = WhyState


def why_panel(name: rx.Var[str] | str) -> rx.Component:
    """``name``: of the person whom the page has shown to ``WhyState``."""
    return panel(
        rx.fragment("Why can ", name, " see this?"),
        rx.el.div(rx.cond(State.about != "", _answered(), _choosing()), custom_attrs={"aria-live": "polite"}),
    )


def _choosing() -> rx.Component:
    nothing = rx.el.p("Nothing found that you may ask about.", class_name="quiet-text")
    return rx.el.div(
        rx.el.p(
            "Choose an inbox or a conversation, or paste a conversation’s address. You see what allows it, or what is"
            " missing.",
            class_name="quiet-text",
        ),
        search_box("Search a person, a school or a family", State.words, State.search.debounce(200)),
        rx.cond(
            State.found.length() > 0,
            rx.el.ul(rx.foreach(State.found, _choice), class_name="lines askable", aria_label="Found"),
            nothing,
        ),
        class_name="stack",
    )


def _choice(found: rx.Var[Askable]) -> rx.Component:
    words = rx.el.span(
        rx.el.strong(found.name), rx.el.span(found.about, class_name="quiet-text"), class_name="two-lines"
    )
    return rx.el.li(
        rx.el.button(
            rx.cond(found.kind == Kind.SCHOOL.value, _of_a_school(), avatar(found.initials, found.hue)),
            words,
            icon("chevron-right", 18),
            type="button",
            class_name="ask",
            on_click=State.ask(found.kind, found.id),
        ),
        key=found.kind + found.id.to_string(),
    )


def _of_a_school() -> rx.Component:
    return rx.el.span(icon("school", 18), class_name="avatar of-a-school")


def _answered() -> rx.Component:
    return rx.el.div(
        rx.el.div(
            rx.el.strong(State.about),
            rx.el.button(
                "Ask about something else", type="button", class_name="text-link", on_click=State.choose_again
            ),
            class_name="asked-about",
        ),
        rx.cond(State.note != "", rx.el.p(icon("info", 18), rx.el.span(State.note), class_name="note warn")),
        rx.el.ul(rx.foreach(State.answers, _answer), class_name="answers"),
        class_name="stack",
    )


def _answer(answer: rx.Var[Answer]) -> rx.Component:
    sign = rx.cond(answer.allowed, icon("check", 18), icon("x", 18))
    return rx.el.li(
        rx.el.span(sign, class_name=rx.cond(answer.allowed, "sign yes", "sign no")),
        rx.el.div(
            rx.el.h3(answer.question),
            rx.el.p(answer.sentence),
            rx.cond(answer.because.length() > 0, _allowed_by(answer)),
            rx.cond(answer.missing != "", _missing(answer)),
            class_name="stack tight",
        ),
        key=answer.way,
    )


def _allowed_by(answer: rx.Var[Answer]) -> rx.Component:
    return rx.fragment(
        rx.el.p("“", answer.permission, "” comes with", class_name="quiet-text"),
        rx.el.ul(rx.foreach(answer.because, _because), class_name="reasons"),
    )


def _because(because: rx.Var[Because]) -> rx.Component:
    return rx.el.li(
        _role(because.role_id, because.role), " at ", because.where, key=because.role_id.to_string() + because.where
    )


def _missing(answer: rx.Var[Answer]) -> rx.Component:
    return rx.fragment(
        rx.el.p(
            "Missing: “",
            answer.missing,
            "”. ",
            rx.cond(answer.offers.length() > 0, "It would come with", "No role gives it there yet."),
            class_name="quiet-text",
        ),
        rx.el.ul(rx.foreach(answer.offers, _offer), class_name="reasons"),
    )


def _offer(offer: rx.Var[Offer]) -> rx.Component:
    return rx.el.li(
        _role(offer.role_id, offer.role),
        " at ",
        offer.where,
        rx.cond(offer.custom, tag("Custom", "quiet")),
        key=offer.role_id,
    )


def _role(role_id: rx.Var[int], name: rx.Var[str]) -> Any:
    """A link for those who manage roles."""
    there = link(name, to="/admin/roles/" + role_id.to_string(), class_name="text-link")
    return rx.cond((role_id > 0) & ShellState.admin.contains("roles"), there, rx.el.strong(name))
