"""Numbers under Admin: what needs somebody, and the numbers themselves."""

from __future__ import annotations

from typing import Any

import reflex as rx

from tp_inbox.domain.operating import AlertKind, Remedy
from tp_inbox.services.alert_views import AlertView
from tp_inbox.services.number_admin import RELEASE_WARNING, NumberAction, NumberRow, OwnerKind
from tp_inbox.web.components.basics import Anchor, empty, icon, link
from tp_inbox.web.components.number_sections import LEFT_ASIDE, number_sections
from tp_inbox.web.components.pages import (
    admin_page,
    cell,
    dialog_buttons,
    page_head,
    panel,
    row,
    search_box,
    table,
    tag,
)
from tp_inbox.web.components.scripted import Dialog, Moment
from tp_inbox.web.states.number_sections import NumberSections
from tp_inbox.web.states.numbers_page import NumbersPage, SchoolChoice
from tp_inbox.web.states.shell import ShellState

Page = NumbersPage
ABOUT = "The numbers that families read, what they cost, and what waits to leave from them."
OWNERS = {OwnerKind.PERSON: "People’s own", OwnerKind.SCHOOL: "Schools’", OwnerKind.POOL: "Shared"}


def numbers() -> rx.Component:
    return admin_page(
        Page,
        "numbers",
        rx.el.div(
            page_head("Numbers", about=ABOUT),
            _strip(),
            _needs_you(),
            _numbers(),
            number_sections(),
            _before_releasing(),
            class_name="numbers",
        ),
    )


# The essentials ------------------------------------------------------------------------------------------------


def _strip() -> rx.Component:
    said, waiting = Page.summary, NumberSections.waiting
    trouble = rx.cond(said.trouble == 1, "one needs attention", said.trouble.to_string() + " need attention")
    segments = rx.cond(said.segments == 1, "one segment", f"{said.segments:,} segments")
    done = rx.cond(
        NumberSections.done != "",
        rx.fragment("gone by ", Moment.create(at=NumberSections.done, form="list")),
        "stopped",
    )
    return rx.el.dl(
        _figure("Numbers", said.count.to_string(), rx.cond(said.trouble > 0, trouble, "all in order")),
        _figure("Numbers each month", f"${said.cost:,.2f}", rx.cond(said.cap, _of_at_most(said), "no limit is set")),
        _figure(
            "Texts this month",
            f"${said.segments_cost:,.2f}",
            rx.fragment("about, for ", segments, "; a long text has several"),
        ),
        _figure("Texts waiting", waiting.to_string(), rx.cond(waiting > 0, done, "everything has left")),
        class_name="figures",
    )


def _of_at_most(said: Any) -> rx.Component:
    words = f"of at most ${said.cap.to(float):,.2f}"
    return rx.cond(said.cost >= said.cap.to(float), tag(words, "warn"), words)


def _figure(name: str, value: Any, about: Any) -> rx.Component:
    return rx.el.div(rx.el.dt(name), rx.el.dd(value), rx.el.dd(about, class_name="quiet-text"))


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
        rx.cond(
            alert.conversation != "",
            rx.el.span(link("Open in Oversight", to=alert.conversation, class_name="text-link")),
        ),
        class_name="parted quiet-text",
    )


def _owner(name: Any, address: Any) -> rx.Component:
    """With a link where there is a page that may be opened."""
    return rx.fragment(rx.cond(address != "", link(name, to=address, class_name="text-link"), name))


def _remedy(alert: rx.Var[AlertView]) -> rx.Component:
    """What is told of no number by itself is mended in the list of numbers."""
    of_number = alert.number_id > 0
    resume = rx.match(
        alert.kind,
        (AlertKind.ACCOUNT_STOPPED.value, _act("Resume", Page.resume_account)),
        (AlertKind.CAMPAIGN_STOPPED.value, _act("Resume", Page.resume_campaign(alert.campaign_id))),
        rx.cond(of_number, _act("Resume", Page.resume_number(alert.number_id))),
    )
    return rx.el.div(
        rx.match(
            alert.remedy,
            (Remedy.NOTED.value, _act("Done", Page.settle(alert.id))),
            (Remedy.RESUME.value, resume),
            (Remedy.BUY_AGAIN.value, rx.cond(of_number, _act("Buy again", Page.resume_number(alert.number_id)))),
            (Remedy.REPLACE.value, rx.cond(of_number, _act("Replace", Page.replace_number(alert.number_id)))),
            (Remedy.TRY_AGAIN.value, Anchor.create("See below", href=f"#{LEFT_ASIDE}", class_name="button small")),
            rx.fragment(),
        ),
        class_name="buttons",
    )


def _act(label: str, on_click: Any, about: Any = None) -> rx.Component:
    """``about``: what tells it apart from the others of its label, read aloud alone."""
    whose = rx.el.span(" ", about, class_name="visually-hidden") if about is not None else rx.fragment()
    return rx.el.button(label, whose, type="button", class_name="button small", on_click=on_click)


# The numbers ---------------------------------------------------------------------------------------------------


def _numbers() -> rx.Component:
    heads = [
        "Number",
        "Whose",
        "With",
        "State",
        "Since",
        "This month",
        rx.el.span("What can be done", class_name="visually-hidden"),
    ]
    nothing = rx.cond(
        (Page.words != "") | (Page.owner != "") | (Page.school > 0) | Page.trouble,
        empty("search-x", "No number found", "Try another name, or show all again."),
        empty("phone", "No numbers yet", "Each is bought when somebody first writes."),
    )
    return rx.el.section(
        rx.el.h2("All numbers"),
        _toolbar(),
        rx.cond(
            Page.rows.length() > 0, table("Numbers", heads, rx.foreach(Page.rows, _line), "numbers-table"), nothing
        ),
        _pager(),
    )


