"""The audit log: who did what, on whom, when, from where, before and after."""

from __future__ import annotations

from typing import Any

import reflex as rx

from tp_inbox.services.audit_log import Choice, LogLine
from tp_inbox.services.audit_sentences import GROUPS, Detail
from tp_inbox.web.components.basics import Anchor, empty, icon, icon_button
from tp_inbox.web.components.pages import admin_page, page_head, search_box
from tp_inbox.web.components.scripted import DayLine, Moment
from tp_inbox.web.states.audit_page import AuditPage, Chip

Log = AuditPage
ABOUT = "Who did what, when, and from where. Nothing here can be changed or deleted, and every entry is sealed."
ICONS = {
    "in": "log-in",
    "out": "log-out",
    "alarm": "triangle-alert",
    "key": "key-round",
    "shield": "shield-check",
    "shield_off": "shield-off",
    "link": "link-2",
    "unlink": "link-2-off",
    "mail": "mail",
    "person": "user-round",
    "person_off": "user-round-x",
    "person_on": "user-round-check",
    "hand_over": "arrow-right-left",
    "role": "badge-check",
    "given": "plus",
    "taken": "minus",
    "removed": "trash-2",
    "school": "school",
    "number": "phone",
    "eye": "eye",
    "file": "download",
    "eraser": "eraser",
    "stop": "message-square-off",
    "start": "message-square",
}
"""By the word that an entry brings."""


def audit() -> rx.Component:
    return admin_page(Log, "audit", rx.fragment(_head(), _toolbar(), _chips(), _entries(), _pager()))


def _head() -> rx.Component:
    download = Anchor.create(
        icon("download", 18), "Export", href=Log.file, class_name="button", custom_attrs={"download": ""}
    )
    return page_head(
        "Audit log",
        icon_button("refresh-cw", "Look again", on_click=Log.refresh),
        rx.cond(Log.file != "", download),
        about=ABOUT,
    )


# Narrowing -----------------------------------------------------------------------------------------------------


def _toolbar() -> rx.Component:
    groups = [rx.el.option("Everything", value="")]
    groups += [rx.el.option(label, value=group.value) for group, label in GROUPS.items()]
    schools = [rx.el.option("All schools", value=""), rx.foreach(Log.schools, _school)]
    chosen = rx.cond(Log.filters.school > 0, Log.filters.school.to_string(), "")
    return rx.fragment(
        rx.el.div(
            search_box("Search by a name, a role, or what was done", Log.filters.words, Log.search.debounce(300)),
            class_name="toolbar",
            key=Log.cleared,
        ),
        rx.el.div(
            _menu("About", groups, Log.filters.group, "group"),
            rx.cond(Log.schools.length() > 1, _menu("School", schools, chosen, "school")),
            _person(),
            _day("From", Log.filters.since, Log.begin),
            _day("To", Log.filters.until, Log.end),
            class_name="toolbar filters log-filters",
            role="group",
            aria_label="Show only",
        ),
    )


def _menu(label: str, options: list[Any], value: Any, what: str) -> rx.Component:
    return rx.el.select(
        *options,
        value=value,
        on_change=lambda chosen: Log.narrow(what, chosen),
        custom_attrs={"aria-label": label},
    )


def _school(choice: rx.Var[Choice]) -> rx.Component:
    return rx.el.option(choice.name, value=choice.id.to_string(), key=choice.id)


def _day(label: str, value: Any, chosen: Any) -> rx.Component:
    """``chosen``: a handler for each field, since a wait for one replaces the wait of the same handler for another."""
    field = rx.el.input(
        type="date",
        default_value=value,
        min="2020-01-01",
        max="2199-12-31",
        on_change=chosen.debounce(600),
    )
    return rx.el.label(label, field, class_name="day", key=f"{label} {Log.cleared}")


def _person() -> rx.Component:
    typed = rx.el.input(
        type="search",
        placeholder="Person",
        auto_complete="off",
        on_change=Log.look_for.debounce(200),
        custom_attrs={"aria-label": "Show only one person"},
    )
    return rx.el.div(
        icon("user-round", 16),
        typed,
        rx.cond(Log.looked_for != "", _people()),
        class_name="person-filter",
        key=f"{Log.cleared} {Log.filters.person}",
    )


def _people() -> rx.Component:
    nobody = rx.el.p("Nobody of this name.", class_name="quiet-text")
    return rx.el.div(
        rx.cond(Log.people.length() > 0, rx.foreach(Log.people, _one_of_them), nobody),
        role="group",
        aria_label="People of this name",
        aria_live="polite",
        class_name="offered",
    )


