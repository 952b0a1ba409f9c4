"""What is folded below the numbers: queues, texts that were left aside, and comparisons with the carrier."""

from __future__ import annotations

from typing import Any

import reflex as rx

from tp_inbox.services.number_admin import UnknownRow
from tp_inbox.services.receiving import AsideView
from tp_inbox.services.reconciliations import DifferenceView, ReconciliationView
from tp_inbox.web.components.basics import icon
from tp_inbox.web.components.pages import cell, row, table, tag
from tp_inbox.web.components.scripted import Moment
from tp_inbox.web.states.number_sections import NumberSections, Queue

Shown = NumberSections
LEFT_ASIDE = "left-aside"


def number_sections() -> rx.Component:
    return rx.el.div(_queues(), _aside(), _unused(), _comparisons(), class_name="folds")


def _fold(title: str, count: Any, *content: rx.Component, **props: Any) -> rx.Component:
    """``count``: what one reads of it while it is folded."""
    return rx.el.details(
        rx.el.summary(
            rx.el.h2(title),
            rx.el.span(count, class_name="quiet-text"),
            rx.el.span(icon("chevron-down", 18), class_name="fold-turn"),
        ),
        rx.el.div(*content, class_name="fold-content"),
        class_name="card fold",
        **props,
    )


def _nothing(words: str) -> rx.Component:
    return rx.el.p(words, class_name="quiet-text")


# Queues --------------------------------------------------------------------------------------------------------


def _queues() -> rx.Component:
    heads = ["School", "Waiting", "Oldest", "Gone by", "State"]
    one = rx.cond(Shown.waiting == 1, "One text waits", Shown.waiting.to_string() + " texts wait")
    return _fold(
        "Queues",
        rx.cond(Shown.waiting > 0, one, "Nothing waits"),
        rx.cond(
            Shown.queues.length() > 0,
            table("Queues", heads, rx.foreach(Shown.queues, _queue)),
            _nothing("Every text has left."),
        ),
    )


def _queue(queue: rx.Var[Queue]) -> rx.Component:
    stuck = rx.cond(queue.stuck == 1, "One number stopped", queue.stuck.to_string() + " numbers stopped")
    return row(
        cell("School", rx.el.strong(queue.name)),
        cell("Waiting", queue.waiting.to_string()),
        cell("Oldest", Moment.create(at=queue.oldest, form="minute")),
        cell("Gone by", rx.cond(queue.done != "", Moment.create(at=queue.done, form="minute"), "Not known")),
        cell(
            "State",
            rx.cond(queue.stopped, tag("Stopped", "bad"), rx.cond(queue.stuck > 0, tag(stuck, "bad"), tag("Leaving"))),
        ),
        key=queue.id,
    )


# Left aside ------------------------------------------------------------------------------------------------------


def _aside() -> rx.Component:
    heads = ["When", "From", "To", "Why", rx.el.span("What can be done", class_name="visually-hidden")]
    one = rx.cond(Shown.aside.length() == 1, "One text", Shown.aside.length().to_string() + " texts")
    return _fold(
        "Texts that could not be put into a conversation",
        rx.cond(Shown.aside.length() > 0, one, "None"),
        rx.cond(
            Shown.aside.length() > 0,
            table("Texts that were left aside", heads, rx.foreach(Shown.aside, _text)),
            _nothing("Every text of a family is in its conversation."),
        ),
        id=LEFT_ASIDE,
    )


def _text(text: rx.Var[AsideView]) -> rx.Component:
    again = rx.el.button(
        "Try again",
        rx.el.span(" from ", text.sender, class_name="visually-hidden"),
        type="button",
        class_name="button small",
        on_click=Shown.try_again(text.id),
    )
    return row(
        cell("When", Moment.create(at=text.received_at, form="minute")),
        cell("From", rx.el.span(text.sender, class_name="no-break")),
        cell("To", rx.el.span(text.recipient, class_name="no-break")),
        cell("Why", rx.cond(text.problem != "", text.problem, "Not known")),
        cell("", again),
        key=text.id,
    )


# Paid for, and not used ----------------------------------------------------------------------------------------


def _unused() -> rx.Component:
    count = rx.cond(Shown.unused.length() == 1, "One number", Shown.unused.length().to_string() + " numbers")
    about = (
        "They belong to another product, or are left over. Whoever looks after the account can give them back there."
    )
    lines = rx.foreach(Shown.unused, _unused_number)
    return rx.cond(
        Shown.unused.length() > 0,
        _fold(
            "Paid for, and not used here",
            count,
            rx.el.p(about, class_name="quiet-text"),
            table("Numbers that are paid for and not used here", ["Number", "Called at Twilio"], lines),
        ),
    )


def _unused_number(number: rx.Var[UnknownRow]) -> rx.Component:
    return row(cell("Number", rx.el.strong(number.number)), cell("Called at Twilio", number.label), key=number.number)


# Comparisons ---------------------------------------------------------------------------------------------------


def _comparisons() -> rx.Component:
    return _fold(
        "Comparison with Twilio",
        rx.cond(Shown.nights.length() > 0, _outcome(Shown.nights[0]), "Not compared yet"),
        rx.el.p(
            "Each night the texts of both ledgers are compared, so that none is missing here or there.",
            class_name="quiet-text",
        ),
        rx.el.ul(rx.foreach(Shown.nights, _night), class_name="nights"),
    )


def _outcome(night: rx.Var[ReconciliationView]) -> rx.Var[str]:
    left = rx.cond(night.remaining == 1, "One difference remains", night.remaining.to_string() + " differences remain")
    mended = rx.cond(night.found == 1, "One difference, mended", night.found.to_string() + " differences, all mended")
    found = rx.cond(night.remaining > 0, left, rx.cond(night.found > 0, mended, "No difference"))
    return rx.cond(night.ended_at != "", found, "Not finished").to(str)


def _night(night: rx.Var[ReconciliationView]) -> rx.Component:
    head = rx.el.span(
        rx.el.strong(Moment.create(at=night.began_at, form="minute")),
        rx.el.span(night.compared.to_string(), " texts compared", class_name="quiet-text"),
        class_name="two-lines",
    )
    said = rx.cond(night.remaining > 0, tag(_outcome(night), "bad"), tag(_outcome(night), "quiet"))
    differences = rx.el.ul(rx.foreach(night.differences, _difference), class_name="differences")
    return rx.el.li(
        rx.el.div(head, said, class_name="night-head"),
        rx.cond(night.differences.length() > 0, differences),
        key=night.id,
    )


def _difference(found: rx.Var[DifferenceView]) -> rx.Component:
    sign = rx.cond(found.mended, icon("check", 16), icon("triangle-alert", 16))
    return rx.el.li(
        sign,
        rx.el.span(found.sentence, " ", rx.el.code(found.sid, class_name="quiet-text")),
        class_name=rx.cond(found.mended, "", "remaining"),
        key=found.id,
    )
