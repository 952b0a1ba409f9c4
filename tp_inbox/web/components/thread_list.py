"""The list: its two tabs, and a line for each thread."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.views import ThreadRow
from tp_inbox.web.components.basics import avatar, badge, empty, icon, link, skeleton
from tp_inbox.web.components.scripted import Address, Moment
from tp_inbox.web.states.inbox import InboxState
from tp_inbox.web.states.shell import ShellState


def thread_list() -> rx.Component:
    return rx.el.section(
        rx.el.header(
            rx.el.div("Messages", class_name="list-title", aria_hidden="true"),
            rx.cond(
                ShellState.writes,
                link(
                    icon("square-pen"),
                    rx.el.span("New message"),
                    to="/messages/" + Address.box + "/new",
                    class_name="button primary new-message",
                ),
            ),
            class_name="list-head",
        ),
        _tabs(),
        rx.el.div(_lines(), class_name="list-scroll"),
        class_name="list",
        aria_label="Conversations",
        custom_attrs={"data-box": Address.box},
    )


def _tabs() -> rx.Component:
    return rx.el.nav(
        rx.cond(ShellState.tabs.personal, _tab("Personal messages", "personal", ShellState.tabs.personal_unread)),
        rx.cond(ShellState.tabs.school, _tab("School messages", "school", ShellState.tabs.school_unread)),
        class_name="tabs",
        aria_label="Inboxes",
    )


def _tab(label: str, box: str, unread: rx.Var[int]) -> rx.Component:
    return link(
        rx.el.span(label),
        badge(unread, "unread"),
        to=f"/messages/{box}",
        class_name="tab",
        custom_attrs={"aria-current": rx.cond(Address.box == box, "page", "false"), "data-box": box},
    )


def _lines() -> rx.Component:
    nothing = (InboxState.rows.length() == 0) & (InboxState.moved.length() == 0)
    return rx.cond(
        InboxState.loading | (InboxState.box != Address.box),
        skeleton(9, "list-skeleton"),
        rx.cond(
            nothing,
            empty("inbox", "No conversations yet", "Write to a family, and its answers come here."),
            rx.fragment(
                rx.el.ul(
                    rx.foreach(InboxState.moved, _line),
                    rx.foreach(
                        InboxState.rows,
                        lambda row: rx.cond(InboxState.moved_ids.contains(row.id), rx.fragment(), _line(row)),
                    ),
                    class_name="threads",
                ),
                rx.cond(
                    InboxState.older,
                    rx.el.button(
                        "Show older conversations",
                        type="button",
                        class_name="button quiet older",
                        on_click=InboxState.show_older,
                    ),
                ),
            ),
        ),
    )


def _line(row: rx.Var[ThreadRow]) -> rx.Component:
    return rx.el.li(
        link(
            avatar(row.initials, row.hue),
            rx.el.span(
                rx.el.span(
                    rx.el.span(row.title, class_name="line-title"),
                    Moment.create(at=row.at, form="list"),
                    class_name="line-top",
                ),
                rx.el.span(rx.el.span(row.about, class_name="line-about"), _school(row), class_name="line-middle"),
                rx.cond(row.through != "", rx.el.span(row.through, class_name="line-about through")),
                rx.el.span(
                    rx.el.span(_who(row), rx.el.bdi(row.preview, dir="auto"), class_name="line-preview"),
                    rx.cond(row.asks_stop, _asks_stop()),
                    badge(row.unread, "unread"),
                    class_name="line-bottom",
                ),
                class_name="line-text",
            ),
            to="/messages/" + row.box + "/" + row.id.to_string(),
            class_name=rx.cond(row.unread > 0, "line unread", "line"),
            custom_attrs={"aria-current": rx.cond(Address.thread == row.id, "page", "false")},
        ),
        key=row.id.to_string(),
    )


def _asks_stop() -> rx.Component:
    asks = "May mean: no more texts"
    return rx.el.span(
        icon("circle-help", 15), rx.el.span(asks, class_name="visually-hidden"), title=asks, class_name="line-asks"
    )


def _school(row: rx.Var[ThreadRow]) -> rx.Component:
    return rx.cond(
        ShellState.several_schools & (row.inbox_name != ""), rx.el.span(row.inbox_name, class_name="line-school")
    )


def _who(row: rx.Var[ThreadRow]) -> rx.Component:
    mine = row.author_id == ShellState.staff_id
    return rx.cond(
        row.draft,
        rx.el.span("Draft: ", class_name="line-draft"),
        rx.cond(row.outbound, rx.el.span(rx.cond(mine, "You: ", row.author + ": "), class_name="line-author")),
    )
