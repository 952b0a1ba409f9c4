"""One's own settings."""

from __future__ import annotations

import reflex as rx

from tp_inbox.web.components.basics import skeleton
from tp_inbox.web.components.oversight_readings import who_has_read
from tp_inbox.web.components.second_step import own_password, own_second_step
from tp_inbox.web.components.sessions import sessions_panel
from tp_inbox.web.components.shell import shell, sign_out_form
from tp_inbox.web.states.settings_page import SettingsPage
from tp_inbox.web.states.shell import ShellState

SAMPLE = "Mia did very well today."


def settings() -> rx.Component:
    return shell(
        rx.el.div(
            rx.el.h1("Settings"),
            rx.cond(
                ShellState.ready,
                rx.fragment(
                    rx.cond(ShellState.tabs.personal, _signature()),
                    who_has_read(),
                    own_password(),
                    sessions_panel(),
                    _signing_out(),
                    own_second_step(),  # asks the server by itself, and grows when it knows: nothing stands below
                ),
                skeleton(3, "card"),
            ),
            class_name="page narrow",
        ),
        here="settings",
    )


def _signing_out() -> rx.Component:
    return rx.el.section(
        rx.el.h2("Signing out"),
        rx.el.p("Signed in as ", rx.el.strong(ShellState.name), "."),
        rx.el.div(
            sign_out_form("Sign out", "/auth/sign-out"),
            sign_out_form("Sign out everywhere", "/auth/sign-out-everywhere", "button quiet"),
            class_name="buttons",
        ),
        class_name="card",
    )


def _signature() -> rx.Component:
    return rx.el.section(
        rx.el.h2("Personal signature"),
        rx.el.p("It goes under every personal message. Messages on behalf of the school do not carry it."),
        rx.el.form(
            rx.el.label(
                "Signature",
                rx.el.textarea(
                    name="signature",
                    rows="2",
                    max_length=200,
                    default_value=SettingsPage.signature,
                    on_change=SettingsPage.type.debounce(100),
                ),
                key=SettingsPage.signature,
            ),
            _preview(),
            rx.cond(SettingsPage.problem != "", rx.el.p(SettingsPage.problem, role="alert", class_name="refused")),
            rx.el.div(
                rx.el.button("Save", type="submit", class_name="button primary"),
                rx.el.span(rx.cond(SettingsPage.saved, "Saved.", ""), role="status", class_name="saved"),
                class_name="buttons",
            ),
            on_submit=SettingsPage.save,
        ),
        class_name="card",
    )


def _preview() -> rx.Component:
    words = rx.el.span(SAMPLE, rx.cond(SettingsPage.typed != "", "\n" + SettingsPage.typed, ""), dir="auto")
    return rx.el.div(
        rx.el.span("How a family reads it", class_name="preview-label"),
        rx.el.div(words, class_name="bubble preview"),
        class_name="signature-preview",
    )
