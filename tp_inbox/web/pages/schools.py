"""Schools and their groups under Admin."""

from __future__ import annotations

from typing import Any

import reflex as rx

from tp_inbox.domain.schools import US_ZONES, other_zones, zone_label
from tp_inbox.services.schools import GroupRef, NumberView, ReaderView, SchoolLine
from tp_inbox.web.components.basics import empty, icon, link
from tp_inbox.web.components.pages import (
    admin_page,
    cell,
    facts,
    field,
    page_head,
    panel,
    person_line,
    refused,
    row,
    search_box,
    table,
    tag,
)
from tp_inbox.web.components.scripted import ZoneClock
from tp_inbox.web.pages.groups import group, group_file, groups
from tp_inbox.web.states.schools_page import SchoolsPage, SchoolState

School = SchoolState.school
ABOUT = "Each school has its own shared inbox, its own number, and its own clock."
NO_DELETING = (
    "A school cannot be deleted: students, conversations and records belong to it, and have to stay readable. "
    "Rename it instead, and take away the roles that are held there."
)


def schools() -> rx.Component:
    return admin_page(
        SchoolsPage,
        "schools",
        rx.match(
            SchoolsPage.view,
            ("school", _school()),
            ("groups", rx.fragment(_tabs("groups"), groups())),
            ("group", group()),
            ("file", group_file()),
            rx.fragment(_tabs("schools"), _schools()),
        ),
    )


def _tabs(here: str) -> rx.Component:
    return rx.el.nav(
        _tab("Schools", "/admin/schools", here == "schools"),
        _tab("Groups", "/admin/schools/groups", here == "groups"),
        class_name="page-tabs",
        aria_label="Schools and groups",
    )


def _tab(label: str, to: str, here: bool) -> rx.Component:
    return link(label, to=to, class_name="page-tab", custom_attrs={"aria-current": "page"} if here else {})


# The list ------------------------------------------------------------------------------------------------------


def _schools() -> rx.Component:
    return rx.fragment(
        page_head("Schools", _add_school(), about=ABOUT),
        rx.cond(
            SchoolsPage.schools.length() > 0,
            rx.fragment(
                rx.el.div(
                    search_box("Search by name", SchoolsPage.words, SchoolsPage.search.debounce(100)),
                    class_name="toolbar",
                ),
                rx.cond(SchoolsPage.nothing_found, empty("search-x", "No school found", "Try another name."), _table()),
            ),
            empty("school", "No schools yet", "Add the first one: it gets its shared inbox at once.", _add_school()),
        ),
    )


def _add_school() -> rx.Component:
    return link(icon("plus", 18), "New school", to="/admin/schools/new", class_name="button primary")


def _table() -> rx.Component:
    heads = ["Name", "Time zone", "Area code", "Number", "Students", "Staff", "Groups"]
    found = rx.foreach(
        SchoolsPage.schools, lambda school: rx.cond(school.name.lower().contains(SchoolsPage.words), _line(school))
    )
    return table("Schools", heads, found, "schools-table")


def _line(school: rx.Var[SchoolLine]) -> rx.Component:
    return row(
        cell("Name", link(school.name, to="/admin/schools/" + school.id.to_string(), class_name="text-link")),
        cell("Time zone", _zone(school)),
        cell("Area code", school.area_code),
        cell("Number", _number(school.number)),
        cell("Students", school.students.to_string()),
        cell("Staff", school.staff.to_string()),
        cell("Groups", rx.cond(school.groups.length() > 0, _names(school.groups), _none())),
        key=school.id,
    )


def _zone(school: rx.Var[SchoolLine]) -> rx.Component:
    return rx.el.span(
        rx.el.span(school.zone),
        rx.el.span(ZoneClock.create(zone=school.time_zone), " now", class_name="quiet-text"),
        class_name="stacked",
    )


def _number(number: rx.Var[NumberView]) -> rx.Component:
    return rx.el.span(
        rx.cond(number.number != "", rx.el.span(number.number, class_name="no-break")),
        rx.el.span(_state(number)),
        class_name="stacked",
    )


def _state(number: rx.Var[NumberView]) -> rx.Component:
    return rx.fragment(
        rx.match(
            number.kind,
            ("ok", tag(number.said)),
            ("wait", tag(number.said, "warn")),
            ("bad", tag(number.said, "bad")),
            tag(number.said, "quiet"),
        )
    )


def _names(names: rx.Var[list[str]]) -> rx.Component:
    return rx.el.span(rx.foreach(names, lambda name: tag(name, "quiet")), class_name="tags")


def _none() -> rx.Component:
    return rx.el.span("None", class_name="quiet-text")


# One school ----------------------------------------------------------------------------------------------------