def _toolbar() -> rx.Component:
    owners = [rx.el.option("Everybody’s", value="")]
    owners += [rx.el.option(label, value=kind.value) for kind, label in OWNERS.items()]
    schools = [rx.el.option("All schools", value=""), rx.foreach(Page.schools, _school)]
    which = [rx.el.option("All numbers", value=""), rx.el.option("Needs attention", value="trouble")]
    school = rx.cond(Page.school > 0, Page.school.to_string(), "")
    return rx.el.div(
        search_box("Search by name or number", Page.words, Page.search.debounce(200)),
        _menu("State", which, rx.cond(Page.trouble, "trouble", ""), Page.choose_trouble),
        _menu("Whose", owners, Page.owner, Page.choose_owner),
        rx.cond(Page.schools.length() > 1, _menu("School", schools, school, Page.choose_school)),
        class_name="toolbar",
    )


def _menu(label: str, options: list[Any], value: Any, on_change: Any) -> rx.Component:
    return rx.el.select(*options, value=value, on_change=on_change, custom_attrs={"aria-label": label})


def _school(choice: rx.Var[SchoolChoice]) -> rx.Component:
    return rx.el.option(choice.name, value=choice.id.to_string(), key=choice.id)


def _line(number: rx.Var[NumberRow]) -> rx.Component:
    return row(
        cell("Number", _number(number)),
        cell("Whose", _whose(number)),
        cell("With", number.campaign),
        cell("State", _state(number)),
        cell("Since", rx.cond(number.since != "", Moment.create(at=number.since, form="list"), _none())),
        cell("This month", _cost(number)),
        cell("", _actions(number)),
        key=number.id,
    )


def _number(number: rx.Var[NumberRow]) -> rx.Component:
    bought = rx.el.strong(number.number, class_name="no-break")
    return rx.fragment(rx.cond(number.number != "", bought, rx.el.span("No number yet", class_name="quiet-text")))


def _whose(number: rx.Var[NumberRow]) -> rx.Component:
    """A person's page opens for those alone who manage staff."""
    opens = (number.owner_kind != OwnerKind.PERSON.value) | ShellState.admin.contains("staff")
    families = rx.cond(number.families == 1, "one family", number.families.to_string() + " families")
    return rx.el.span(
        rx.el.span(_owner(number.owner, rx.cond(opens, number.address, ""))),
        rx.cond(number.owner_kind == OwnerKind.POOL.value, rx.el.span(families, class_name="quiet-text")),
        class_name="stacked",
    )


def _state(number: rx.Var[NumberRow]) -> rx.Component:
    said = rx.match(
        number.kind,
        ("ok", tag(number.said)),
        ("wait", tag(number.said, "warn")),
        tag(number.said, "bad"),
    )
    problem = rx.el.span(number.problem, class_name="quiet-text")
    return rx.el.span(rx.el.span(said), rx.cond(number.problem != "", problem), class_name="stacked number-state")


def _cost(number: rx.Var[NumberRow]) -> rx.Component:
    """What the number and the texts from it cost, by the prices that the district has set."""
    texts = rx.cond(number.segments == 1, "one segment", f"{number.segments:,} segments")
    return rx.el.span(
        rx.el.span(f"${number.cost + number.segments_cost:,.2f}"),
        rx.cond(number.segments > 0, rx.el.span(texts, class_name="quiet-text")),
        class_name="stacked",
    )


def _actions(number: rx.Var[NumberRow]) -> rx.Component:
    what = {
        NumberAction.RESUME: _act("Resume", Page.resume_number(number.id), number.number),
        NumberAction.BUY_AGAIN: _act("Buy again", Page.resume_number(number.id), number.owner),
        NumberAction.REPLACE: _act("Replace", Page.replace_number(number.id), number.number),
        NumberAction.RELEASE: _act("Give back…", Page.ask_to_release(number.id), number.number),
    }
    shown = [rx.cond(number.actions.contains(action.value), button) for action, button in what.items()]
    return rx.el.span(*shown, class_name="tags")


def _before_releasing() -> rx.Component:
    return Dialog.create(
        rx.el.p(RELEASE_WARNING),
        rx.el.p("It cannot be undone. What was written stays where it is.", class_name="quiet-text"),
        dialog_buttons(
            rx.el.button("Keep it", type="button", class_name="button", on_click=Page.keep),
            rx.el.button("Give back now", type="button", class_name="button danger", on_click=Page.release),
        ),
        open=Page.asking > 0,
        title="Give back " + Page.asked_about + "?",
        on_close=Page.keep,
    )


def _none() -> rx.Component:
    return rx.el.span("–", class_name="quiet-text")


def _pager() -> rx.Component:
    before = rx.el.button(icon("chevron-left", 18), "Back", type="button", class_name="button", on_click=Page.previous)
    after = rx.el.button("More", icon("chevron-right", 18), type="button", class_name="button", on_click=Page.next)
    return rx.cond(
        Page.more | (Page.page_number > 1),
        rx.el.div(
            rx.el.span("Page ", Page.page_number, role="status"),
            rx.el.div(rx.cond(Page.page_number > 1, before), rx.cond(Page.more, after), class_name="buttons"),
            class_name="pager",
        ),
    )
