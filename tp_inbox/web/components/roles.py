"""One role: its form, its holders, its switch for signing in, and the dialogs that say what a change means."""

from __future__ import annotations

from typing import Any

import reflex as rx

from tp_inbox.domain.roles import LONGEST_NAME
from tp_inbox.services.role_effects import Effect, EffectLine, PersonEffect
from tp_inbox.services.role_views import HolderView, RoleView
from tp_inbox.web.components.assigning import give_dialog
from tp_inbox.web.components.basics import avatar, icon, link
from tp_inbox.web.components.pages import (
    cell,
    dialog_buttons,
    field,
    page_head,
    panel,
    refused,
    row,
    search_box,
    table,
    tag,
)
from tp_inbox.web.components.role_preview import role_preview
from tp_inbox.web.components.scripted import Dialog, Moment, PermissionTree, SaveButton
from tp_inbox.web.states.assigning import AssigningState
from tp_inbox.web.states.role_editor import NAME
from tp_inbox.web.states.roles_page import RolesPage

FEW = 8
"""So many holders are found by looking at them."""
UP = ("Roles", "/admin/roles")


def one_role() -> rx.Component:
    role = RolesPage.role
    return rx.fragment(
        page_head(
            role.name,
            link(icon("copy", 18), "Copy", to=f"/admin/roles/new/{role.id}", class_name="button"),
            rx.cond(
                role.locked == "",
                rx.el.button(
                    icon("trash-2", 18), "Delete", type="button", class_name="button", on_click=RolesPage.ask_deletion
                ),
            ),
            about=_kind(),
            back=UP,
        ),
        rx.cond(role.locked != "", rx.el.p(icon("lock", 18), role.locked, class_name="note role-note")),
        rx.el.div(
            rx.el.div(_form("Review changes"), _holders()),
            rx.el.div(_second_step(), role_preview()),
            class_name="columns",
        ),
        _review(),
        _end(),
    )


def new_role() -> rx.Component:
    return rx.fragment(
        page_head("New role", about="Nobody holds it until you give it to somebody.", back=UP),
        rx.el.div(
            rx.el.div(panel("Begin with", _level(), _source()), _form("Create role")),
            rx.el.div(role_preview()),
            class_name="columns",
        ),
    )


def _kind() -> rx.Component:
    role = RolesPage.role
    return rx.el.span(
        tag(rx.cond(role.base, "Base role", "Custom role"), "quiet"),
        tag(rx.cond(role.level == "school", "Held at schools", "Held at the district"), "quiet"),
        class_name="tags",
    )


# The form ---------------------------------------------------------------------------------------------------


def _form(submit: str) -> rx.Component:
    role = RolesPage.role
    return rx.el.form(
        rx.el.section(
            rx.cond(role.base, rx.fragment(), _name()),
            rx.el.h2("What it allows"),
            rx.cond(RolesPage.fallen.length() > 0, _fallen()),
            PermissionTree.create(
                groups=RolesPage.groups,
                chosen=RolesPage.chosen,
                name="permissions",
                locked=role.locked != "",
                on_tick=RolesPage.tick,
                key=RolesPage.version.to_string(),
            ),
            refused(RolesPage.problem),
            rx.cond(
                role.locked == "",
                rx.el.div(_save_button(submit), class_name="buttons"),
            ),
            class_name="card stack role-form",
        ),
        on_submit=RolesPage.review,
    )


def _save_button(submit: str) -> rx.Component:
    return SaveButton.create(
        label=submit, name=RolesPage.name, permissions=RolesPage.begun_with, idle=RolesPage.role.id == 0
    )


def _name() -> rx.Component:
    return field(
        "Name",
        rx.el.input(
            id=NAME,
            name="name",
            aria_invalid=RolesPage.name_problem != "",
            default_value=RolesPage.name,
            max_length=LONGEST_NAME,
            auto_complete="off",
            read_only=RolesPage.role.locked != "",
            key=f"{RolesPage.role.id}-{RolesPage.name}",
        ),
        problem=RolesPage.name_problem,
    )


def _fallen() -> rx.Component:
    where = rx.cond(RolesPage.level == "school", "district", "school")
    return rx.el.div(
        icon("info", 18),
        rx.el.p(
            "These permissions exist only in a " + where + " role, so this one goes without them: ",
            rx.el.strong(RolesPage.fallen.join(", ")),
            ".",
        ),
        role="status",
        class_name="note warn",
    )


def _level() -> rx.Component:
    return rx.el.fieldset(
        rx.el.legend("Where it is held"),
        _level_choice("school", "At schools", "Personal messages and the school’s inbox exist only here."),
        _level_choice("district", "At the district", "Gives no inbox and no number; what it allows holds everywhere."),
        class_name="levels",
    )


def _level_choice(level: str, title: str, about: str) -> rx.Component:
    return rx.el.label(
        rx.el.input(
            type="radio",
            name="level",
            value=level,
            checked=RolesPage.level == level,
            on_change=RolesPage.choose_level(level),
        ),
        rx.el.strong(title),
        rx.el.span(about, class_name="help"),
        class_name="choice",
    )


