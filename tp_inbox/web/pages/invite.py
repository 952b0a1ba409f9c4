"""Inviting people, and the links to hand on."""

from __future__ import annotations

from typing import Any

import reflex as rx

from tp_inbox.services.account_links import FreshLink, NewcomerLine
from tp_inbox.services.assignments import PlaceChoice, RoleChoice
from tp_inbox.web.components.account import fresh_link
from tp_inbox.web.components.basics import link
from tp_inbox.web.components.pages import admin_page, field, page_head, tag
from tp_inbox.web.states.invite_page import InvitePage as I

SEVERAL = "Ana Ames, ana.ames@school.org, librarian\nBen Bell, ben.bell@school.org"


def invite() -> rx.Component:
    return admin_page(I, "staff", rx.fragment(_head(), rx.cond(I.links.length() > 0, _invited(), _inviting())))


def _head() -> rx.Component:
    about = "A person gets a link with which they choose a password. You hand it on yourself, in an e-mail for example."
    return page_head("Invite people", about=about, back=("Staff", "/admin/staff"))


def _inviting() -> rx.Component:
    return rx.el.div(
        rx.el.div(
            _way("One person", ~I.several, I.for_one),
            _way("Several people", I.several, I.for_several),
            class_name="ways",
            role="group",
            aria_label="How many people",
        ),
        rx.cond(I.several, _several(), _one()),
        class_name="stack invite",
    )


def _way(label: str, chosen: Any, on_click: Any) -> rx.Component:
    pressed = {"aria-pressed": rx.cond(chosen, "true", "false")}
    return rx.el.button(label, type="button", on_click=on_click, custom_attrs=pressed)


def _role_and_place() -> rx.Component:
    return rx.el.div(_role(), rx.cond(I.role_id > 0, _place()), class_name="side-by-side")


def _role() -> rx.Component:
    allows = rx.foreach(I.roles, lambda role: rx.cond(role.id == I.role_id, "Allows: " + role.allows + ".", ""))
    select = rx.el.select(
        rx.el.option("Choose a role", value="0"),
        rx.foreach(I.roles, _role_option),
        value=I.role_id.to_string(),
        on_change=lambda value: I.choose_role(value.to(int)),
    )
    return field("First role", select, rx.cond(I.role_id > 0, rx.el.span(allows), "More can be given later."))


def _role_option(role: rx.Var[RoleChoice]) -> rx.Component:
    return rx.el.option(role.name, value=role.id.to_string(), key=role.id)


def _place() -> rx.Component:
    return field(
        "Where",
        rx.el.select(
            rx.el.option("Choose where", value=""),
            rx.foreach(I.places, _place_option),
            value=I.place,
            on_change=I.choose_place,
        ),
    )


def _place_option(place: rx.Var[PlaceChoice]) -> rx.Component:
    return rx.el.option(place.name, value=place.key, key=place.key)


def _one() -> rx.Component:
    return rx.el.form(
        field("Name", rx.el.input(name="name", max_length=120, auto_complete="off", required=True)),
        field(
            "E-mail address",
            rx.el.input(name="email", type="email", max_length=254, auto_complete="off", required=True),
        ),
        field(
            "Title",
            rx.el.input(name="title", max_length=80, auto_complete="off"),
            "Families read it with the first personal message, for example “counselor”.",
        ),
        _role_and_place(),
        _problem(),
        rx.el.div(rx.el.button("Invite", type="submit", class_name="button primary"), class_name="buttons"),
        on_submit=I.invite,
        class_name="card form",
    )


def _problem() -> rx.Component:
    person = link("Open their page", to="/admin/staff/" + I.taken_id.to_string(), class_name="text-link")
    return rx.cond(
        I.problem != "",
        rx.el.p(I.problem, rx.cond(I.taken_id > 0, rx.fragment(" ", person)), role="alert", class_name="refused"),
    )


def _several() -> rx.Component:
    return rx.el.div(
        field(
            "People",
            rx.el.textarea(
                rows="7",
                placeholder=SEVERAL,
                on_change=lambda text: I.look(text.to(str)).debounce(300),
                spell_check=False,
                class_name="pasted",
            ),
            "A line for each: name, e-mail address, title. Lines copied from a spreadsheet work, too.",
        ),
        rx.cond(
            I.lines.length() > 0,
            rx.el.ul(rx.foreach(I.lines, _newcomer), class_name="lines", aria_label="People to be invited"),
        ),
        _role_and_place(),
        _problem(),
        rx.el.div(
            rx.el.button(
                _how_many(),
                type="button",
                class_name="button primary",
                disabled=I.invitable == 0,
                on_click=I.invite_several,
            ),
            class_name="buttons",
        ),
        class_name="card stack",
    )


def _how_many() -> Any:
    some = "Invite " + I.invitable.to_string() + " people"
    return rx.match(I.invitable, (0, "Invite"), (1, "Invite 1 person"), some)


def _newcomer(line: rx.Var[NewcomerLine], index: rx.Var[int]) -> rx.Component:
    who = rx.cond(line.title != "", line.email + " · " + line.title, line.email)
    return rx.el.li(
        rx.el.span(
            rx.el.strong(rx.cond(line.name != "", line.name, "No name")),
            rx.el.span(who, class_name="quiet-text"),
            rx.cond(line.problem != "", rx.el.span(line.problem, class_name="line-problem")),
            class_name="two-lines",
        ),
        rx.cond(line.problem == "", tag("Ready"), tag("Left out", "warn")),
        key=index,
    )


def _invited() -> rx.Component:
    one = I.links.length() == 1
    return rx.el.div(
        rx.el.section(
            rx.el.header(
                rx.el.h2(rx.cond(one, "1 person is invited", I.links.length().to_string() + " people are invited")),
                class_name="card-head",
            ),
            rx.el.p(
                "Hand the links on now: they are shown only here, and only this once. A new one can be made any time."
            ),
            rx.el.ul(rx.foreach(I.links, _handed_on), class_name="handed-on"),
            class_name="card",
        ),
        rx.el.div(
            link("To the staff list", to="/admin/staff", class_name="button primary"),
            rx.el.button("Invite more people", type="button", class_name="button", on_click=I.start_again),
            class_name="buttons",
        ),
        class_name="stack invite",
    )


def _handed_on(one: rx.Var[FreshLink]) -> rx.Component:
    return rx.el.li(
        rx.el.div(
            link(one.name, to="/admin/staff/" + one.staff_id.to_string(), class_name="text-link"),
            rx.el.span(one.email, class_name="quiet-text"),
            class_name="two-lines",
        ),
        fresh_link(one),
        key=one.staff_id,
    )
