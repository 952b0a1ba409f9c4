"""Signing in. The browser posts this form itself, so that the answer can set an HttpOnly cookie."""

from __future__ import annotations

import reflex as rx

from tp_inbox.web.components.basics import NativeForm
from tp_inbox.web.components.scripted import SignInProblem


def sign_in() -> rx.Component:
    return rx.el.main(
        rx.el.div(
            rx.el.img(src="/logo.svg", alt="", width="48", height="48"),
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
            class_name="card",
        ),
        class_name="sign-in",
    )
