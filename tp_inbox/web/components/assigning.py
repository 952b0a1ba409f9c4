"""What a person holds, with the dialogs for giving and taking; the one for giving serves the page of a role, too."""

from __future__ import annotations

from typing import Any

import reflex as rx

from tp_inbox.services.assignments import HeldRole, PlaceChoice, RoleChoice
from tp_inbox.web.components.basics import avatar, icon, icon_button
from tp_inbox.web.components.pages import dialog_buttons, field, panel, refused, search_box
from tp_inbox.web.components.scripted import Dialog, Moment
from tp_inbox.web.states.assigning import AssigningState as A, Found

PLACE_ICONS = {"school": "school", "group": "layers", "district": "landmark"}


def roles_panel(then: Any = None) -> rx.Component:
    """Of the person whom ``AssigningState._show`` read. ``then``: an event that reads the rest of the page again."""
    give = rx.el.button(icon("plus", 18), "Give a role", type="button", class_name="button", on_click=A.start)
    return panel(
        "Roles",
        rx.cond(A.held.length() > 0, rx.el.ul(rx.foreach(A.held, _held), class_name="lines")),
        rx.cond(A.elsewhere, _note("This person also holds roles where you do not manage staff.")),
        rx.cond(A.refusal != "", _note(A.refusal)),
        give_dialog(then),
        _take_dialog(then),
        actions=[rx.cond(A.refusal == "", give)],
    )


def _held(held: rx.Var[HeldRole]) -> rx.Component:
    schools = rx.cond(held.schools != "", rx.el.span(held.schools, class_name="quiet-text"))
    return rx.el.li(
        rx.el.span(
            rx.el.strong(held.role),
            rx.el.span(_place_icon(held.kind), held.place, class_name="held-place"),
            schools,
            rx.el.span("Since ", Moment.create(at=held.since, form="since"), class_name="quiet-text"),
            rx.cond(
                (held.kept != "") & (held.kept != A.refusal),
                rx.el.span(icon("lock", 13), held.kept, class_name="quiet-text held-place"),
            ),
            class_name="two-lines held",
        ),
        rx.cond((held.kept == "") & (A.refusal == ""), _take_button(held)),
        key=held.id,
    )


def _take_button(held: rx.Var[HeldRole]) -> rx.Component:
    return rx.el.button(
        "Take away",
        rx.el.span(" " + held.role + ", " + held.place, class_name="visually-hidden"),
        type="button",
        class_name="button small quiet",
        on_click=A.ask_to_take(held.id),
    )


def _place_icon(kind: rx.Var[str]) -> Any:
    return rx.match(
        kind,
        *[(name, icon(shape, 14)) for name, shape in PLACE_ICONS.items()],
        icon("school", 14),
    )


def _note(words: Any) -> rx.Component:
    return rx.el.p(icon("info", 16), rx.el.span(words), class_name="note")


# Giving --------------------------------------------------------------------------------------------------------


def give_dialog(then: Any = None) -> rx.Component:
    """Open after ``AssigningState.start`` for a person, or ``start_for_role`` for a role."""
    done = [A.give, then] if then is not None else A.give
    return Dialog.create(
        rx.cond(A.fixed_role != "", _people(), _role()),
        rx.cond(A.places.length() > 0, _where()),
        _reasons(),
        dialog_buttons(
            rx.el.button("Cancel", type="button", class_name="button", on_click=A.close),
            rx.el.button("Give role", type="button", class_name="button primary", on_click=done),
        ),
        open=A.giving,
        title=rx.cond(A.fixed_role != "", "Give “" + A.fixed_role + "”", "Give a role"),
        on_close=A.close,
    )


def _role() -> rx.Component:
    return field(
        "Role",
        rx.el.select(
            rx.el.option("Choose a role", value="0"),
            rx.foreach(A.roles, _role_option),
            value=A.role_id.to_string(),
            on_change=lambda value: A.choose_role(value.to(int)),
        ),
        rx.cond(A.allows != "", "Allows: " + A.allows + ".", "You can give roles that allow no more than you may do."),
    )


