"""Numbers under Admin: what needs somebody, and the numbers themselves."""

from __future__ import annotations

from typing import Any

import reflex as rx

from tp_inbox.domain.operating import Remedy
from tp_inbox.services.alert_views import AlertView
from tp_inbox.web.components.basics import icon, link
from tp_inbox.web.components.pages import admin_page, page_head, panel
from tp_inbox.web.components.scripted import Moment
from tp_inbox.web.states.numbers_page import NumbersPage

Page = NumbersPage
ABOUT = "The numbers that families read, what they cost, and what waits to leave from them."


def numbers() -> rx.Component:
    return admin_page(Page, "numbers", rx.el.div(page_head("Numbers", about=ABOUT), _needs_you(), class_name="numbers"))


# What needs somebody -------------------------------------------------------------------------------------------


def _needs_you() -> rx.Component:
    nothing = rx.el.p(
        rx.el.span(icon("check", 18), class_name="sign yes"),
        rx.el.span("Everything works. Nothing needs you."),
        class_name="all-well",
    )
    return panel(
        "What needs you",
        rx.el.div(
            rx.cond(
                Page.alerts.length() > 0,
                rx.el.ul(rx.foreach(Page.alerts, _alert), class_name="alerts", aria_label="Alerts, newest first"),
                nothing,
            ),
            rx.cond(Page.more_alerts > 0, rx.el.p(_more(), class_name="quiet-text")),
            aria_live="polite",
        ),
    )


def _more() -> rx.Var[str]:
    return "And " + Page.more_alerts.to_string() + " older ones, which move up as these are mended."


def _alert(alert: rx.Var[AlertView]) -> rx.Component:
    return rx.el.li(
        rx.el.span(icon("triangle-alert", 18), class_name="alert-sign"),
        rx.el.div(rx.el.p(alert.sentence), _about(alert), class_name="alert-words"),
        _remedy(alert),
        key=alert.id,
    )


def _about(alert: rx.Var[AlertView]) -> rx.Component:
    often = rx.fragment(alert.times.to_string(), " times, last ", Moment.create(at=alert.last, form="minute"))
    return rx.el.p(
        rx.cond(alert.owner != "", rx.el.span(_owner(alert.owner, alert.address))),
        rx.cond(alert.number != "", rx.el.span(alert.number, class_name="no-break")),
        rx.el.span("Since ", Moment.create(at=alert.since, form="minute")),
        rx.cond(alert.times > 1, rx.el.span(often)),
        rx.cond(alert.conversation != "", link("Open in Oversight", to=alert.conversation, class_name="text-link")),
        class_name="parted quiet-text",
    )


def _owner(name: Any, address: Any) -> rx.Component:
    """With a link where there is a page that may be opened."""
    return rx.fragment(rx.cond(address != "", link(name, to=address, class_name="text-link"), name))


def _remedy(alert: rx.Var[AlertView]) -> rx.Component:
    done = rx.el.button("Done", type="button", class_name="button small", on_click=Page.settle(alert.id))
    return rx.fragment(rx.match(alert.remedy, (Remedy.NOTED.value, done), rx.fragment()))