def _source() -> rx.Component:
    return field(
        "Start as",
        rx.el.select(
            rx.el.option("An empty role", value="0"),
            rx.foreach(RolesPage.sources, _source_choice),
            value=RolesPage.source_id.to_string(),
            on_change=lambda value: RolesPage.choose_source(value.to(int)),
        ),
    )


def _source_choice(role: rx.Var[RoleView]) -> rx.Component:
    level = rx.cond(role.level == "school", " (school)", " (district)")
    return rx.el.option("A copy of " + role.name + level, value=role.id.to_string())


# What stands beside it --------------------------------------------------------------------------------------


def _second_step() -> rx.Component:
    on = RolesPage.role.two_step
    return panel(
        "Signing in",
        rx.el.button(
            rx.el.span(class_name="switch-track"),
            rx.el.span(
                rx.el.strong("Holders sign in with a second step"),
                rx.el.span(
                    "A code from an app, after the password. Whoever has none yet sets it up at once, "
                    "and so do you if you hold this role.",
                    class_name="help",
                ),
                class_name="two-lines",
            ),
            type="button",
            role="switch",
            aria_checked=rx.cond(on, "true", "false"),
            class_name="switch",
            on_click=RolesPage.switch_second_step,
        ),
        _asking_for_second_step(),
    )


def _asking_for_second_step() -> rx.Component:
    ask = RolesPage.require_second_step
    return Dialog.create(
        rx.el.p(RolesPage.second_step),
        dialog_buttons(
            rx.el.button("Cancel", type="button", class_name="button", on_click=RolesPage.close_second_step),
            rx.el.button("Ask for a second step", type="button", class_name="button primary", on_click=ask),
        ),
        open=RolesPage.second_step != "",
        title="Ask holders for a second step?",
        on_close=RolesPage.close_second_step,
    )


def _holders() -> rx.Component:
    nobody = rx.cond(
        RolesPage.holder_words == "", "Nobody holds this role yet.", "Nobody of this name holds this role."
    )
    return panel(
        "Who holds it",
        rx.cond(
            (RolesPage.holders.length() > FEW) | (RolesPage.holder_words != ""),
            search_box("Find by name", RolesPage.holder_words, RolesPage.find_holder.debounce(200)),
        ),
        rx.cond(
            RolesPage.holders.length() > 0,
            table(
                "Who holds it",
                ("Person", "Where", "Since", _hidden("Take away")),
                rx.foreach(RolesPage.holders, _holder),
            ),
            rx.el.p(nobody, class_name="quiet-text"),
        ),
        rx.cond(
            RolesPage.more_holders,
            rx.el.button(
                "Show more", type="button", class_name="button quiet older", on_click=RolesPage.show_more_holders
            ),
        ),
        give_dialog(RolesPage.holders_changed),
        _taking(),
        actions=[rx.cond(RolesPage.gives_roles, _give_button())],
    )


def _give_button() -> rx.Component:
    give = AssigningState.start_for_role(RolesPage.role.id)
    return rx.el.button(icon("user-plus", 18), "Give to people", type="button", class_name="button", on_click=give)


def _taking() -> rx.Component:
    return Dialog.create(
        rx.cond(
            RolesPage.taking,
            rx.el.p(
                rx.el.strong(RolesPage.taking.name),
                " holds it here: ",
                RolesPage.taking.where,
                ". It goes at once. What was written stays, drafts too.",
            ),
        ),
        refused(RolesPage.take_problem),
        dialog_buttons(
            rx.el.button("Keep it", type="button", class_name="button", on_click=RolesPage.keep),
            rx.el.button("Take away", type="button", class_name="button danger", on_click=RolesPage.take),
        ),
        open=RolesPage.taking.bool(),
        title="Take “" + RolesPage.role.name + "” away?",
        on_close=RolesPage.keep,
    )


def _holder(holder: rx.Var[HolderView]) -> rx.Component:
    return row(
        cell(
            "Person",
            rx.el.div(
                avatar(holder.initials, holder.hue),
                rx.el.span(
                    link(holder.name, to=f"/admin/staff/{holder.staff_id}", class_name="text-link"),
                    rx.el.span(holder.title, class_name="quiet-text"),
                    class_name="two-lines",
                ),
                rx.cond(holder.active, rx.fragment(), tag("Has left", "warn")),
                class_name="person-cell",
            ),
        ),
        cell("Where", holder.where),
        cell("Since", Moment.create(at=holder.since, form="day")),
        cell("", rx.cond(RolesPage.gives_roles & ~holder.own, _take_button(holder))),
        key=holder.id,
    )


def _take_button(holder: rx.Var[HolderView]) -> rx.Component:
    return rx.el.button(
        "Take away",
        _hidden(" from " + holder.name + ", " + holder.where),
        type="button",
        class_name="button small quiet",
        on_click=RolesPage.ask_to_take(holder.id),
    )


