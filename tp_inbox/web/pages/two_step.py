"""What is asked after the password: the code of the second step, or to set one up."""

from __future__ import annotations

import reflex as rx

from tp_inbox.web.components.scripted import CodeStep, SetUpStep
from tp_inbox.web.pages.sign_in import sample


def code() -> rx.Component:
    return _beside_the_sample(CodeStep.create())


def set_up() -> rx.Component:
    return _beside_the_sample(SetUpStep.create())


def _beside_the_sample(step: rx.Component) -> rx.Component:
    card = rx.el.div(rx.el.img(src="/logo.svg", alt=""), step, class_name="card")
    return rx.el.main(sample(), rx.el.div(card, class_name="sign-in-side"), class_name="sign-in")
