"""A conversation in oversight: first why one reads it, then its bubbles, and nowhere to write."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.oversight import LEAST_REASON, MOST_REASON
from tp_inbox.services.views import MessageRow
from tp_inbox.web.components.basics import avatar, empty, icon, icon_button, link, on_its_way
from tp_inbox.web.components.bubbles import message, status_line
from tp_inbox.web.components.family_panel import family_button
from tp_inbox.web.components.pages import refused
from tp_inbox.web.components.scripted import Address, Moment, Timeline
from tp_inbox.web.states.oversight_page import REASON, TITLE, OversightPage

HEAD = OversightPage.head
USUAL_REASONS = ("Safety concern", "Parent complaint", "Records request")
LOGGED = "What you open is logged. The person whose conversation it is sees who read it, when, and why."


def overseen_thread() -> rx.Component:
    return rx.el.section(
        rx.cond(
            HEAD.id > 0,
            rx.fragment(
                _head(),
                rx.cond(HEAD.own, _own(), rx.cond(OversightPage.asking, _door(), rx.fragment(_timeline(), _foot()))),
            ),
            rx.cond(
                OversightPage.missing != "",
                empty("lock", "Not available", OversightPage.missing, _to_the_list("Back to oversight")),
                rx.cond(Address.overseen > 0, rx.fragment(), empty("eye", "Choose a conversation", LOGGED)),
            ),
        ),
        rx.cond((Address.overseen != HEAD.id) & (Address.overseen > 0) & (OversightPage.missing == ""), on_its_way()),
        class_name="thread",
        aria_label="Conversation",
        custom_attrs={"data-box": rx.cond(HEAD.personal | (HEAD.id == 0), "personal", "school")},
    )


def _head() -> rx.Component:
    return rx.el.header(
        link(icon("chevron-left", 24), to="/oversight", class_name="icon-button back", aria_label="Back to the list"),
        avatar(HEAD.initials, HEAD.hue),
        rx.el.div(
            rx.el.h2(HEAD.title, id=TITLE, tab_index=-1),
            rx.el.p(
                HEAD.about,
                rx.cond(
                    (HEAD.phone != "") & (HEAD.title != HEAD.phone),
                    rx.el.span(" · " + HEAD.phone, class_name="thread-number"),
                ),
            ),
            class_name="thread-title",
        ),
        _whose(),
        rx.cond(
            ~OversightPage.asking & ~HEAD.own,
            icon_button("refresh-cw", "Look for new messages", on_click=OversightPage.show_newest),
        ),
        rx.cond(HEAD.manages & ~HEAD.own, family_button(OversightPage.family_shown, OversightPage.toggle_family)),
        class_name="thread-head",
    )


def _whose() -> rx.Component:
    return rx.el.div(
        rx.cond(
            HEAD.personal,
            rx.fragment(
                avatar(HEAD.whose_initials, HEAD.whose_hue),
                rx.el.span(
                    rx.el.strong(HEAD.whose),
                    rx.el.span(rx.cond(HEAD.has_left, "has left", HEAD.whose_title), class_name="quiet-text"),
                    class_name="two-lines",
                ),
            ),
            rx.fragment(icon("school", 18), rx.el.strong(HEAD.whose + " inbox")),
        ),
        class_name="whose",
    )


def _own() -> rx.Component:
    to = "/messages/school/" + HEAD.id.to_string()
    return empty(
        "messages-square",
        "You have this inbox yourself",
        "You can read this conversation under Messages.",
        link("Open in Messages", to=to, class_name="button primary"),
    )


def _door() -> rx.Component:
    return rx.el.div(
        rx.el.form(
            rx.el.div(
                rx.el.h3("Why do you need to read this?"),
                rx.el.p(
                    "This is ",
                    rx.el.strong(HEAD.whose),
                    "’s own conversation with ",
                    rx.el.strong(HEAD.title),
                    ". ",
                    rx.cond(HEAD.at != "", rx.fragment("Its last message: ", Moment.create(at=HEAD.at, form="list"))),
                ),
                class_name="door-words",
            ),
            rx.el.div(
                rx.foreach(list(USUAL_REASONS), _suggestion),
                class_name="suggestions",
                role="group",
                aria_label="Usual reasons",
            ),
            rx.el.input(type="hidden", name="thread", value=HEAD.id.to_string(), read_only=True),
            rx.el.label(
                "Reason",
                rx.el.textarea(
                    name="reason",
                    id=REASON,
                    rows="3",
                    required=True,
                    min_length=LEAST_REASON,
                    max_length=MOST_REASON,
                    auto_focus=True,
                    default_value=OversightPage.suggested,
                    key=HEAD.id.to_string() + OversightPage.suggested,
                ),
            ),
            refused(OversightPage.problem),
            rx.el.p(
                icon("eye", 18),
                rx.el.span(
                    rx.el.strong(HEAD.whose),
                    " will see that you read this, when, and why. It also goes into the audit log.",
                ),
                class_name="note",
            ),
            rx.el.div(
                rx.el.button("Open conversation", type="submit", class_name="button primary"),
                _to_the_list("Cancel"),
                class_name="buttons",
            ),
            on_submit=OversightPage.give_reason,
            class_name="card stack",
        ),
        class_name="door",
    )


def _suggestion(words: rx.Var[str]) -> rx.Component:
    return rx.el.button(words, type="button", class_name="suggestion", on_click=OversightPage.suggest(words))


def _timeline() -> rx.Component:
    """Without ``on_seen``: reading here marks nothing as read."""
    return Timeline.create(
        rx.cond(
            OversightPage.older,
            rx.el.button(
                "Show older messages", type="button", class_name="button quiet older", on_click=OversightPage.show_older
            ),
        ),
        rx.cond(
            OversightPage.bubbles.length() == 0,
            empty("message-square-dashed", "Nothing here", "Nothing has been written in this conversation."),
        ),
        rx.foreach(OversightPage.bubbles, _message),
        thread=HEAD.id,
        newest=OversightPage.last_id,
        oldest=OversightPage.first_id,
        newer=OversightPage.newer,
        on_newest=OversightPage.show_newest,
    )


def _message(row: rx.Var[MessageRow]) -> rx.Component:
    return message(row, True, status_line(row, row, OversightPage.last_out_id))


def _foot() -> rx.Component:
    """Where one's own thread has its composer."""
    whose = rx.cond(
        HEAD.personal,
        rx.fragment("You are reading ", rx.el.strong(HEAD.whose), "’s own messages, and they can see that you did. "),
        rx.fragment("You are reading the shared inbox of ", rx.el.strong(HEAD.whose), ". This is logged. "),
    )
    return rx.el.footer(
        rx.el.div(
            icon("eye", 18),
            rx.el.p(whose, "Nothing is marked as read, and nothing can be written from here."),
            class_name="closed",
            role="status",
        ),
        class_name="composer",
    )


def _to_the_list(words: str) -> rx.Component:
    return link(words, to="/oversight", class_name="button")
