"""The list of staff, and the page of one of them."""

from __future__ import annotations

from typing import Any

import reflex as rx

from tp_inbox.services.staff_directory import STATE_LABELS, Choice, SortBy, StaffMember, StaffRow, StaffState
from tp_inbox.web.components.account import account_panel
from tp_inbox.web.components.assigning import roles_panel
from tp_inbox.web.components.basics import avatar, empty, icon, link
from tp_inbox.web.components.pages import (
    admin_page,
    cell,
    facts,
    field,
    page_head,
    panel,
    refused,
    row,
    search_box,
    sortable,
    table,
    tag,
)
from tp_inbox.web.components.scripted import Dialog, Moment
from tp_inbox.web.components.second_step import second_step_panel
from tp_inbox.web.components.sessions import sessions_panel
from tp_inbox.web.components.why import why_panel
from tp_inbox.web.states.staff_pages import TWO_STEP, Chip, PersonPage, StaffListPage

List, Person = StaffListPage, PersonPage
SORTED_BY = {SortBy.NAME: "Sorted by name", SortBy.SEEN: "Sorted by last seen", SortBy.ADDED: "Sorted by day added"}


def staff() -> rx.Component:
    return admin_page(StaffListPage, "staff", rx.fragment(_head(), _toolbar(), _chips(), _people(), _pager()))


def _head() -> rx.Component:
    return page_head(
        "Staff",
        rx.cond(List.exports, _button("download", "Export", on_click=List.export)),
        _way("list-checks", "Roles for many people", "/admin/staff/bulk"),
        _way("user-plus", "Invite", "/admin/staff/new", "button primary"),
        about="Everybody who signs in: what they may do, where, and when they were last seen.",
    )


def _button(icon_name: str, label: str, class_name: str = "button", **props: Any) -> rx.Component:
    return rx.el.button(icon(icon_name, 18), label, type="button", class_name=class_name, **props)


def _way(icon_name: str, label: str, to: str, class_name: str = "button") -> rx.Component:
    return link(icon(icon_name, 18), label, to=to, class_name=class_name)


# The list ------------------------------------------------------------------------------------------------------


def _toolbar() -> rx.Component:
    order = [rx.el.option(label, value=by.value) for by, label in SORTED_BY.items()]
    return rx.fragment(
        rx.el.div(
            search_box("Search by name, e-mail or title", List.asked.words, List.search.debounce(200)),
            rx.el.div(class_name="space"),
            _menu("Sort", order, _sorted_by(), List.sort),
            _fold(),
            class_name="toolbar",
        ),
        rx.el.div(
            rx.cond(
                List.schools.length() > 1, _choices("School", "All schools", "school", List.asked.school, List.schools)
            ),
            rx.cond(List.groups.length() > 0, _choices("Group", "All groups", "group", List.asked.group, List.groups)),
            _choices("Role", "All roles", "role", List.asked.role, List.roles),
            _words("State", "All states", "state", List.asked.state, {s.value: STATE_LABELS[s] for s in StaffState}),
            _words("Two-step sign-in", "Two-step on or off", "two_step", List.asked.two_step, TWO_STEP),
            class_name=rx.cond(List.unfolded, "toolbar filters folding unfolded", "toolbar filters folding"),
            role="group",
            aria_label="Show only",
        ),
    )


def _fold() -> rx.Component:
    """On a small screen alone: what is searched for stands above the fold."""
    state = {"aria-expanded": rx.cond(List.unfolded, "true", "false")}
    return _button("list-filter", "Filters", "button fold", on_click=List.fold, custom_attrs=state)


def _choices(label: str, everything: str, what: str, chosen: Any, choices: Any) -> rx.Component:
    options = [rx.el.option(everything, value="0"), rx.foreach(choices, _option)]
    return _menu(label, options, chosen.to_string(), lambda value: List.narrow(what, value))


def _option(choice: rx.Var[Choice]) -> rx.Component:
    return rx.el.option(choice.name, value=choice.id.to_string(), key=choice.id)


