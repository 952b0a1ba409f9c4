"""The district at a glance, for its admins."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.district import HeldRole, SchoolView, StaffView
from tp_inbox.web.components.basics import avatar, empty, skeleton
from tp_inbox.web.components.shell import shell
from tp_inbox.web.states.district_page import DistrictPage


def district() -> rx.Component:
    return shell(
        rx.cond(
            DistrictPage.loading,
            skeleton(8, "page"),
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
        rx.el.div(
            rx.el.table(
                rx.el.thead(
                    rx.el.tr(*[rx.el.th(t, scope="col") for t in ("Name", "Roles", "Personal number", "Account")])
                ),
                rx.el.tbody(rx.foreach(DistrictPage.staff, _person)),
                class_name="staff",
            ),
            class_name="table-scroll",
            tab_index=0,
            role="region",
            aria_label="Staff and their roles",
        ),
        class_name="page",
    )


def _school(school: rx.Var[SchoolView]) -> rx.Component:
    return rx.el.li(
        rx.el.h3(school.name),
        rx.el.p(rx.cond(school.number != "", school.number, "No number yet")),
        rx.el.p(
            school.students.to_string(), " students · ", school.staff.to_string(), " staff", class_name="quiet-text"
        ),
        class_name="card school",
    )


def _person(person: rx.Var[StaffView]) -> rx.Component:
    return rx.el.tr(
        rx.el.td(
            avatar(person.initials, person.hue),
            rx.el.span(
                rx.el.strong(person.name), rx.el.span(person.title, class_name="quiet-text"), class_name="two-lines"
            ),
            class_name="staff-name",
        ),
        rx.el.td(rx.el.ul(rx.foreach(person.roles, _role), class_name="roles")),
        rx.el.td(rx.cond(person.number != "", person.number, "–")),
        rx.el.td(rx.cond(person.active, person.email, "Disabled")),
        key=person.id.to_string(),
    )


def _role(held: rx.Var[HeldRole]) -> rx.Component:
    return rx.el.li(rx.el.span(held.role, class_name="role"), " ", rx.el.span(held.where, class_name="quiet-text"))
