"""The account of the person on the page: a link to sign in with, leaving with a hand-over, and coming back."""

from __future__ import annotations

from typing import Any

import reflex as rx

from tp_inbox.services.account_links import FreshLink
from tp_inbox.services.leaving import Candidate, Conversation
from tp_inbox.services.staff_directory import StaffState
from tp_inbox.web.components.basics import Anchor, avatar, icon, icon_button, link
from tp_inbox.web.components.pages import dialog_buttons, facts, field, panel, refused, search_box
from tp_inbox.web.components.scripted import Copied, Dialog, Moment
from tp_inbox.web.states.account import AccountState as A

GONE = A.state == StaffState.DEACTIVATED.value
ACTIVE = A.state == StaffState.ACTIVE.value
PLAN = A.departure
WORKS = (A.standing.expires != "") & ~A.standing.is_over
"""Whether a link that was handed out still opens the account."""


def account_panel(about: rx.Component, then: Any = None) -> rx.Component:
    """Of the person whom ``AccountState._show`` read. ``about``: what else is known of the account. ``then``: an event
    that reads the rest of the page again.
    """
    return rx.cond(
        A.refusal == "",
        rx.fragment(
            panel("Access", _left(), about, rx.cond(GONE, _absence(), _present())),
            _asking_dialog(),
            _link_dialog(),
            _leaving_dialog(then),
            _returning_dialog(then),
        ),
        panel("Access", about, rx.cond(GONE, _absence())),
    )


def fresh_link(link: Any) -> rx.Component:
    """A link to be handed on: copied, or as an e-mail that is written already."""
    return rx.el.div(
        Copied.create(words=link.url, label="Link for " + link.name.to(str)),
        rx.el.div(
            Anchor.create(icon("mail", 18), "Write an e-mail", href=link.mail, class_name="button"),
            rx.el.span("Works once, until ", Moment.create(at=link.expires, form="minute"), class_name="quiet-text"),
            class_name="buttons",
        ),
        class_name="stack fresh-link",
    )


def _button(icon_name: str, label: Any, on_click: Any, class_name: str = "button") -> rx.Component:
    return rx.el.button(icon(icon_name, 18), label, type="button", class_name=class_name, on_click=on_click)


def _line(title: Any, about: Any, action: rx.Component) -> rx.Component:
    return rx.el.li(
        rx.el.span(rx.el.strong(title), rx.el.span(about, class_name="quiet-text"), class_name="two-lines"), action
    )


# While the person is here ------------------------------------------------------------------------------------


def _present() -> rx.Component:
    return rx.fragment(
        rx.el.ul(
            rx.cond(ACTIVE, _password(), _invitation()),
            _line(
                "Leaving",
                "Ends the account, and hands the conversations over.",
                _button("user-x", "Deactivate…", A.ask_to_deactivate),
            ),
            class_name="lines",
        ),
        refused(A.problem),
    )


def _password() -> rx.Component:
    make = _button("key-round", "Make a reset link…", A.ask_for_link)
    return _line("Password", _waiting("Only the person chooses it."), make)


def _invitation() -> rx.Component:
    ask, make = _button("send", "Invite again…", A.ask_for_link), _button("send", "Invite again", A.make_link)
    return _line("Invitation", _waiting("There is no link that works."), rx.cond(WORKS, ask, make))


def _waiting(otherwise: str) -> rx.Component:
    """About the link that was handed out and not used."""
    link = A.standing
    works = rx.fragment("The link works until ", Moment.create(at=link.expires, form="minute"), ".")
    by = rx.cond(link.by != "", " Made by " + link.by + ".", "")
    over = "The link has expired. Make a new one."
    return rx.cond(link.expires == "", otherwise, rx.fragment(rx.cond(link.is_over, over, works), by))


def _asking_dialog() -> rx.Component:
    ends = "The link that was handed out before ends at once, and only the new one works. It is shown only once."
    resets = "It works once, for 24 hours, and is shown only once. The present password works until it is used."
    return Dialog.create(
        rx.el.p(rx.cond(WORKS, ends, resets)),
        dialog_buttons(
            rx.el.button("Cancel", type="button", class_name="button", on_click=A.keep_link),
            rx.el.button("Make link", type="button", class_name="button primary", on_click=A.make_link),
        ),
        open=A.asking,
        title=rx.cond(ACTIVE, "Make a reset link?", "Invite again?"),
        on_close=A.keep_link,
    )


def _link_dialog() -> rx.Component:
    return Dialog.create(
        rx.cond(A.fresh, _link(A.fresh)), open=~A.fresh.is_none(), title=_title(), on_close=A.hide_link
    )


def _title() -> rx.Var[str]:
    link: Any = A.fresh
    return rx.cond(A.fresh & link.invites, "Invitation", "New password").to(str)


