"""A bubble of a conversation, with its author and what became of it; in one's own thread and in oversight the same."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.views import MessageRow, StatusView
from tp_inbox.web.components.basics import icon
from tp_inbox.web.components.scripted import Bubble, DayLine, Moment
from tp_inbox.web.states.shell import ShellState


def message(row: rx.Var[MessageRow], named: rx.Var[bool] | bool, status: rx.Component) -> rx.Component:
    """``named``: several people write here, so that each group of bubbles says who. ``status``: under ours."""
    side = rx.cond(row.outbound, "message out", "message in")
    mine = row.outbound & (row.author_id == ShellState.staff_id)
    return rx.fragment(
        _turn(row),
        DayLine.create(at=row.at, before=row.before),
        rx.el.article(
            rx.cond(row.outbound & ~row.joined & (named | ~mine), rx.el.div(_author(row), class_name="author")),
            Bubble.create(rx.cond(row.media > 0, _picture(row)), text=row.text, sent_as=row.sent_as, at=row.at),
            rx.cond(row.outbound, status),
            class_name=side + rx.cond(row.joined, " joined", ""),
            custom_attrs={"data-id": row.id, "data-at": row.at, "data-mine": mine},
        ),
        key=row.id.to_string(),
    )


def status_line(
    row: rx.Var[MessageRow],
    now: rx.Var[StatusView] | rx.Var[MessageRow],
    last_out: rx.Var[int],
    again: rx.Component | None = None,
    cancel: rx.Component | None = None,
) -> rx.Component:
    """``now``: what became of it. ``last_out``: the newest text of ours, the only one that says "Delivered".
    ``again``: under a text that failed; ``cancel``: beside one that waits.
    """
    return rx.fragment(
        rx.match(
            now.state,
            ("failed", "undelivered", _failed(now, again or rx.fragment())),
            ("canceled", _canceled(now, again or rx.fragment())),
            ("delivered", "read", rx.cond(row.id == last_out, _said("Delivered", "check-check"))),
            ("sent", _said("Sent", "check")),
            ("queued", rx.cond(now.again_at != "", _tried_again(now), _waits(cancel or rx.fragment()))),
            _said("Sending", "clock"),
        ),
        rx.match(
            now.doubled,
            ("possible", _said("The family may have this text twice.", "copy")),
            ("certain", _said("The family got this text twice.", "copy")),
            rx.fragment(),
        ),
    )


def _turn(row: rx.Var[MessageRow]) -> rx.Component:
    """Where the conversation of a colleague who has left begins, and where one's own does."""
    theirs = rx.fragment(icon("corner-down-right", 14), row.owner, "’s conversation, handed over to you")
    own = rx.fragment(icon("corner-down-right", 14), "Your own conversation")
    return rx.cond(row.turn != "", rx.el.div(rx.cond(row.turn == "theirs", theirs, own), class_name="turn"))


def _author(row: rx.Var[MessageRow]) -> rx.Component:
    return rx.cond(row.author_id == ShellState.staff_id, "You", row.author)


def _picture(row: rx.Var[MessageRow]) -> rx.Component:
    return rx.el.span(
        icon("image", 18),
        rx.cond(row.media > 1, row.media.to_string() + " pictures", "A picture"),
        class_name="picture",
    )


def _said(words: str | rx.Var[str], icon_name: str) -> rx.Component:
    return rx.el.div(icon(icon_name, 13), words, class_name="status")


def _tried_again(now: rx.Var[StatusView] | rx.Var[MessageRow]) -> rx.Component:
    again = rx.el.span("Not reached yet. We try again at ", Moment.create(at=now.again_at, form="clock"), ".")
    return rx.el.div(icon("clock", 13), again, class_name="status")


def _waits(cancel: rx.Component) -> rx.Component:
    """Most texts leave within a second or two, so only one that has not is said to wait."""
    at_first = rx.el.span(icon("clock", 13), "Sending", class_name="at-first")
    longer = rx.el.span(icon("clock", 13), "Waiting…", cancel, class_name="longer")
    return rx.el.div(at_first, longer, class_name="status waits")


def _canceled(now: rx.Var[StatusView] | rx.Var[MessageRow], again: rx.Component) -> rx.Component:
    """Quiet: somebody wanted it so."""
    return rx.el.div(_said(now.reason, "ban"), again, class_name="canceled")


def _failed(now: rx.Var[StatusView] | rx.Var[MessageRow], again: rx.Component) -> rx.Component:
    return rx.el.div(
        rx.el.div(
            icon("circle-alert", 15),
            rx.el.span(rx.el.strong("Not delivered. "), now.reason),
            class_name="failed-reason",
        ),
        rx.cond(now.advice != "", rx.el.div(now.advice, class_name="failed-advice")),
        again,
        class_name="status failed",
    )
