"""Whether a family wants to be texted: the question above the composer, and its part of the panel about the family."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.oversight import OverseenHead
from tp_inbox.services.views import ConsentEntry, ConsentView, StopPlace, ThreadHead
from tp_inbox.web.components.basics import icon
from tp_inbox.web.components.pages import dialog_buttons, field, refused
from tp_inbox.web.components.scripted import Dialog, Moment
from tp_inbox.web.states.consent import ConsentState
from tp_inbox.web.states.thread import ThreadState

HEAD = ThreadState.head
ASKED = HEAD.asked
LONGEST_NOTE = 300


def stop_question() -> rx.Component:
    """A banner while nobody has said what the family's words meant."""
    return rx.cond(ASKED.id > 0, _question())


def _question() -> rx.Component:
    return rx.el.section(
        icon("circle-help", 20),
        rx.el.div(
            rx.el.strong("This may mean: no more texts."),
            rx.el.q(ASKED.words, dir="auto"),
            rx.cond(
                ASKED.may_answer,
                rx.el.div(
                    rx.el.button(
                        "Stop texting this family",
                        type="button",
                        class_name="button small danger",
                        on_click=ConsentState.stop_texts(ASKED.id),
                    ),
                    rx.el.button(
                        "No, keep texting",
                        type="button",
                        class_name="button small",
                        on_click=ConsentState.keep_texting(ASKED.id),
                    ),
                    class_name="buttons",
                ),
                rx.el.span("Whoever writes to families from here decides.", class_name="quiet-text"),
            ),
            class_name="stop-words",
        ),
        role="status",
        aria_label="Question about a text of this family",
        class_name="stop-question",
    )


def consent_facts(head: rx.Var[ThreadHead] | rx.Var[OverseenHead]) -> rx.Component:
    """What is stopped, whom that covers, what has been said so far, and what the reader can do about it."""
    consent: rx.Var[ConsentView] = head.consent
    return rx.el.section(
        rx.el.h3("Texts to this family"),
        rx.cond(
            consent.stopped.length() > 0,
            rx.foreach(consent.stopped, _stopped),
            rx.el.p(icon("message-square", 18), "Open", class_name="consent-open"),
        ),
        rx.cond(consent.history.length() > 0, _history(consent)),
        rx.el.div(
            rx.cond(
                consent.may_take_back,
                rx.el.button(
                    "Allow texts again",
                    type="button",
                    class_name="button small",
                    on_click=ConsentState.take_back(head.id),
                ),
            ),
            rx.cond(
                consent.places.length() > 0,
                rx.el.button(
                    "Stop texts to this family…",
                    type="button",
                    class_name="button small",
                    on_click=ConsentState.ask(head.id),
                ),
            ),
            class_name="buttons",
        ),
        _dialog(head),
        class_name="fact consent",
    )


def _stopped(sentence: rx.Var[str]) -> rx.Component:
    return rx.el.p(icon("message-square-off", 18), rx.el.span(sentence), class_name="consent-stopped")


def _history(consent: rx.Var[ConsentView]) -> rx.Component:
    return rx.el.details(
        rx.el.summary("History"),
        rx.el.ol(rx.foreach(consent.history, _entry), class_name="consent-history"),
    )


def _entry(entry: rx.Var[ConsentEntry]) -> rx.Component:
    return rx.el.li(rx.el.span(entry.words), Moment.create(at=entry.at, form="minute"), key=entry.id)


def _dialog(head: rx.Var[ThreadHead] | rx.Var[OverseenHead]) -> rx.Component:
    return Dialog.create(
        rx.el.form(
            rx.el.p("They get no more texts until they text START, or until this is taken back here."),
            rx.el.fieldset(
                rx.el.legend("Which texts?"),
                rx.foreach(head.consent.places, _place),
                class_name="places",
            ),
            field(
                "Note for the audit log (optional)",
                rx.el.textarea(name="note", rows="2", max_length=LONGEST_NOTE),
            ),
            rx.el.label(
                rx.el.input(type="checkbox", name="tell"),
                rx.el.strong("Tell the family by one text"),
                rx.el.span("In their language, with how to get texts again.", class_name="help"),
                class_name="choice",
            ),
            refused(ConsentState.problem),
            dialog_buttons(
                rx.el.button("Cancel", type="button", class_name="button", on_click=ConsentState.close),
                rx.el.button("Stop texts", type="submit", class_name="button danger"),
            ),
            on_submit=ConsentState.record,
            class_name="stack",
        ),
        open=(ConsentState.stopping > 0) & (ConsentState.stopping == head.id),
        title="Stop texts to " + head.title + "?",
        on_close=ConsentState.close,
    )


def _place(place: rx.Var[StopPlace], index: rx.Var[int]) -> rx.Component:
    school = rx.el.span("Its number, and everyone who works there.", class_name="help")
    district = rx.el.span("Every school, and everyone who works for the district.", class_name="help")
    return rx.el.label(
        rx.el.input(type="radio", name="place", value=place.id.to_string(), default_checked=index == 0),
        rx.el.strong(place.name),
        rx.cond(place.id > 0, school, district),
        class_name="choice",
        key=place.id,
    )
