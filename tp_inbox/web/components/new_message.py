"""Choosing a family to write to."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.views import RecipientView, SenderChoice
from tp_inbox.web.components.basics import avatar, empty, icon, icon_button, link
from tp_inbox.web.components.scripted import Address
from tp_inbox.web.states.new_message import NewMessageState


def new_message() -> rx.Component:
    return rx.el.section(
        rx.el.header(
            link(
                icon("chevron-left", 24),
                to="/messages/" + Address.box,
                class_name="icon-button back",
                aria_label="Back to the list",
            ),
            rx.el.h2("New message"),
            class_name="thread-head",
        ),
        rx.cond(NewMessageState.chosen, _choose_sender(), _search()),
        class_name="thread new",
        aria_label="New message",
        custom_attrs={"data-box": Address.box},
    )


def _search() -> rx.Component:
    return rx.el.div(
        rx.el.label(
            rx.el.span("To", class_name="from-label"),
            rx.el.input(
                id="recipient",
                type="search",
                placeholder="Family, student, or phone number",
                auto_focus=True,
                auto_complete="off",
                on_change=NewMessageState.search.debounce(150),
                custom_attrs={"aria-label": "Find a family, a student, or a phone number"},
            ),
            class_name="search",
        ),
        rx.el.div(
            rx.cond(
                NewMessageState.found.length() > 0,
                rx.el.ul(rx.foreach(NewMessageState.found, _recipient), class_name="recipients"),
                rx.cond(
                    NewMessageState.searched,
                    empty("search-x", "Nobody found", "Try another name, a student's name, or part of a number."),
                    empty(
                        "users",
                        "Whom do you want to write to?",
                        "Search by the name of a family or student, or by number.",
                    ),
                ),
            ),
            class_name="list-scroll",
        ),
        class_name="finder",
    )


def _recipient(person: rx.Var[RecipientView]) -> rx.Component:
    face = (avatar(person.initials, person.hue), _words(person))
    reachable = rx.el.button(*face, type="button", class_name="line", on_click=NewMessageState.choose(person.phone_id))
    out_of_reach = rx.el.div(*face, class_name="line out-of-reach")
    return rx.el.li(rx.cond(person.unreachable == "", reachable, out_of_reach), key=person.key)


def _words(person: rx.Var[RecipientView]) -> rx.Component:
    return rx.el.span(
        rx.el.span(person.name, class_name="line-title"),
        rx.el.span(person.about, class_name="line-about"),
        rx.cond(person.through != "", rx.el.span(person.through, class_name="line-about through")),
        rx.cond(person.phone != "", rx.el.span(person.phone, class_name="line-about")),
        rx.cond(
            person.unsubscribed, rx.el.span("Unsubscribed: texts to this family are stopped", class_name="unreachable")
        ),
        rx.cond(person.unreachable != "", rx.el.span(person.unreachable, class_name="unreachable")),
        rx.cond(person.instead.length() > 0, _instead(person)),
        class_name="line-text",
    )


def _instead(person: rx.Var[RecipientView]) -> rx.Component:
    """The family of somebody out of reach; a click finds them."""
    return rx.el.span(
        rx.el.span("Write instead to", class_name="line-about"),
        rx.foreach(person.instead, _one_instead),
        class_name="instead",
    )


def _one_instead(name: rx.Var[str]) -> rx.Component:
    return rx.el.button(
        name,
        type="button",
        class_name="button small",
        on_click=[rx.set_value("recipient", name), NewMessageState.search(name)],
    )


def _choose_sender() -> rx.Component:
    chosen = NewMessageState.chosen
    return rx.el.div(
        rx.el.div(
            avatar(chosen.initials, chosen.hue),
            rx.el.span(
                rx.el.strong(chosen.name), rx.el.span(chosen.phone, class_name="line-about"), class_name="line-text"
            ),
            icon_button("x", "Choose somebody else", on_click=NewMessageState.back),
            class_name="chosen",
        ),
        rx.el.h3("From"),
        rx.el.ul(rx.foreach(NewMessageState.senders, _sender), class_name="senders"),
        class_name="finder",
    )


def _sender(choice: rx.Var[SenderChoice]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            rx.el.strong(choice.label),
            rx.el.span(choice.audience),
            rx.cond(choice.stopped, rx.el.span("The family has stopped texts from here.", class_name="unreachable")),
            type="button",
            class_name="sender",
            on_click=NewMessageState.choose_sender(choice.inbox_id),
        ),
        key=choice.inbox_id.to_string(),
    )