def _school() -> rx.Component:
    fresh = School.id == 0
    return rx.fragment(
        page_head(
            rx.cond(fresh, "New school", School.fields.name),
            about=rx.cond(
                fresh, "It gets its shared inbox at once, and a number when somebody first writes from it.", ""
            ),
            back=("Schools", "/admin/schools"),
        ),
        rx.cond(
            fresh,
            _form("Create school"),
            rx.el.div(
                rx.el.div(_form("Save"), _readers()),
                rx.el.div(_number_panel(), _figures(), rx.el.p(icon("archive", 18), NO_DELETING, class_name="note")),
                class_name="columns",
            ),
        ),
    )


def _form(label: str) -> rx.Component:
    return panel(
        "About the school",
        rx.el.form(
            field("Name", rx.el.input(name="name", default_value=School.fields.name, max_length=80, required=True)),
            field("Time zone", _zones(), rx.el.span("It is ", ZoneClock.create(zone=SchoolState.zone), " there now.")),
            field(
                "Area code", _area_code(), "Three digits, like 312. It decides only where future numbers are bought."
            ),
            field("Office phone", _office_phone(), "Families who call a texting number are put through to it."),
            refused(SchoolState.problem),
            rx.el.div(rx.el.button(label, type="submit", class_name="button primary"), class_name="buttons"),
            on_submit=SchoolState.save,
            class_name="form",
            key=SchoolState.version,
        ),
    )


def _area_code() -> rx.Component:
    return rx.el.input(
        name="area_code",
        default_value=School.fields.area_code,
        input_mode="numeric",
        auto_complete="off",
        max_length=8,
        required=True,
        class_name="short",
    )


def _office_phone() -> rx.Component:
    return rx.el.input(
        name="office_phone", type="tel", default_value=SchoolState.office, auto_complete="off", max_length=30
    )


def _zones() -> rx.Component:
    """The usual ones first. The other list is long, so it is written once, and not as components."""
    others = rx.Var.create([{"zone": zone, "label": zone_label(zone)} for zone in other_zones()])
    usual = [rx.el.option(f"{label} – {zone}", value=zone) for zone, label in US_ZONES.items()]
    return rx.el.select(
        rx.el.optgroup(*usual, label="United States"),
        rx.el.optgroup(rx.foreach(others, _other_zone), label="Everywhere"),
        name="time_zone",
        value=SchoolState.zone,
        on_change=SchoolState.pick_zone,
        required=True,
    )


def _other_zone(zone: Any) -> rx.Component:
    return rx.el.option(zone["label"], value=zone["zone"], key=zone["zone"])


def _number_panel() -> rx.Component:
    number = School.number
    get_one = rx.el.button("Get a number now", type="button", class_name="button", on_click=SchoolState.get_number)
    again = rx.el.button("Use it again", type="button", class_name="button", on_click=SchoolState.mend_number)
    return panel(
        "Number",
        rx.el.div(
            rx.cond(number.number != "", rx.el.strong(number.number, class_name="big-number")),
            rx.el.div(_state(number)),
            rx.cond(number.advice != "", rx.el.p(number.advice, class_name="note warn")),
            rx.cond(
                number.kind == "",
                rx.fragment(
                    rx.el.p(
                        "It is bought when somebody first writes on behalf of the school.", class_name="quiet-text"
                    ),
                    rx.el.div(get_one, class_name="buttons"),
                ),
            ),
            rx.cond(
                number.kind == "bad",
                rx.fragment(
                    rx.el.p(
                        "Nothing leaves from it until the cause is mended at the carrier.", class_name="quiet-text"
                    ),
                    rx.el.div(again, class_name="buttons"),
                ),
            ),
            refused(SchoolState.number_problem),
            class_name="stack",
        ),
    )


def _figures() -> rx.Component:
    return panel(
        "Belonging to it",
        facts(
            ("Students", School.students.to_string()),
            ("Staff with a role there", School.staff.to_string()),
            ("Groups", rx.cond(School.groups.length() > 0, _group_links(), "None")),
        ),
    )


def _group_links() -> rx.Component:
    return rx.el.span(rx.foreach(School.groups, _group_link), class_name="tags")


def _group_link(ref: rx.Var[GroupRef]) -> rx.Component:
    return link(ref.name, to="/admin/schools/groups/" + ref.id.to_string(), class_name="text-link", key=ref.id)


def _readers() -> rx.Component:
    return panel(
        "Who may see the inbox",
        rx.cond(
            School.readers.length() > 0,
            rx.el.ul(rx.foreach(School.readers, _reader), class_name="lines"),
            rx.el.p(
                "Nobody can see it yet. Give somebody a role with “View the school inbox” here.",
                class_name="quiet-text",
            ),
        ),
    )


def _reader(person: rx.Var[ReaderView]) -> rx.Component:
    more = rx.cond(person.writes, tag("Reads and writes"), tag("Reads", "quiet"))
    return person_line(person, person.title, more, key=person.id)