def _role_option(role: rx.Var[RoleChoice]) -> rx.Component:
    return rx.el.option(role.name, value=role.id.to_string(), key=role.id)


def _people() -> rx.Component:
    return rx.el.div(
        search_box("Find people by name or e-mail", "", A.find_person.debounce(200)),
        rx.cond(
            A.found.length() > 0,
            rx.el.ul(rx.foreach(A.found, _found), class_name="picks"),
            rx.cond(A.searched, rx.el.p("Nobody found.", class_name="quiet-text", role="status")),
        ),
        rx.cond(A.people.length() > 0, rx.el.ul(rx.foreach(A.people, _chosen), class_name="tags")),
        class_name="stack",
    )


def _found(person: rx.Var[Found]) -> rx.Component:
    return rx.el.li(
        rx.el.button(
            avatar(person.initials, person.hue),
            rx.el.span(
                rx.el.strong(person.name), rx.el.span(person.email, class_name="quiet-text"), class_name="two-lines"
            ),
            type="button",
            class_name="person-cell pick",
            on_click=A.add_person(person.id),
        ),
        key=person.id,
    )


def _chosen(person: rx.Var[Found]) -> rx.Component:
    return rx.el.li(
        person.name,
        icon_button("x", "Leave out " + person.name, on_click=A.remove_person(person.id)),
        class_name="tag removable",
        key=person.id,
    )


def _where() -> rx.Component:
    return place_choices(A.shown_places, A.chosen, A.choose_place, A.has_many_places, A.find_place, A.role_id)


def place_choices(
    places: rx.Var[list[PlaceChoice]],
    chosen: rx.Var[list[str]],
    choose: Any,
    many: rx.Var[bool],
    search: Any,
    role_id: rx.Var[int],
) -> rx.Component:
    """Ticks for schools, groups or the district, with a box to search them when they are many."""
    return rx.el.fieldset(
        rx.el.legend("Where"),
        rx.cond(many, search_box("Find a school or group", "", search)),
        rx.el.div(rx.foreach(places, lambda place: _place(place, chosen, choose)), class_name="ticks", key=role_id),
        class_name="where",
    )


def _place(place: rx.Var[PlaceChoice], chosen: rx.Var[list[str]], choose: Any) -> rx.Component:
    return rx.el.label(
        rx.el.input(
            type="checkbox",
            default_checked=chosen.contains(place.key),
            on_change=lambda on: choose(place.key, rx.cond(on, 1, 0)),
        ),
        rx.el.span(_place_icon(place.kind), place.name, class_name="held-place"),
        rx.cond(place.about != "", rx.el.span(place.about, class_name="help")),
        class_name="choice",
        key=place.key,
    )


def _reasons() -> rx.Component:
    return rx.fragment(
        refused(A.problem),
        rx.cond(
            A.reasons.length() > 0,
            rx.el.ul(rx.foreach(A.reasons, _reason), class_name="note bad reasons"),
        ),
    )


def _reason(reason: rx.Var[str]) -> rx.Component:
    return rx.el.li(reason)


# Taking --------------------------------------------------------------------------------------------------------


def _take_dialog(then: Any) -> rx.Component:
    done = [A.take, then] if then is not None else A.take
    return Dialog.create(
        rx.cond(
            A.taking,
            rx.el.p(
                "“" + A.taking.role + "” at ",
                rx.el.strong(A.taking.place),
                " goes at once, with everything that it allows. What was written stays, drafts too.",
            ),
        ),
        _reasons(),
        dialog_buttons(
            rx.el.button("Keep it", type="button", class_name="button", on_click=A.keep),
            rx.el.button("Take away", type="button", class_name="button danger", on_click=done),
        ),
        open=A.taking.bool(),
        title="Take this role away?",
        on_close=A.keep,
    )
