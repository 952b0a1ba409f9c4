"""Giving a role to many people, or taking it from them."""

from __future__ import annotations

from typing import Any

import reflex as rx

from tp_inbox.services.assignments import RoleChoice
from tp_inbox.web.components.assigning import place_choices
from tp_inbox.web.components.basics import icon
from tp_inbox.web.components.pages import admin_page, cell, field, page_head, panel, row, table, tag
from tp_inbox.web.components.scripted import TableFile
from tp_inbox.web.states.bulk_page import RESULT, TAKING, BulkPage as B, Count, LineView

SAMPLE = "alex.kim@school.org, Sam Ortiz <sam.ortiz@school.org>\ndana.lee@school.org"


def bulk() -> rx.Component:
    return admin_page(
        B,
        "staff",
        rx.el.div(
            _head(),
            rx.el.div(_what(), _who(), class_name="bulk-columns"),
            rx.cond(B.checked, _result()),
            class_name="stack bulk",
        ),
    )


def _head() -> rx.Component:
    return page_head(
        "Roles for many people",
        about="Give a role to a whole list of people, or take it from them. Nothing changes before you have seen, "
        "line by line, what would happen.",
        back=("Staff", "/admin/staff"),
    )


def _what() -> rx.Component:
    return panel(
        "What",
        rx.el.div(
            rx.el.div(
                _mode("give", "Give a role", ~B.taking), _mode(TAKING, "Take a role away", B.taking), class_name="modes"
            ),
            field(
                "Role",
                rx.el.select(
                    rx.el.option("Choose a role", value="0"),
                    rx.foreach(B.roles, _role),
                    value=B.role_id.to_string(),
                    on_change=lambda value: B.choose_role(value.to(int)),
                ),
                rx.cond(B.allows != "", "Allows: " + B.allows + ".", "A file may also name a role on each line."),
            ),
            rx.cond(
                B.places.length() > 0,
                place_choices(B.shown_places, B.chosen, B.choose_place, B.has_many_places, B.find_place, B.role_id),
            ),
            class_name="stack",
        ),
    )


def _mode(mode: str, label: str, chosen: rx.Var[bool]) -> rx.Component:
    return rx.el.label(
        rx.el.input(
            type="radio",
            name="mode",
            value=mode,
            default_checked=chosen,
            on_change=lambda _: B.choose_mode(mode),
            key=B.files,
        ),
        rx.el.strong(label),
        class_name="choice",
    )


def _role(role: rx.Var[RoleChoice]) -> rx.Component:
    return rx.el.option(role.name, value=role.id.to_string(), key=role.id)


def _who() -> rx.Component:
    return panel(
        "Who",
        rx.el.div(
            field(
                "E-mail addresses",
                rx.el.textarea(
                    rows="7",
                    placeholder=SAMPLE,
                    default_value=B.from_file,
                    on_blur=lambda text: B.write(text.to(str)),
                    spell_check=False,
                    class_name="list-box",
                    key=B.files,
                ),
                "Separated by commas or lines. A file (CSV) needs a first line that names its columns: e-mail and, "
                "where lines differ, role and school or group.",
                B.problem,
            ),
            rx.el.div(
                rx.el.button(
                    "Check the list",
                    type="button",
                    class_name="button primary",
                    on_click=[B.check, rx.scroll_to(RESULT)],
                ),
                TableFile.create(
                    label="Choose a CSV file",
                    accept=".csv,.tsv,.txt,text/csv",
                    on_read=lambda text: B.read_file(text.to(str)),
                ),
                class_name="buttons",
            ),
            class_name="stack",
        ),
    )


# What would happen, and what has happened ------------------------------------------------------------------------


