"""Every page and its address."""

from __future__ import annotations

import reflex as rx

from tp_inbox.web.components.shell import PRODUCT, first_paint
from tp_inbox.web.pages import two_step
from tp_inbox.web.pages.audit import audit
from tp_inbox.web.pages.bulk import bulk
from tp_inbox.web.pages.invite import invite
from tp_inbox.web.pages.messages import messages
from tp_inbox.web.pages.not_found import not_found
from tp_inbox.web.pages.numbers import numbers
from tp_inbox.web.pages.oversight import oversight
from tp_inbox.web.pages.roles import roles
from tp_inbox.web.pages.schools import schools
from tp_inbox.web.pages.settings import settings
from tp_inbox.web.pages.sign_in import sign_in
from tp_inbox.web.pages.staff import person, staff
from tp_inbox.web.pages.welcome import welcome
from tp_inbox.web.states.audit_page import AuditPage
from tp_inbox.web.states.bulk_page import BulkPage
from tp_inbox.web.states.invite_page import InvitePage
from tp_inbox.web.states.messages_page import MessagesPage
from tp_inbox.web.states.numbers_page import NumbersPage
from tp_inbox.web.states.oversight_page import OversightPage
from tp_inbox.web.states.roles_page import RolesPage
from tp_inbox.web.states.schools_page import SchoolsPage
from tp_inbox.web.states.settings_page import SettingsPage
from tp_inbox.web.states.shell import ShellState
from tp_inbox.web.states.staff_pages import PersonPage, StaffListPage

FORGET_ON_BACK = "window.addEventListener('pageshow',e=>{if(e.persisted)location.reload()})"
"""A page that the browser kept whole in memory is loaded again, so that Back shows nothing after sign-out."""

KNOW_THE_DEPTH = (
    r"/^\/(messages\/[^/]+|oversight)\/./.test(location.pathname)&&document.documentElement.classList.add('deep')"
)
"""On a phone the first paint shows a list or a thread, as the address says."""

HEAD = [
    rx.el.meta(name="viewport", content="width=device-width, initial-scale=1, viewport-fit=cover"),
    rx.el.meta(name="theme-color", content="#efece5", custom_attrs={"media": "(prefers-color-scheme: light)"}),
    rx.el.meta(name="theme-color", content="#0e1211", custom_attrs={"media": "(prefers-color-scheme: dark)"}),
    rx.el.link(rel="icon", href="/logo.svg", type="image/svg+xml"),
    rx.el.link(
        rel="preload",
        href="/fonts/hanken-grotesk-latin.woff2",
        type="font/woff2",
        custom_attrs={"as": "font", "crossOrigin": "anonymous"},
    ),
    rx.el.script(FORGET_ON_BACK),
    rx.el.script(KNOW_THE_DEPTH),
]


def add_to(app: rx.App) -> None:
    app.add_page(messages, route="/messages/[[...splat]]", title=PRODUCT, on_load=MessagesPage.open)
    app.add_page(home, route="/", title=PRODUCT, on_load=ShellState.go_home)
    app.add_page(sign_in, route="/sign-in", title=f"Sign in – {PRODUCT}")
    app.add_page(two_step.code, route="/sign-in/code", title=f"Sign in – {PRODUCT}")
    app.add_page(two_step.set_up, route="/sign-in/set-up", title=f"Two-step sign-in – {PRODUCT}")
    app.add_page(welcome, route="/welcome", title=f"Welcome – {PRODUCT}")
    app.add_page(not_found, route="404", title=f"Not found – {PRODUCT}")
    app.add_page(oversight, route="/oversight/[[...splat]]", title=f"Oversight – {PRODUCT}", on_load=OversightPage.open)
    app.add_page(settings, route="/settings", title=f"Settings – {PRODUCT}", on_load=SettingsPage.open)
    app.add_page(home, route="/admin", title=f"Admin – {PRODUCT}", on_load=ShellState.go_to_admin)
    app.add_page(audit, route="/admin/audit/[[...splat]]", title=f"Audit log – {PRODUCT}", on_load=AuditPage.open)
    app.add_page(schools, route="/admin/schools/[[...splat]]", title=f"Schools – {PRODUCT}", on_load=SchoolsPage.open)
    app.add_page(numbers, route="/admin/numbers", title=f"Numbers – {PRODUCT}", on_load=NumbersPage.open)
    app.add_page(staff, route="/admin/staff", title=f"Staff – {PRODUCT}", on_load=StaffListPage.open)
    app.add_page(bulk, route="/admin/staff/bulk", title=f"Roles for many people – {PRODUCT}", on_load=BulkPage.open)
    app.add_page(roles, route="/admin/roles/[[...splat]]", title=f"Roles – {PRODUCT}", on_load=RolesPage.open)
    app.add_page(invite, route="/admin/staff/new", title=f"Invite – {PRODUCT}", on_load=InvitePage.open)
    app.add_page(person, route="/admin/staff/[[...splat]]", title=f"Staff – {PRODUCT}", on_load=PersonPage.open)


def home() -> rx.Component:
    """Leads on to the first page that the person may use."""
    return first_paint()