def _one_of_them(person: rx.Var[Choice]) -> rx.Component:
    choose = Log.narrow("person", person.id.to_string())
    return rx.el.button(person.name, type="button", on_click=choose, key=person.id)


def _chips() -> rx.Component:
    return rx.cond(
        Log.chips.length() > 0,
        rx.el.div(
            rx.foreach(Log.chips, _chip),
            rx.el.button("Clear all", type="button", class_name="text-link", on_click=Log.clear),
            class_name="chips",
        ),
    )


def _chip(chip: rx.Var[Chip]) -> rx.Component:
    return rx.el.button(
        chip.label,
        icon("x", 14),
        rx.el.span(", take this filter away", class_name="visually-hidden"),
        type="button",
        class_name="chip",
        on_click=Log.widen(chip.what),
        key=chip.what,
    )


# Entries -------------------------------------------------------------------------------------------------------


def _entries() -> rx.Component:
    narrowed = (Log.chips.length() > 0) | (Log.filters.words != "")
    nothing = rx.cond(
        Log.period_problem != "",
        empty("calendar-x", Log.period_problem, "Choose another day, or take one away."),
        rx.cond(
            narrowed,
            empty("search-x", "Nothing found", "Try another name, or take a filter away."),
            empty("scroll-text", "Nothing yet", "What people do here is written down from now on."),
        ),
    )
    lines = rx.el.ol(rx.foreach(Log.lines, _entry), class_name="log", aria_label="Entries, newest first")
    return rx.cond(Log.lines.length() > 0, lines, nothing)


def _entry(line: rx.Var[LogLine]) -> rx.Component:
    return rx.el.li(
        DayLine.create(at=line.at, before=line.above),
        rx.el.details(_summary(line), _more(line)),
        key=line.id,
    )


def _summary(line: rx.Var[LogLine]) -> rx.Component:
    drawn = [(word, icon(name, 18)) for word, name in ICONS.items()]
    return rx.el.summary(
        rx.el.span(rx.match(line.icon, *drawn, icon("circle", 18)), class_name="log-icon", data_kind=line.icon),
        rx.el.span(rx.el.strong(line.who), " ", line.sentence, class_name="log-words", dir="auto"),
        rx.el.span(line.address, class_name="log-address"),
        Moment.create(at=line.at, form="clock"),
        rx.el.span(icon("chevron-down", 16), class_name="log-turn"),
    )


def _more(line: rx.Var[LogLine]) -> rx.Component:
    return rx.el.div(
        rx.el.dl(
            _pair("When", Moment.create(at=line.at, form="full")),
            _pair("From where", line.address),
            rx.foreach(line.details, _detail),
            _pair("Entry", line.id.to_string()),
        ),
        rx.el.div(
            rx.cond(line.actor > 0, _only(line.who, line.actor)),
            rx.cond(line.about != "", _only(line.about, line.subject)),
            class_name="buttons",
        ),
        class_name="log-more",
    )


def _pair(name: str, value: Any) -> rx.Component:
    return rx.el.div(rx.el.dt(name), rx.el.dd(value))


def _detail(detail: rx.Var[Detail]) -> rx.Component:
    before = rx.fragment(
        rx.el.span("from ", class_name="visually-hidden"),
        rx.el.span(detail.was, class_name="was"),
        icon("arrow-right", 14),
        rx.el.span(" to ", class_name="visually-hidden"),
    )
    said = rx.el.dd(rx.cond(detail.was != "", before), rx.el.span(detail.now), dir="auto")
    return rx.el.div(rx.el.dt(detail.label), said, key=detail.label)


def _only(name: Any, staff_id: Any) -> rx.Component:
    return rx.el.button(
        icon("list-filter", 16),
        "All entries about ",
        name,
        type="button",
        class_name="button small",
        on_click=Log.narrow("person", staff_id.to_string()),
    )


def _pager() -> rx.Component:
    newer = rx.el.button(icon("chevron-left", 18), "Newer", type="button", class_name="button", on_click=Log.newer)
    older = rx.el.button("Older", icon("chevron-right", 18), type="button", class_name="button", on_click=Log.older)
    return rx.cond(
        Log.more | (Log.page_number > 1),
        rx.el.div(
            rx.el.span("Page ", Log.page_number, role="status"),
            rx.el.div(
                rx.cond(Log.page_number > 1, newer),
                rx.cond(Log.more, older),
                class_name="buttons",
            ),
            class_name="pager",
        ),
    )
