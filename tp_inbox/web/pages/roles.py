"""Roles: the list, all of them side by side, and one of them."""

from __future__ import annotations

import reflex as rx

from tp_inbox.services.role_views import ComparedGroup, ComparedPermission, Comparison, RoleView
from tp_inbox.web.components.basics import empty, icon, link
from tp_inbox.web.components.pages import admin_page, cell, page_head, row, table
from tp_inbox.web.components.roles import new_role, one_role
from tp_inbox.web.states.roles_page import RolesPage


def roles() -> rx.Component:
    return admin_page(
        RolesPage,
        "roles",
        rx.match(
            RolesPage.view,
            ("role", one_role()),
            ("new", new_role()),
            ("compare", _comparison()),
            _list(),
        ),
    )


def _list() -> rx.Component:
    return rx.fragment(
        page_head(
            "Roles",
            link(icon("columns-3", 18), "Compare", to="/admin/roles/compare", class_name="button"),
            link(icon("plus", 18), "New role", to="/admin/roles/new", class_name="button primary"),
            about="A role says what its holders may do. A person can hold several, and they add up.",
        ),
        rx.el.div(
            rx.el.h2("Custom roles"),
            rx.cond(
                RolesPage.custom.length() > 0,
                _table("Custom roles", RolesPage.custom),
                _no_custom_roles(),
            ),
            rx.el.h2("Base roles"),
            rx.el.p(
                "They come with the product and stay as they are. Make a copy to change one.", class_name="quiet-text"
            ),
            _table("Base roles", RolesPage.base),
            class_name="stack roles-list",
        ),
    )


def _no_custom_roles() -> rx.Component:
    return empty(
        "key-round",
        "No custom roles yet",
        "Make one when the base roles allow too much or too little.",
        link("New role", to="/admin/roles/new", class_name="button primary"),
    )


def _table(label: str, roles: rx.Var[list[RoleView]]) -> rx.Component:
    heads = ("Role", "Held by", "Where", "Allows")
    return table(label, heads, rx.foreach(roles, _line), "roles-table")


def _line(role: rx.Var[RoleView]) -> rx.Component:
    return row(
        cell("Role", _title(role)),
        cell("Held by", _holders(role)),
        cell("Where", rx.cond(role.where == "", rx.el.span("–", class_name="quiet-text"), role.where)),
        cell("Allows", _allows(role)),
        key=role.id,
    )


def _title(role: rx.Var[RoleView]) -> rx.Component:
    level = rx.cond(role.level == "school", "School role", "District role")
    return rx.el.div(
        rx.el.span(rx.cond(role.base, icon("lock", 16), icon("key-round", 16)), class_name="role-icon"),
        rx.el.span(
            link(role.name, to=f"/admin/roles/{role.id}", class_name="text-link"),
            rx.el.span(
                level,
                rx.cond(role.base, " · locked", ""),
                rx.cond(role.two_step, " · second step", ""),
                class_name="quiet-text",
            ),
            class_name="two-lines",
        ),
        class_name="person-cell",
    )


def _holders(role: rx.Var[RoleView]) -> rx.Component:
    several = rx.cond(role.holders == 1, "1 person", f"{role.holders} people")
    return rx.el.span(rx.cond(role.holders == 0, "Nobody", several))


def _allows(role: rx.Var[RoleView]) -> rx.Component:
    """How many, and on demand which: open to the keyboard, and to who reads with the ears."""
    return rx.el.details(
        rx.el.summary(
            rx.cond(role.allows.length() == 1, "1 permission", f"{role.allows.length()} permissions"),
            rx.el.span(" of ", role.name, class_name="visually-hidden"),
        ),
        rx.el.ul(rx.foreach(role.allows, lambda label: rx.el.li(icon("check", 14), label)), class_name="allows"),
        class_name="unfold",
    )


def _comparison() -> rx.Component:
    return rx.fragment(
        page_head(
            "Compare roles",
            link(icon("plus", 18), "New role", to="/admin/roles/new", class_name="button primary"),
            back=("Roles", "/admin/roles"),
            about="What each role allows, side by side.",
        ),
        rx.el.div(rx.foreach(RolesPage.compared, _matrix), class_name="stack roles-list"),
    )


def _matrix(compared: rx.Var[Comparison]) -> rx.Component:
    title = rx.cond(compared.level == "school", "School roles", "District roles")
    return rx.fragment(
        rx.el.h2(title),
        rx.el.div(
            rx.el.table(
                rx.el.thead(
                    rx.el.tr(
                        rx.el.th(rx.el.span("Permission", class_name="visually-hidden"), scope="col"),
                        rx.foreach(compared.roles, _column),
                    )
                ),
                rx.foreach(compared.groups, lambda group: _rows(group, compared.roles.length())),
                class_name="matrix",
            ),
            tab_index=0,
            role="region",
            aria_label=title,
            class_name="matrix-scroll",
        ),
    )


def _column(role: rx.Var[RoleView]) -> rx.Component:
    return rx.el.th(
        link(rx.cond(role.base, icon("lock", 13)), role.name, to=f"/admin/roles/{role.id}", class_name="text-link"),
        scope="col",
    )


def _rows(group: rx.Var[ComparedGroup], columns: rx.Var[int]) -> rx.Component:
    return rx.el.tbody(
        rx.el.tr(rx.el.th(group.name, scope="rowgroup", col_span=columns + 1), class_name="matrix-group"),
        rx.foreach(group.permissions, _permission_row),
    )


def _permission_row(permission: rx.Var[ComparedPermission]) -> rx.Component:
    return rx.el.tr(
        rx.el.th(permission.label, scope="row", title=permission.sentence),
        rx.foreach(permission.allowed, _mark),
    )


def _mark(allowed: rx.Var[bool]) -> rx.Component:
    return rx.el.td(
        rx.cond(
            allowed,
            rx.fragment(icon("check", 18), rx.el.span("Yes", class_name="visually-hidden")),
            rx.el.span("No", class_name="visually-hidden"),
        ),
        class_name=rx.cond(allowed, "yes", "no"),
    )