def _link(link: rx.Var[FreshLink] | Any) -> rx.Component:
    return rx.fragment(
        rx.el.p(
            "Hand this link to ",
            rx.el.strong(link.name),
            " yourself: it is shown only now, and older links do not work any more.",
        ),
        fresh_link(link),
        dialog_buttons(rx.el.button("Done", type="button", class_name="button primary", on_click=A.hide_link)),
    )


# Leaving -----------------------------------------------------------------------------------------------------


def _leaving_dialog(then: Any) -> rx.Component:
    done = [A.deactivate, then] if then is not None else A.deactivate
    return Dialog.create(
        _consequences(),
        rx.cond(PLAN.open > 0, _handing_over()),
        rx.cond(PLAN.number != "", _reply_choice()),
        rx.el.form(
            rx.cond((PLAN.number != "") & A.replies, _reply()),
            refused(A.problem),
            dialog_buttons(
                rx.el.button("Cancel", type="button", class_name="button", on_click=A.close),
                rx.el.button("Deactivate", type="submit", class_name="button danger"),
            ),
            on_submit=done,
            class_name="stack",
        ),
        open=A.leaving,
        title="Deactivate " + PLAN.name + "?",
        on_close=A.close,
    )


def _consequences() -> rx.Component:
    number = PLAN.number + " is kept for 90 days: families still reach it, and nobody else gets it."
    held = rx.cond(
        PLAN.queued == 1,
        "1 text that waits to be sent is held back.",
        PLAN.queued.to_string() + " texts that wait to be sent are held back.",
    )
    return rx.el.ul(
        _consequence("log-out", "Signed out everywhere at once. Roles and drafts are kept."),
        rx.cond(PLAN.number != "", _consequence("phone", number)),
        rx.cond(PLAN.queued > 0, _consequence("clock", held)),
        class_name="consequences",
    )


def _consequence(icon_name: str, words: Any) -> rx.Component:
    return rx.el.li(icon(icon_name, 18), rx.el.span(words))


def _handing_over() -> rx.Component:
    return rx.el.section(
        rx.el.h3(rx.cond(PLAN.open == 1, "1 open conversation", PLAN.open.to_string() + " open conversations")),
        rx.el.p(
            "With a text in the last 90 days. ",
            rx.cond(PLAN.older > 0, PLAN.older.to_string() + " older ones stay where they are. ", ""),
            "A successor reads what was written before, and gets what these families write from now on.",
            class_name="quiet-text",
        ),
        rx.cond(A.successor, _chosen(A.successor), _search()),
        rx.cond(A.successor, _newcomer(A.successor)),
        rx.cond(A.successor, _conversations()),
        class_name="stack dialog-part",
    )


def _search() -> rx.Component:
    nobody = "Nobody found who sends personal messages at one of the same schools."
    return rx.el.div(
        search_box("Search a successor by name", "", A.find_successor.debounce(200)),
        rx.cond(
            A.found.length() > 0,
            rx.el.ul(rx.foreach(A.found, _candidate), class_name="picks"),
            rx.cond(A.searched, rx.el.p(nobody, class_name="quiet-text", role="status")),
        ),
        rx.el.p(
            icon("info", 16),
            rx.el.span("Without a successor, new texts are kept, and only people with oversight can read them."),
            class_name="note",
        ),
        class_name="stack",
    )


def _candidate(one: rx.Var[Candidate]) -> rx.Component:
    who = rx.el.span(rx.el.strong(one.name), rx.el.span(one.about, class_name="quiet-text"), class_name="two-lines")
    choose = A.choose_successor(one.id)
    pick = rx.el.button(
        avatar(one.initials, one.hue), who, type="button", class_name="person-cell pick", on_click=choose
    )
    return rx.el.li(pick, key=one.id)


def _chosen(one: Any) -> rx.Component:
    return rx.el.div(
        avatar(one.initials, one.hue),
        rx.el.span(rx.el.strong(one.name), rx.el.span(one.about, class_name="quiet-text"), class_name="two-lines"),
        icon_button("x", "Choose somebody else", on_click=A.choose_nobody),
        class_name="person-cell successor",
    )


def _newcomer(one: Any) -> rx.Component:
    warning = one.name + " has never signed in. Until then, what these families write waits unread."
    return rx.cond(
        ~one.has_come,
        rx.el.p(icon("triangle-alert", 16), rx.el.span(warning), role="status", class_name="note warn"),
    )


