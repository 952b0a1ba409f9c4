"""The district at a glance, for its admins."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.district import HeldRole, SchoolView, StaffView
from tp_inbox.web.components.basics import avatar, empty, icon, skeleton
from tp_inbox.web.components.shell import shell
from tp_inbox.web.states.district_page import DistrictPage

NAME, ROLES, NUMBER, ACCOUNT = "Name", "Roles", "Personal number", "Account"


def district() -> rx.Component:
    return shell(
        rx.cond(
            DistrictPage.loading,
            skeleton(7, "page"),
            rx.cond(DistrictPage.refused != "", empty("lock", "Not available", DistrictPage.refused), _overview()),
        ),
        here="district",
    )


def _overview() -> rx.Component:
    return rx.el.div(
        rx.el.h1(DistrictPage.name),
        rx.el.h2("Schools"),
        rx.el.ul(rx.foreach(DistrictPage.schools, _school), class_name="schools"),
        rx.el.h2("Staff and their roles"),
        rx.el.div(_staff(), tab_index=0, role="region", aria_label="Staff and their roles", class_name="table-scroll"),
        class_name="page",
    )


def _school(school: rx.Var[SchoolView]) -> rx.Component:
    counts = school.students.to_string() + " students · " + school.staff.to_string() + " staff"
    return rx.el.li(
        rx.el.span(icon("school", 22), class_name="school-icon"),
        rx.el.div(
            rx.el.h3(school.name),
            rx.el.p(rx.cond(school.number != "", school.number, "No number yet")),
            rx.el.p(counts, class_name="quiet-text"),
        ),
        class_name="card school",
    )


def _staff() -> rx.Component:
    """A table; on a phone a card for each person. Its roles are named because a table shown as cards loses its own."""
    heads = [rx.el.th(words, scope="col", role="columnheader") for words in (NAME, ROLES, NUMBER, ACCOUNT)]
    return rx.el.table(
        rx.el.thead(rx.el.tr(*heads, role="row"), role="rowgroup"),
        rx.el.tbody(rx.foreach(DistrictPage.staff, _person), role="rowgroup"),
        role="table",
        class_name="staff",
    )


def _person(person: rx.Var[StaffView]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(_who(person), role="cell"),
        _cell(ROLES, rx.el.ul(rx.foreach(person.roles, _role), class_name="roles")),
        _cell(NUMBER, rx.cond(person.number != "", person.number, "–")),
        _cell(ACCOUNT, rx.cond(person.active, person.email, rx.el.span("Disabled", class_name="disabled"))),
        role="row",
        key=person.id.to_string(),
    )


def _who(person: rx.Var[StaffView]) -> rx.Component:
    return rx.el.div(
        avatar(person.initials, person.hue),
        rx.el.span(
            rx.el.strong(person.name), rx.el.span(person.title, class_name="quiet-text"), class_name="two-lines"
        ),
        class_name="staff-name",
    )


def _cell(label: str, content: rx.Component) -> rx.Component:
    return rx.el.td(content, role="cell", custom_attrs={"data-label": label})


def _role(held: rx.Var[HeldRole]) -> rx.Component:
    return rx.el.li(rx.el.span(held.role, class_name="role"), " ", rx.el.span(held.where, class_name="quiet-text"))
