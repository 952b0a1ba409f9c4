"""An open thread: its head, the bubbles, and the composer."""

from __future__ import annotations

import reflex as rx
from reflex_components_core.core.banner import has_connection_errors

from tp_inbox.services.views import MessageRow, SenderChoice, StatusView
from tp_inbox.web.components.basics import avatar, empty, icon, link, on_its_way
from tp_inbox.web.components.bubbles import message, status_line
from tp_inbox.web.components.consent import stop_question
from tp_inbox.web.components.family_panel import family_button
from tp_inbox.web.components.oversight_readings import read_by_line
from tp_inbox.web.components.scripted import Address, Composer, Timeline
from tp_inbox.web.states.composer import ComposerState
from tp_inbox.web.states.shell import ShellState
from tp_inbox.web.states.thread import ThreadState

HEAD = ThreadState.head
NAMED = HEAD.box == "school"
"""Several people write here, so that each group of bubbles says who."""
ROOM = 40
"""Characters left in a text from which on they are counted aloud."""


def thread_view() -> rx.Component:
    return rx.el.section(
        rx.cond(
            HEAD.id > 0,
            rx.fragment(_head(), read_by_line(), _timeline(), _composer()),
            rx.cond(
                ThreadState.missing != "",
                empty("lock", "Not available", ThreadState.missing, _back_to_list()),
                rx.cond(
                    Address.opened | ~ShellState.ready,
                    rx.fragment(),
                    empty("messages-square", "Choose a conversation", "Or write to a family with New message."),
                ),
            ),
        ),
        rx.cond((Address.thread != HEAD.id) & (Address.thread > 0) & (ThreadState.missing == ""), on_its_way()),
        class_name="thread",
        aria_label="Conversation",
        custom_attrs={"data-box": Address.box},
    )


def _head() -> rx.Component:
    return rx.el.header(
        link(
            icon("chevron-left", 24),
            to="/messages/" + HEAD.box,
            class_name="icon-button back",
            aria_label="Back to the list",
        ),
        avatar(HEAD.initials, HEAD.hue),
        rx.el.div(
            rx.el.h2(HEAD.title),
            rx.el.p(
                HEAD.about,
                rx.cond(HEAD.title != HEAD.phone, rx.el.span(" · " + HEAD.phone, class_name="thread-number")),
            ),
            rx.cond(HEAD.through != "", rx.el.p(HEAD.through, class_name="through")),
            class_name="thread-title",
        ),
        family_button(ThreadState.family_shown, ThreadState.toggle_family),
        class_name="thread-head",
    )


def _back_to_list() -> rx.Component:
    return link("Back to messages", to="/messages", class_name="button")


def _timeline() -> rx.Component:
    nothing = (ThreadState.rows.length() == 0) & (ThreadState.tail.length() == 0)
    return Timeline.create(
        rx.cond(
            ThreadState.older,
            rx.el.button(
                "Show older messages", type="button", class_name="button quiet older", on_click=ThreadState.show_older
            ),
        ),
        rx.cond(nothing, empty("hand", "A new conversation", "Nothing has been written here yet.")),
        rx.foreach(ThreadState.rows, _message),
        rx.foreach(ThreadState.parked, _message),
        rx.foreach(ThreadState.tail, _message),
        rx.el.div(id="outgoing"),
        thread=HEAD.id,
        newest=ThreadState.last_id,
        oldest=ThreadState.first_id,
        newer=ThreadState.newer,
        on_newest=ThreadState.show_newest,
        on_seen=ThreadState.mark_read,
    )


def _message(row: rx.Var[MessageRow]) -> rx.Component:
    return message(row, NAMED, _status(row))


def _status(row: rx.Var[MessageRow]) -> rx.Component:
    """The overlay is what became of the bubble since it was sent to the screen."""
    key = row.id.to_string()
    newer = ThreadState.statuses.contains(key)
    return rx.cond(newer, _status_line(row, ThreadState.statuses[key]), _status_line(row, row))


def _status_line(row: rx.Var[MessageRow], now: rx.Var[StatusView] | rx.Var[MessageRow]) -> rx.Component:
    again = rx.el.button("Try again", type="button", class_name="button small", on_click=ComposerState.retry(row.id))
    may_retry = now.may_retry & (row.author_id == ShellState.staff_id) & (HEAD.closed == "")
    return status_line(row, now, ThreadState.last_out_id, rx.cond(may_retry, again), _cancel(row, now))


def _cancel(row: rx.Var[MessageRow], now: rx.Var[StatusView] | rx.Var[MessageRow]) -> rx.Component:
    for_school = (HEAD.box == "school") & (HEAD.closed == "")
    may_cancel = now.may_cancel & ((row.author_id == ShellState.staff_id) | for_school)
    held_back = ComposerState.cancel(row.id)
    button = rx.el.button("Cancel", type="button", class_name="button quiet tiny", on_click=held_back)
    return rx.cond(may_cancel, button)


def _composer() -> rx.Component:
    return rx.el.footer(
        stop_question(),
        rx.cond(
            HEAD.closed != "",
            rx.fragment(
                rx.cond(HEAD.senders.length() > 0, _from()),
                rx.el.div(icon("message-square-off", 18), rx.el.p(HEAD.closed), class_name="closed", role="status"),
            ),
            rx.fragment(
                _from(),
                rx.cond(
                    ComposerState.refused != "", rx.el.div(ComposerState.refused, class_name="refused", role="alert")
                ),
                Composer.create(
                    thread=HEAD.id,
                    draft_key=ComposerState.key,
                    initial=ComposerState.written,
                    sent_keys=ThreadState.sent_keys,
                    seen=ThreadState.last_id,
                    named=NAMED,
                    refused=ComposerState.refused,
                    refused_key=ComposerState.refused_key,
                    refusals=ComposerState.refusals,
                    offline=has_connection_errors,
                    label="Write a text",
                    on_draft=ComposerState.type,
                    on_send=ComposerState.send,
                ),
                _length(),
            ),
        ),
        class_name="composer",
    )


def _from() -> rx.Component:
    """From is there when, and only when, there is a choice; who sees the answer is always said."""
    return rx.el.div(
        rx.cond(
            HEAD.senders.length() > 0,
            rx.el.label(
                rx.el.span("From", class_name="from-label"),
                rx.el.select(
                    rx.foreach(HEAD.senders, _choice),
                    value=HEAD.inbox_id.to_string(),
                    on_change=lambda value: ComposerState.choose_sender(value.to(int)),
                    id="from",
                ),
                class_name="from",
            ),
        ),
        rx.el.span(rx.cond(NAMED, icon("users", 15), icon("lock", 14)), HEAD.audience, class_name="audience"),
        class_name="from-line",
    )


def _choice(choice: rx.Var[SenderChoice]) -> rx.Component:
    label = choice.label + rx.cond(choice.stopped, " – texts stopped", "")
    return rx.el.option(label, value=choice.inbox_id.to_string())


def _length() -> rx.Component:
    """Says nothing while one text is enough and there is room in it."""
    length = ComposerState.length
    return rx.el.div(
        rx.cond(length.costly != "", rx.el.span(length.costly, class_name="costly")),
        rx.cond(length.too_long != "", rx.el.span(length.too_long, class_name="too-long")),
        rx.cond(
            (length.segments > 1) | ((length.segments == 1) & (length.left <= ROOM)),
            rx.el.span(
                rx.cond(length.segments == 1, "1 text", length.segments.to_string() + " texts"),
                " · ",
                length.left.to_string(),
                " left",
                title="With everything that is added: introduction and signature",
            ),
        ),
        id="composer-said",
        class_name="length",
    )