def _conversations() -> rx.Component:
    more = PLAN.open - PLAN.conversations.length()
    all_of_them = rx.cond(A.going > 0, "Choose none", "Choose all")
    return rx.el.div(
        rx.el.div(
            rx.el.span(A.going, " of ", PLAN.conversations.length(), " chosen", role="status"),
            rx.el.button(all_of_them, type="button", class_name="text-link", on_click=A.toggle_all),
            class_name="hand-over-head",
        ),
        rx.el.div(rx.foreach(PLAN.conversations, _conversation), class_name="conversations", tab_index=0),
        rx.cond(more > 0, rx.el.p("And ", more, " more, which go along.", class_name="help")),
        role="group",
        aria_label="Conversations to hand over",
        class_name="hand-over",
    )


def _conversation(one: rx.Var[Conversation]) -> rx.Component:
    box = rx.el.input(
        type="checkbox",
        checked=(one.stays == "") & ~A.staying.contains(one.id),
        disabled=one.stays != "",
        on_change=A.toggle_conversation(one.id),
    )
    about = rx.cond(
        one.stays != "",
        rx.el.span(one.stays, class_name="help"),
        rx.el.span(
            "Last text ",
            Moment.create(at=one.at, form="list"),
            rx.cond(one.unread > 0, ", " + one.unread.to_string() + " unread", ""),
            class_name="help",
        ),
    )
    return rx.el.label(box, rx.el.strong(one.title), about, class_name="choice", key=one.id)


def _reply_choice() -> rx.Component:
    return rx.el.label(
        rx.el.input(type="checkbox", checked=A.replies, on_change=A.toggle_reply()),
        rx.el.strong("Answer families who write afterwards"),
        rx.el.span("At most once a day each, and never a family that has opted out.", class_name="help"),
        class_name="choice dialog-part",
    )


def _reply() -> rx.Component:
    return field(
        "Automatic reply",
        rx.el.textarea(
            name="reply",
            rows="3",
            max_length=600,
            required=True,
            default_value=PLAN.auto_reply,
            on_change=A.write_reply.debounce(150),
        ),
        A.reply_length,
    )


# Gone, and back ------------------------------------------------------------------------------------------------


def _left() -> rx.Component:
    """What came of it, once it is done."""
    left: Any = A.left
    return rx.cond(
        A.left,
        rx.el.p(
            icon("circle-check", 18),
            rx.el.span(
                "The account is deactivated.",
                rx.cond(left.handed_over > 0, " Conversations handed over: " + left.handed_over.to_string() + ".", ""),
                rx.cond(left.stayed > 0, " Stayed: " + left.stayed.to_string() + ".", ""),
                rx.cond(left.held_back > 0, " Texts held back: " + left.held_back.to_string() + ".", ""),
            ),
            role="status",
            class_name="note",
        ),
    )


def _absence() -> rx.Component:
    gone = A.absence
    return rx.el.div(
        facts(
            ("Deactivated", rx.fragment(_when(gone.since), rx.cond(gone.by != "", ", by " + gone.by, ""))),
            ("Successor", rx.cond(gone.successor != "", _handed_to(), "None")),
            (
                "Number",
                rx.cond(gone.number != "", rx.fragment(gone.number, ", kept until ", _day(gone.kept_until)), "None"),
            ),
            ("Automatic reply", rx.cond(gone.auto_reply != "", rx.el.q(gone.auto_reply, dir="auto"), "None")),
        ),
        rx.cond(A.refusal == "", _button("user-check", "Reactivate…", A.ask_to_reactivate)),
        class_name="stack",
    )


def _handed_to() -> rx.Component:
    one = " (1 conversation)"
    many = " (" + A.absence.handed_over.to_string() + " conversations)"
    name = A.absence.successor
    page = link(name, to="/admin/staff/" + A.absence.successor_id.to_string(), class_name="text-link")
    return rx.fragment(rx.cond(A.absence.successor_id > 0, page, name), rx.cond(A.absence.handed_over == 1, one, many))


def _when(at: rx.Var[str]) -> rx.Component:
    return rx.cond(at != "", Moment.create(at=at, form="minute"), "Before this was written down")


def _day(at: rx.Var[str]) -> rx.Component:
    return Moment.create(at=at, form="minute")


def _returning_dialog(then: Any) -> rx.Component:
    done = [A.reactivate, then] if then is not None else A.reactivate
    return Dialog.create(
        rx.el.ul(
            _consequence("log-in", "Can sign in again, with the roles of before."),
            rx.cond(
                A.absence.number != "", _consequence("phone", "New texts to " + A.absence.number + " come here again.")
            ),
            rx.cond(
                A.absence.successor != "",
                _consequence("messages-square", "What came meanwhile stays with " + A.absence.successor + "."),
            ),
            class_name="consequences",
        ),
        refused(A.problem),
        dialog_buttons(
            rx.el.button("Cancel", type="button", class_name="button", on_click=A.close),
            rx.el.button("Reactivate", type="button", class_name="button primary", on_click=done),
        ),
        open=A.returning,
        title="Reactivate this account?",
        on_close=A.close,
    )