def _hidden(words: Any) -> rx.Component:
    return rx.el.span(words, class_name="visually-hidden")


# Before it is saved -----------------------------------------------------------------------------------------


def _review() -> rx.Component:
    return Dialog.create(
        refused(RolesPage.outdated),
        rx.cond(
            RolesPage.effect.called != "",
            rx.el.p("Will be called ", rx.el.strong("“", RolesPage.effect.called, "”"), "."),
        ),
        _effect(RolesPage.effect),
        dialog_buttons(
            rx.el.button("Back", type="button", class_name="button", on_click=RolesPage.close_review),
            rx.el.button("Save changes", type="button", class_name="button primary", on_click=RolesPage.save),
        ),
        open=RolesPage.reviewing,
        title="What changes for whom",
        on_close=RolesPage.close_review,
    )


def _effect(effect: rx.Var[Effect]) -> rx.Component:
    return rx.el.div(
        rx.cond(
            (effect.gains.length() > 0) | (effect.loses.length() > 0),
            rx.el.div(_differences("The role gains", effect.gains, ""), _differences("It loses", effect.loses, "bad")),
        ),
        _people_changed(effect),
        class_name="stack",
    )


def _people_changed(effect: rx.Var[Effect]) -> rx.Component:
    return rx.el.div(
        rx.el.p(effect.headline, class_name="effect-headline"),
        rx.cond(
            effect.people.length() > 0,
            rx.el.ul(rx.foreach(effect.people, _person), class_name="lines effect-people", tab_index=0),
        ),
        rx.cond(effect.more == 1, rx.el.p("And 1 more person.", class_name="quiet-text")),
        rx.cond(effect.more > 1, rx.el.p("And ", effect.more, " more people.", class_name="quiet-text")),
        rx.foreach(effect.about, lambda sentence: rx.el.p(sentence, class_name="quiet-text")),
        class_name="stack",
    )


def _differences(title: str, labels: rx.Var[list[str]], kind: str) -> rx.Component:
    return rx.cond(
        labels.length() > 0,
        rx.el.p(
            rx.el.span(title, class_name="quiet-text"),
            rx.foreach(labels, lambda label: tag(label, kind)),
            class_name="tags differences",
        ),
    )


def _person(person: rx.Var[PersonEffect]) -> rx.Component:
    return rx.el.li(rx.el.strong(person.name), rx.el.div(rx.foreach(person.lines, _line), class_name="effect-lines"))


def _line(line: rx.Var[EffectLine]) -> rx.Component:
    return rx.el.div(
        rx.el.span("At ", line.where, class_name="quiet-text"),
        _change("Gains", line.gains, "plus", "gains"),
        _change("Loses", line.loses, "minus", "loses"),
    )


def _change(title: str, labels: rx.Var[str], icon_name: str, class_name: str) -> rx.Component:
    shown = rx.el.span(icon(icon_name, 14), rx.el.span(title, ": ", labels), class_name=f"change {class_name}")
    return rx.cond(labels != "", shown)


# Its end ----------------------------------------------------------------------------------------------------


def _end() -> rx.Component:
    stuck = (RolesPage.deletion.left != "") & (RolesPage.successor_id == 0)
    return Dialog.create(
        rx.cond(
            RolesPage.deletion.holders > 0,
            rx.fragment(rx.cond(stuck, _left()), _successor(), _people_changed(RolesPage.deletion.effect)),
            rx.el.p("Nobody holds this role. Once deleted, it cannot be brought back."),
        ),
        refused(RolesPage.delete_problem),
        dialog_buttons(
            rx.el.button("Cancel", type="button", class_name="button", on_click=RolesPage.close_deletion),
            rx.el.button(
                rx.cond(RolesPage.successor_id > 0, "Move holders and delete", "Delete role"),
                type="button",
                class_name="button danger",
                disabled=stuck,
                on_click=RolesPage.delete,
            ),
        ),
        open=RolesPage.deleting,
        title="Delete “" + RolesPage.role.name + "”?",
        on_close=RolesPage.close_deletion,
    )


def _left() -> rx.Component:
    return rx.el.div(
        icon("triangle-alert", 18),
        rx.el.p(
            RolesPage.deletion.left,
            " would be left without any role, and everybody keeps at least one. "
            "Choose a role that all holders get in its place.",
        ),
        class_name="note warn",
    )


def _successor() -> rx.Component:
    nothing = rx.cond(RolesPage.deletion.left != "", "Choose a role", "No other role")
    return field(
        "All holders get instead, at the same places",
        rx.el.select(
            rx.el.option(nothing, value="0"),
            rx.foreach(RolesPage.deletion.successors, lambda r: rx.el.option(r.name, value=r.id.to_string())),
            value=RolesPage.successor_id.to_string(),
            on_change=lambda value: RolesPage.choose_successor(value.to(int)),
        ),
    )