def _result() -> rx.Component:
    return rx.el.section(
        rx.el.header(
            rx.el.h2(rx.cond(B.done, "What was done", "What would happen")),
            rx.el.div(_download(), _apply(), class_name="buttons"),
            class_name="card-head",
        ),
        rx.el.div(_notice(), role="status"),
        rx.el.div(
            rx.foreach(B.counts, _count), class_name="counts", role="group", aria_label="Show only lines of one kind"
        ),
        table("Lines", ["Person", "Line", "Role", "Where", "Result"], rx.foreach(B.lines, _line), "bulk-table"),
        rx.cond(B.pages > 1, _pager()),
        class_name="card bulk-result",
        id=RESULT,
        tab_index=-1,
        aria_label="Result",
    )


def _notice() -> rx.Component:
    nothing = _note("Nothing would change.", "")
    ready = rx.cond(B.to_do == 0, nothing, rx.cond(B.problems > 0, _note(_SOME, "warn"), rx.fragment()))
    changed = _note(
        "Something has changed since you checked the list, so nothing was done. See the marked lines.", "warn"
    )
    return rx.cond(
        B.done,
        _note(
            "Done: " + _roles() + rx.cond(B.taking, " taken away", " given") + ". Open browsers show it already.", ""
        ),
        rx.cond(B.changed, changed, ready),
    )


_SOME = "Lines with a problem are left out. You can download them, put them right, and bring them again."


def _note(words: Any, kind: str) -> rx.Component:
    return rx.el.p(icon("info", 16), rx.el.span(words), class_name=f"note {kind}".strip())


def _download() -> rx.Component:
    return rx.cond(
        B.problems > 0,
        rx.el.button(
            icon("download", 18), "Download problems", type="button", class_name="button", on_click=B.download_problems
        ),
    )


def _apply() -> rx.Component:
    words = rx.cond(B.taking, "Take away ", "Give ") + _roles()
    again = rx.el.button("Start another list", type="button", class_name="button primary", on_click=B.start_again)
    apply = rx.el.button(words, type="button", class_name="button primary", on_click=B.apply)
    return rx.cond(B.done, again, rx.cond(B.to_do > 0, apply))


def _roles() -> rx.Var[str]:
    return B.to_do.to_string() + rx.cond(B.to_do == 1, " role", " roles")


def _count(count: rx.Var[Count]) -> rx.Component:
    return rx.el.button(
        rx.el.strong(count.lines),
        count.label,
        type="button",
        class_name="count " + count.kind,
        on_click=B.show_only(count.outcome),
        custom_attrs={"aria-pressed": rx.cond(B.only == count.outcome, "true", "false")},
        key=count.outcome,
    )


def _line(line: rx.Var[LineView]) -> rx.Component:
    who = rx.el.span(
        rx.cond(line.person != "", rx.el.strong(line.person)),
        rx.el.span(line.email, class_name=rx.cond(line.person != "", "quiet-text", "")),
        class_name="two-lines",
    )
    return row(
        cell("Person", who),
        cell("Line", line.number),
        cell("Role", line.role),
        cell("Where", line.place),
        cell("Result", _outcome(line)),
        key=line.key,
    )


def _outcome(line: rx.Var[LineView]) -> rx.Component:
    return rx.el.span(
        rx.el.span(
            rx.match(line.kind, ("bad", tag(line.label, "bad")), ("quiet", tag(line.label, "quiet")), tag(line.label)),
            rx.cond(line.changed, tag("Changed", "warn")),
            class_name="tags",
        ),
        rx.cond(line.sentence != "", rx.el.span(line.sentence, class_name="quiet-text")),
        rx.cond(
            line.nearest != "", rx.el.span("Did you mean ", rx.el.strong(line.nearest), "?", class_name="quiet-text")
        ),
        class_name="two-lines outcome",
    )


def _pager() -> rx.Component:
    return rx.el.div(
        rx.el.button("Previous", type="button", class_name="button small", disabled=B.page == 0, on_click=B.turn(-1)),
        rx.el.span("Page " + (B.page + 1).to_string() + " of " + B.pages.to_string()),
        rx.el.button(
            "Next", type="button", class_name="button small", disabled=B.page + 1 >= B.pages, on_click=B.turn(1)
        ),
        class_name="pager",
    )
