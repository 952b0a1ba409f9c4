"""The list of oversight: what is looked for, and a line for each conversation, without a word of it."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.oversight import OverseenRow, SchoolChoice
from tp_inbox.web.components.basics import avatar, empty, icon, link, skeleton
from tp_inbox.web.components.pages import search_box
from tp_inbox.web.components.scripted import Address, Moment
from tp_inbox.web.states.oversight_page import OversightPage

PAUSE_MS = 250
"""So long nothing more has been typed."""
SEVERAL_SCHOOLS = OversightPage.schools.length() > 1


def overseen_list() -> rx.Component:
    return rx.el.section(
        rx.el.header(rx.el.div("Oversight", class_name="list-title", aria_hidden="true"), class_name="list-head"),
        _filters(),
        rx.el.div(_lines(), class_name="list-scroll"),
        class_name="list",
        aria_label="Conversations",
    )


def _filters() -> rx.Component:
    return rx.el.div(
        search_box("Family or number", OversightPage.family, OversightPage.find_family.debounce(PAUSE_MS)),
        search_box("Staff member", OversightPage.person, OversightPage.find_person.debounce(PAUSE_MS)),
        rx.cond(
            SEVERAL_SCHOOLS,
            rx.el.select(
                rx.el.option("All schools", value="0"),
                rx.foreach(OversightPage.schools, _school),
                value=OversightPage.school.to_string(),
                on_change=lambda value: OversightPage.choose_school(value.to(int)),
                aria_label="School",
            ),
        ),
        role="search",
        aria_label="Find conversations",
        class_name="list-filters",
    )


def _school(school: rx.Var[SchoolChoice]) -> rx.Component:
    return rx.el.option(school.name, value=school.id.to_string())


def _lines() -> rx.Component:
    return rx.cond(
        OversightPage.loading,
        skeleton(9, "list-skeleton"),
        rx.cond(
            OversightPage.rows.length() == 0,
            _nothing(),
            rx.fragment(
                rx.el.ul(rx.foreach(OversightPage.rows, _line), class_name="threads"),
                rx.cond(
                    OversightPage.older_rows,
                    rx.el.button(
                        "Show older conversations",
                        type="button",
                        class_name="button quiet older",
                        on_click=OversightPage.show_older_rows,
                    ),
                ),
            ),
        ),
    )


def _nothing() -> rx.Component:
    looked_for = (OversightPage.family != "") | (OversightPage.person != "") | (OversightPage.school > 0)
    return rx.cond(
        looked_for,
        empty("search-x", "Nothing found", "Try fewer letters, or leave a field empty."),
        empty("inbox", "No conversations yet", "What others write with families will be listed here."),
    )


def _line(row: rx.Var[OverseenRow]) -> rx.Component:
    return rx.el.li(
        link(
            avatar(row.initials, row.hue),
            rx.el.span(
                rx.el.span(
                    rx.el.span(row.title, class_name="line-title"),
                    Moment.create(at=row.at, form="list"),
                    class_name="line-top",
                ),
                rx.el.span(rx.el.span(row.about, class_name="line-about"), class_name="line-middle"),
                rx.el.span(_whose(row), class_name="line-bottom"),
                class_name="line-text",
            ),
            to="/oversight/" + row.id.to_string(),
            class_name="line",
            custom_attrs={"aria-current": rx.cond(Address.overseen == row.id, "page", "false")},
        ),
        key=row.id.to_string(),
    )


def _whose(row: rx.Var[OverseenRow]) -> rx.Component:
    through = rx.cond(
        SEVERAL_SCHOOLS & (row.through != ""), rx.el.span(row.through, title=row.through, class_name="line-school")
    )
    return rx.el.span(
        rx.cond(
            row.personal,
            rx.fragment(
                avatar(row.whose_initials, row.whose_hue),
                rx.el.span(rx.el.span("Conversation of ", class_name="visually-hidden"), row.whose, class_name="name"),
                through,
            ),
            rx.fragment(icon("school", 16), rx.el.span(row.whose + " inbox", class_name="name")),
        ),
        class_name="whose",
    )