def _words(label: str, everything: str, what: str, chosen: Any, words: dict[str, str]) -> rx.Component:
    options = [rx.el.option(everything, value="")] + [rx.el.option(said, value=word) for word, said in words.items()]
    return _menu(label, options, chosen, lambda value: List.narrow(what, value))


def _menu(label: str, options: list[Any], value: Any, on_change: Any) -> rx.Component:
    return rx.el.select(*options, value=value, on_change=on_change, custom_attrs={"aria-label": label})


def _chips() -> rx.Component:
    return rx.cond(
        List.chips.length() > 0,
        rx.el.div(
            rx.foreach(List.chips, _chip),
            rx.el.button("Clear all", type="button", class_name="text-link", on_click=List.clear),
            class_name="chips",
        ),
    )


def _chip(chip: rx.Var[Chip]) -> rx.Component:
    return rx.el.button(
        chip.label,
        icon("x", 14),
        type="button",
        class_name="chip",
        aria_label=chip.label + ", take this filter away",
        on_click=List.narrow(chip.what, ""),
        key=chip.what,
    )


def _people() -> rx.Component:
    asked = List.asked
    heads = [
        sortable("Name", SortBy.NAME.value, _sorted_by(), asked.descending, List.sort(SortBy.NAME.value)),
        "Roles",
        "Where",
        "Number",
        "State",
        "Two-step",
        sortable("Last seen", SortBy.SEEN.value, _sorted_by(), asked.descending, List.sort(SortBy.SEEN.value)),
    ]
    nobody = empty("search-x", "Nobody found", "Try another name, or take a filter away.")
    lines = rx.foreach(List.rows, _line)
    return rx.cond(List.rows.length() > 0, table("Staff", heads, lines, "staff-table"), nobody)


def _sorted_by() -> rx.Var[str]:
    return rx.cond(List.asked.sort == "", SortBy.NAME.value, List.asked.sort).to(str)


def _line(person: rx.Var[StaffRow]) -> rx.Component:
    return row(
        cell("Name", _who(person)),
        cell("Roles", _some(person.roles, person.more_roles, person.held)),
        cell("Where", _some(person.places, person.more_places, person.held)),
        cell("Number", rx.cond(person.number != "", rx.el.span(person.number, class_name="no-break"), _none())),
        cell("State", _state(person)),
        cell("Two-step", rx.cond(person.two_step, _two_step_on(), rx.el.span("Off", class_name="quiet-text"))),
        cell("Last seen", rx.cond(person.seen != "", Moment.create(at=person.seen, form="list"), _never())),
        key=person.id,
    )


def _who(person: rx.Var[StaffRow]) -> rx.Component:
    return rx.el.div(
        avatar(person.initials, person.hue),
        rx.el.div(
            link(person.name, to="/admin/staff/" + person.id.to_string(), class_name="text-link", title=person.email),
            rx.el.span(rx.cond(person.title != "", person.title, person.email), class_name="quiet-text"),
            class_name="two-lines",
        ),
        class_name="person-cell",
    )


def _some(words: Any, more: Any, all_of_them: Any) -> rx.Component:
    return rx.el.div(
        rx.foreach(words, lambda word: rx.el.span(word, key=word)),
        rx.cond(more > 0, rx.el.span("+ ", more, " more", class_name="quiet-text")),
        title=all_of_them,
        class_name="stacked",
    )


def _state(person: Any) -> Any:
    return rx.match(
        person.state,
        (StaffState.ACTIVE.value, tag(person.state_label)),
        (StaffState.EXPIRED.value, tag(person.state_label, "warn")),
        (StaffState.DEACTIVATED.value, tag(person.state_label, "bad")),
        tag(person.state_label, "quiet"),
    )


def _two_step_on() -> rx.Component:
    return rx.el.span(icon("shield-check", 16), "On", class_name="with-icon")


def _none() -> rx.Component:
    return rx.el.span("None", class_name="quiet-text")


