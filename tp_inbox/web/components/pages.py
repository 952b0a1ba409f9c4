"""Pieces of the pages beside that of messages: their frame, heads, tables and fields."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import reflex as rx

from tp_inbox.web.components.basics import avatar, empty, icon, link, skeleton
from tp_inbox.web.components.shell import shell
from tp_inbox.web.states.shell import ShellState

SECTIONS = (
    ("staff", "users", "Staff"),
    ("roles", "key-round", "Roles"),
    ("schools", "school", "Schools"),
    ("numbers", "phone", "Numbers"),
    ("audit", "scroll-text", "Audit log"),
)


def admin_page(state: Any, section: str, body: rx.Component) -> rx.Component:
    """A page of Admin: its sections, and below them what the state has loaded. ``state``: of kind ``Page``."""
    return shell(
        rx.el.div(_sections(section), loaded(state, body), class_name="page wide"),
        here="admin",
    )


def loaded(state: Any, body: rx.Component) -> rx.Component:
    """The body once it is there; a sentence where it may not be seen."""
    return rx.cond(
        state.loading,
        skeleton(7, "page-skeleton"),
        rx.cond(state.refused != "", empty("lock", "Not available", state.refused), body),
    )


def _sections(here: str) -> rx.Component:
    return rx.el.nav(
        *[
            rx.cond(ShellState.admin.contains(name), _section(name, i, label, name == here))
            for name, i, label in SECTIONS
        ],
        class_name="sections",
        aria_label="Admin",
    )


def _section(name: str, icon_name: str, label: str, here: bool) -> rx.Component:
    current = {"aria-current": "page"} if here else {}
    return link(icon(icon_name, 18), label, to=f"/admin/{name}", class_name="section", custom_attrs=current)


def page_head(
    title: Any, *actions: rx.Component, about: Any = None, back: tuple[str, str] | None = None
) -> rx.Component:
    """``back``: the name and the address of the page above."""
    up = link(icon("chevron-left", 18), back[0], to=back[1], class_name="back-link") if back else rx.fragment()
    words = [rx.el.h1(title), *([rx.el.p(about, class_name="quiet-text")] if about is not None else [])]
    return rx.el.header(
        up,
        rx.el.div(
            rx.el.div(*words, class_name="page-title"),
            rx.el.div(*actions, class_name="buttons") if actions else rx.fragment(),
            class_name="page-head-line",
        ),
        class_name="page-head",
    )


def table(label: str, heads: Sequence[str | rx.Component], rows: rx.Component, class_name: str = "") -> rx.Component:
    """A table; on a phone a card for each line. Its roles are named because a table shown as cards loses its own."""
    columns = [rx.el.th(head, scope="col", role="columnheader") for head in heads]
    return rx.el.div(
        rx.el.table(
            rx.el.thead(rx.el.tr(*columns, role="row"), role="rowgroup"),
            rx.el.tbody(rows, role="rowgroup"),
            role="table",
            class_name=f"table {class_name}",
        ),
        tab_index=0,
        role="region",
        aria_label=label,
        class_name="table-scroll",
    )


def row(*cells: rx.Component, key: Any) -> rx.Component:
    return rx.el.tr(*cells, role="row", key=key)


def cell(label: str, *content: Any) -> rx.Component:
    """``label``: the head of its column, which stands beside it where the table is shown as cards."""
    return rx.el.td(*content, role="cell", custom_attrs={"data-label": label})


def sortable(label: str, column: str, sorted_by: rx.Var[str], descending: rx.Var[bool], on_click: Any) -> rx.Component:
    """The head of a column that a click sorts by."""
    here = sorted_by == column
    arrow = rx.cond(here, rx.cond(descending, icon("arrow-down", 14), icon("arrow-up", 14)), icon("arrow-up-down", 14))
    said = rx.cond(here, rx.cond(descending, ", sorted descending", ", sorted ascending"), ", sort")
    return rx.el.button(
        label,
        arrow,
        rx.el.span(said, class_name="visually-hidden"),
        type="button",
        class_name="sort",
        on_click=on_click,
    )


def field(label: str, control: rx.Component, help_text: Any = None, problem: Any = None) -> rx.Component:
    """A labelled control with a line of help, and what is wrong with it."""
    return rx.el.div(
        rx.el.label(rx.el.span(label), control),
        rx.el.p(help_text, class_name="help") if help_text is not None else rx.fragment(),
        refused(problem) if problem is not None else rx.fragment(),
        class_name="field",
    )


def refused(problem: rx.Var[str]) -> rx.Component:
    """What is wrong, read aloud when it appears; nothing while nothing is."""
    return rx.cond(problem != "", rx.el.p(problem, role="alert", class_name="refused"))


def search_box(label: str, value: rx.Var[str], on_change: Any) -> rx.Component:
    return rx.el.label(
        icon("search", 18),
        rx.el.span(label, class_name="visually-hidden"),
        rx.el.input(type="search", placeholder=label, default_value=value, on_change=on_change),
        class_name="search-box",
    )


def tag(words: Any, kind: str = "") -> rx.Component:
    """A short word about a line. ``kind``: "", "quiet", "warn" or "bad"."""
    return rx.el.span(words, class_name=f"tag {kind}".strip())


def panel(title: Any, *content: Any, actions: Sequence[rx.Component] = ()) -> rx.Component:
    """A part of a page with a title of its own."""
    return rx.el.section(
        rx.el.header(rx.el.h2(title), rx.el.div(*actions, class_name="buttons"), class_name="card-head"),
        *content,
        class_name="card",
    )


def facts(*pairs: tuple[str, Any]) -> rx.Component:
    """Names and values of one thing."""
    lines = [rx.el.div(rx.el.dt(name), rx.el.dd(value)) for name, value in pairs]
    return rx.el.dl(*lines, class_name="facts")


def person_line(person: Any, about: Any, *more: rx.Component, key: Any) -> rx.Component:
    """A colleague in a list, with a link where ``person.address`` has one, and at the end whatever is to be said."""
    name = rx.cond(person.address != "", link(person.name, to=person.address, class_name="text-link"), person.name)
    words = rx.el.span(name, rx.el.span(about, class_name="quiet-text"), class_name="two-lines")
    face = avatar(person.initials, person.hue)
    return rx.el.li(rx.el.span(face, words, class_name="person-cell"), *more, key=key)


def dialog_buttons(*buttons: rx.Component) -> rx.Component:
    return rx.el.div(*buttons, class_name="dialog-buttons")
