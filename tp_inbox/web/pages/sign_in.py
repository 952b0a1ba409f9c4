"""Signing in. The browser posts this form itself, so that the answer can set an HttpOnly cookie."""

from __future__ import annotations

import reflex as rx

from tp_inbox.web.components.basics import NativeForm
from tp_inbox.web.components.scripted import SignInProblem, SignInProviders

SAMPLE = (
    ("out", "Good morning Ms. Ali. Ayaan did very well on his science project today."),
    ("in", "Oh, thank you! He worked on it all weekend."),
    ("in", "Could we talk on Thursday?"),
    ("out", "Of course. I am in my office until 4."),
)


def sign_in() -> rx.Component:
    return rx.el.main(sample(), rx.el.div(_card(), class_name="sign-in-side"), class_name="sign-in")


def sample() -> rx.Component:
    """What the product is, in a picture made of its own bubbles; nothing in it is anybody's."""
    bubbles = [rx.el.div(rx.el.div(words, class_name="bubble"), class_name=f"message {side}") for side, words in SAMPLE]
    return rx.el.div(
        rx.el.div(*bubbles, class_name="sample-thread"),
        rx.el.div(
            rx.el.strong("Families answer texts."),
            rx.el.span("One inbox for your school and everyone who works there."),
            class_name="sample-words",
        ),
        class_name="sample",
        aria_hidden="true",
    )


def _card() -> rx.Component:
    return rx.el.div(
        rx.el.img(src="/logo.svg", alt=""),
        rx.el.h1("Sign in"),
        rx.el.p("Messages between your school and its families.", class_name="quiet-text"),
        SignInProblem.create(),
        NativeForm.create(
            rx.el.label(
                "E-mail address",
                rx.el.input(name="email", type="email", auto_complete="username", required=True, auto_focus=True),
            ),
            rx.el.label(
                "Password",
                rx.el.input(name="password", type="password", auto_complete="current-password", required=True),
            ),
            rx.el.button("Sign in", type="submit", class_name="button primary wide"),
            action="/auth/sign-in",
            method="post",
            class_name="sign-in-form",
        ),
        SignInProviders.create(),
        class_name="card",
    )
