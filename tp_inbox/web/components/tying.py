"""Who is this? A button in the panel of an unknown sender, and the dialog in which it is said."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.tying import LONGEST_NAME, LONGEST_RELATION, ContactChoice, StudentChoice
from tp_inbox.web.components.basics import avatar, icon
from tp_inbox.web.components.pages import dialog_buttons, field, refused, search_box
from tp_inbox.web.components.scripted import Dialog
from tp_inbox.web.states.thread import ThreadState
from tp_inbox.web.states.tying import CONTACT, NEW, STUDENT, TyingState

HEAD = ThreadState.head
State = TyingState
CHOSEN = State.student


def who_is_this() -> rx.Component:
    """For those who manage students and contacts, while nobody is on file with this number."""
    return rx.cond(
        HEAD.may_tie,
        rx.fragment(
            rx.el.button(
                icon("user-round-plus", 18),
                "Who is this?",
                type="button",
                class_name="button small who-is-this",
                on_click=State.ask,
            ),
            _dialog(),
        ),
    )


def not_this_family() -> rx.Component:
    """For those who may take back what was said in the dialog of ``who_is_this``."""
    return rx.cond(
        HEAD.tied.name != "",
        rx.fragment(
            rx.el.button(
                "Not this family…",
                type="button",
                class_name="button small who-is-this",
                on_click=State.ask_removal,
            ),
            _removal(),
        ),
    )


def _removal() -> rx.Component:
    return Dialog.create(
        rx.el.div(
            rx.el.p(HEAD.tied.then),
            rx.el.p(
                "The conversation stays. Texts that wait to leave still go to this number.", class_name="quiet-text"
            ),
            refused(State.problem),
            dialog_buttons(
                rx.el.button("Cancel", type="button", class_name="button", on_click=State.close),
                rx.el.button("Remove", type="button", class_name="button danger", on_click=State.remove),
            ),
            class_name="stack",
        ),
        open=(State.removing > 0) & (State.removing == HEAD.id),
        title="Remove " + HEAD.tied.name + " from " + HEAD.phone + "?",
        on_close=State.close,
    )


def _dialog() -> rx.Component:
    return Dialog.create(
        rx.cond(CHOSEN.id > 0, _whose(), _which_student()),
        open=(State.asked > 0) & (State.asked == HEAD.id),
        title="Who is " + HEAD.phone + "?",
        on_close=State.close,
    )


def _which_student() -> rx.Component:
    return rx.el.div(
        rx.el.p("Which student does this person belong to?"),
        search_box("Search a student’s name", State.words, State.search.debounce(200)),
        rx.el.div(
            rx.cond(
                State.found.length() > 0,
                rx.el.ul(rx.foreach(State.found, _student), class_name="lines askable", aria_label="Students"),
                rx.cond(
                    State.searched,
                    rx.el.p("No student of this name at a school whose families you manage.", class_name="quiet-text"),
                ),
            ),
            custom_attrs={"aria-live": "polite"},
        ),
        dialog_buttons(rx.el.button("Cancel", type="button", class_name="button", on_click=State.close)),
        class_name="stack",
    )


def _student(student: rx.Var[StudentChoice]) -> rx.Component:
    words = rx.el.span(
        rx.el.strong(student.name), rx.el.span(student.about, class_name="quiet-text"), class_name="two-lines"
    )
    return rx.el.li(
        rx.el.button(
            avatar(student.initials, student.hue),
            words,
            icon("chevron-right", 18),
            type="button",
            class_name="ask",
            on_click=State.choose(student.id),
        ),
        key=student.id,
    )


def _whose() -> rx.Component:
    return rx.el.form(
        rx.el.div(
            rx.el.span(
                rx.el.strong(CHOSEN.name), rx.el.span(CHOSEN.about, class_name="quiet-text"), class_name="two-lines"
            ),
            rx.el.button("Another student", type="button", class_name="text-link", on_click=State.choose_again),
            class_name="asked-about",
        ),
        rx.el.fieldset(
            rx.el.legend("Whose number is it?"),
            rx.foreach(CHOSEN.contacts, _contact),
            _option(NEW, "Somebody new", "Another adult of this student, who is not on file yet."),
            rx.cond(State.who == NEW, _somebody_new()),
            _own_phone(),
            class_name="places",
        ),
        refused(State.problem),
        dialog_buttons(
            rx.el.button("Cancel", type="button", class_name="button", on_click=State.close),
            rx.el.button("Save", type="submit", class_name="button primary"),
        ),
        on_submit=State.save,
        class_name="stack",
    )


def _contact(contact: rx.Var[ContactChoice]) -> rx.Component:
    relation = rx.cond(contact.relation != "", ", " + contact.relation, "")
    instead = rx.cond(
        contact.phone != "", "A new number, instead of " + contact.phone + ".", "No number is on file until now."
    )
    allowed = contact.refused == ""
    told = rx.cond(allowed, instead, contact.refused)
    return _option(CONTACT + contact.id.to_string(), contact.name + relation, told, disabled=~allowed)


def _own_phone() -> rx.Component:
    allowed = CHOSEN.ineligible == ""
    instead = rx.cond(CHOSEN.phone != "", "A new number, instead of " + CHOSEN.phone + ".", "The student’s own phone.")
    return _option(STUDENT, CHOSEN.name, rx.cond(allowed, instead, CHOSEN.ineligible), disabled=~allowed)


def _option(
    value: rx.Var[str] | str,
    words: rx.Var[str] | str,
    help_text: rx.Var[str] | str,
    disabled: rx.Var[bool] | bool = False,
) -> rx.Component:
    return rx.el.label(
        rx.el.input(
            type="radio",
            name="who",
            value=value,
            disabled=disabled,
            on_change=State.say(value),
        ),
        rx.el.strong(words),
        rx.el.span(help_text, class_name="help"),
        class_name="choice",
        key=value,
    )


def _somebody_new() -> rx.Component:
    return rx.el.div(
        field("Name", rx.el.input(name="name", max_length=LONGEST_NAME, auto_complete="off", required=True)),
        field(
            "Relation to the student (optional)",
            rx.el.input(name="relation", max_length=LONGEST_RELATION, auto_complete="off"),
            "Mother, grandfather, guardian …",
        ),
        class_name="stack somebody-new",
    )
