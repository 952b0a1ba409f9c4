"""The second step and the password: one's own in Settings, another person's on their page in Admin."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.passwords import MIN_CHARACTERS
from tp_inbox.services.second_step import Connected
from tp_inbox.web.components.pages import dialog_buttons, field, panel, refused, tag
from tp_inbox.web.components.scripted import Dialog, OwnSecondStep
from tp_inbox.web.states.own_password import OwnPasswordState
from tp_inbox.web.states.second_step_panel import SecondStepPanel

Own, Panel = OwnPasswordState, SecondStepPanel


def own_second_step() -> rx.Component:
    return OwnSecondStep.create()


def own_password() -> rx.Component:
    return panel(
        "Password",
        rx.el.form(
            field("Present password", _password("present", "current-password")),
            field("New password", _password("new", "new-password"), f"At least {MIN_CHARACTERS} characters."),
            field("New password again", _password("again", "new-password")),
            refused(Own.problem),
            rx.el.div(
                rx.el.button("Change password", type="submit", class_name="button"),
                rx.el.span(
                    rx.cond(Own.changed > 0, "Changed. Every other browser is signed out.", ""),
                    role="status",
                    class_name="saved",
                ),
                class_name="buttons",
            ),
            on_submit=Own.change,
            key=Own.changed.to_string(),
            class_name="form",
        ),
    )


def second_step_panel() -> rx.Component:
    """Of the person whom the page has shown to ``SecondStepPanel``; nothing for those who may not see it."""
    return rx.cond(
        Panel.shown,
        panel(
            "Signing in",
            rx.el.ul(
                rx.el.li(_two_lines("Two-step sign-in", _about()), _state()),
                rx.cond(
                    Panel.identities.length() > 0,
                    rx.foreach(Panel.identities, _identity),
                    rx.el.li(_two_lines("Single sign-on", "Not used yet")),
                ),
                class_name="lines",
            ),
            rx.cond(
                Panel.may_reset,
                rx.el.button(
                    "Reset two-step sign-in", type="button", class_name="button quiet panel-action", on_click=Panel.ask
                ),
            ),
            _asking(),
            _parting(),
        ),
    )


def _password(name: str, kind: str) -> rx.Component:
    return rx.el.input(name=name, type="password", auto_complete=kind, required=True, max_length=200)


def _two_lines(title: str, about: rx.Var[str] | str) -> rx.Component:
    return rx.el.span(rx.el.strong(title), rx.el.span(about, class_name="quiet-text"), class_name="two-lines")


def _about() -> rx.Var[str]:
    left = rx.cond(Panel.codes_left == 1, "1 recovery code left", Panel.codes_left.to_string() + " recovery codes left")
    waiting = rx.cond(Panel.demanded, "A role asks for it; it is set up at the next sign-in", "Not set up")
    return rx.cond(Panel.on, left, waiting)


def _state() -> rx.Component:
    return rx.cond(Panel.on, tag("On"), rx.cond(Panel.demanded, tag("Waiting", "warn"), tag("Off", "quiet")))


def _identity(identity: rx.Var[Connected]) -> rx.Component:
    return rx.el.li(
        _two_lines("Single sign-on", identity.issuer),
        rx.cond(
            Panel.may_disconnect,
            rx.el.button(
                "Disconnect",
                type="button",
                class_name="button quiet",
                aria_label="Disconnect " + identity.issuer,
                on_click=Panel.ask_to_disconnect(identity.id),
            ),
        ),
    )


def _parting() -> rx.Component:
    words = (
        " no longer signs them in, and they are signed out everywhere. Whoever signs in there next with their e-mail "
        "address is connected to this account. Make sure that the address is still this person’s."
    )
    return Dialog.create(
        rx.el.p(rx.el.strong(Panel.parting.issuer), words),
        dialog_buttons(
            rx.el.button("Cancel", type="button", class_name="button", on_click=Panel.keep),
            rx.el.button("Disconnect", type="button", class_name="button danger", on_click=Panel.disconnect),
        ),
        open=Panel.parting.id > 0,
        title="Disconnect single sign-on",
        on_close=Panel.keep,
    )


def _asking() -> rx.Component:
    words = (
        "For somebody whose phone is lost. They are signed out everywhere, and their app and recovery codes stop "
        "working. Make sure that it is really this person who asks."
    )
    return Dialog.create(
        rx.el.p(words),
        dialog_buttons(
            rx.el.button("Cancel", type="button", class_name="button", on_click=Panel.leave),
            rx.el.button("Reset", type="button", class_name="button danger", on_click=Panel.reset_it),
        ),
        open=Panel.asking,
        title="Reset two-step sign-in",
        on_close=Panel.leave,
    )