def _never() -> rx.Component:
    return rx.el.span("Never", class_name="quiet-text")


def _pager() -> rx.Component:
    last = List.first + List.rows.length() - 1
    turning = rx.el.div(
        _button("chevron-left", "Previous", on_click=List.previous_page, disabled=List.first <= 1),
        _button("chevron-right", "Next", on_click=List.next_page, disabled=~List.more),
        class_name="buttons",
    )
    return rx.cond(
        List.rows.length() > 0,
        rx.el.div(
            rx.el.span(List.first, "–", last, " of ", List.total, role="status"),
            rx.cond((List.first > 1) | List.more, turning),
            class_name="pager",
        ),
    )


# A person --------------------------------------------------------------------------------------------------------


def person() -> rx.Component:
    return admin_page(PersonPage, "staff", rx.cond(Person.person, _person(Person.person)))


def _person(who: Any) -> rx.Component:
    return rx.fragment(
        _person_head(who),
        rx.el.div(
            rx.el.div(roles_panel(Person.look_again), why_panel(who.name)),
            rx.el.div(
                account_panel(_times(who), Person.look_again),
                _personal(who),
                second_step_panel(),
                sessions_panel(),
            ),
            class_name="columns",
        ),
        _renaming(who),
    )


def _person_head(who: rx.Var[StaffMember]) -> rx.Component:
    change = _button("pencil", "Edit", on_click=Person.rename, aria_label="Edit " + who.name)
    return rx.el.header(
        link(icon("chevron-left", 18), "Staff", to="/admin/staff", class_name="back-link"),
        rx.el.div(
            rx.el.div(
                avatar(who.initials, who.hue),
                rx.el.div(
                    rx.el.div(rx.el.h1(who.name), _state(who), class_name="title-line"),
                    rx.el.p(
                        rx.cond(who.title != "", who.title + " · ", ""), who.email, class_name="quiet-text whole-words"
                    ),
                    class_name="page-title",
                ),
                class_name="person-head",
            ),
            rx.cond(who.refusal == "", rx.el.div(change, class_name="buttons")),
            class_name="page-head-line",
        ),
        rx.cond(who.refusal != "", rx.el.p(icon("info", 18), rx.el.span(who.refusal), class_name="note")),
        class_name="page-head",
    )


def _times(who: rx.Var[StaffMember]) -> rx.Component:
    return facts(
        ("Last seen", rx.cond(who.seen != "", Moment.create(at=who.seen, form="list"), "Never")),
        ("Added", Moment.create(at=who.added, form="day")),
    )


def _personal(who: rx.Var[StaffMember]) -> rx.Component:
    return panel(
        "Personal messages",
        facts(
            ("Number", rx.cond(who.number != "", who.number, "None")),
            (
                "State",
                rx.cond(who.has_personal | (who.number != ""), who.number_state, "Not needed for these roles"),
            ),
            (
                "Signature",
                rx.cond(who.signature != "", rx.el.span(who.signature, dir="auto", class_name="as-written"), "None"),
            ),
        ),
        rx.cond(who.number_problem != "", rx.el.p(who.number_problem, class_name="note warn")),
        rx.el.p("Only the person changes the signature, under Settings.", class_name="help-line"),
    )


def _renaming(who: rx.Var[StaffMember]) -> rx.Component:
    return Dialog.create(
        rx.el.form(
            field("Name", rx.el.input(name="name", default_value=who.name, max_length=120, required=True)),
            field(
                "Title",
                rx.el.input(name="title", default_value=who.title, max_length=80),
                "Families read it with the first personal message, for example “counselor”.",
            ),
            refused(Person.problem),
            rx.el.div(
                rx.el.button("Cancel", type="button", class_name="button", on_click=Person.keep_name),
                rx.el.button("Save", type="submit", class_name="button primary"),
                class_name="dialog-buttons",
            ),
            on_submit=Person.save_name,
            class_name="form",
        ),
        open=Person.renaming,
        title="Change name and title",
        on_close=Person.keep_name,
    )
