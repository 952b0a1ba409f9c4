"""What frames every page: who is signed in, the two tabs with their counts, and what the rail shows."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import reflex as rx

from tp_inbox.domain import access
from tp_inbox.domain.access import Actor
from tp_inbox.services import people
from tp_inbox.services.registry import services
from tp_inbox.services.views import InboxTabs
from tp_inbox.web import live
from tp_inbox.web.acting import actor, signed_in
from tp_inbox.web.reflex_internals import event_socket, event_token

SECTIONS = {
    "staff": access.manages_staff,
    "roles": access.manages_roles,
    "schools": access.manages_schools,
    "numbers": access.manages_schools,
    "audit": access.views_audit_log,
}
"""The sections of Admin, and who may use each."""
SECTION_NAMES = {
    "staff": "Staff",
    "roles": "Roles",
    "schools": "Schools",
    "numbers": "Numbers",
    "audit": "Audit log",
}


@dataclass(frozen=True)
class Rail:
    """Where somebody can go: the two tabs of messages, and what the rail leads to."""

    personal: bool = False
    school: bool = False
    several_schools: bool = False
    writes: bool = False
    oversight: bool = False
    admin: list[str] = field(default_factory=list)

    @property
    def messages(self) -> bool:
        return self.personal or self.school


def rail_of(person: Actor) -> Rail:
    """What the shell shows this person, and the preview of a role somebody who would hold it."""
    schools = access.readable_school_inboxes(person)
    return Rail(
        personal=access.has_personal_inbox(person),
        school=bool(schools),
        several_schools=len(schools) > 1,
        writes=bool(access.writable_schools(person)),
        oversight=access.oversees(person),
        admin=[section for section, opens in SECTIONS.items() if opens(person)],
    )


class ShellState(rx.State):
    name: str = ""
    initials: str = ""
    hue: int = 0
    staff_id: int = 0
    tabs: InboxTabs = InboxTabs()
    sees_messages: bool = False
    writes: bool = False
    """Whether there is any inbox that this person may write from."""
    several_schools: bool = False
    """Whether the list mixes the inboxes of schools, so that each line has to say its own."""
    sees_oversight: bool = False
    admin: list[str] = []
    """The sections of Admin that this person may use, in their order."""
    alerts: int = 0
    """How many stand; of those who may not see them, none."""
    ready: bool = False

    @rx.var
    def unread(self) -> int:
        """Threads with unread texts in both tabs, for the page's title."""
        return self.tabs.personal_unread + self.tabs.school_unread

    @rx.event
    async def go_home(self) -> rx.event.EventSpec:
        """To the first page that this person may use."""
        self._fill()
        if self.sees_messages or not (self.admin or self.sees_oversight):
            return rx.redirect("/messages", replace=True)
        return rx.redirect(f"/admin/{self.admin[0]}" if self.admin else "/oversight", replace=True)

    @rx.event
    async def go_to_admin(self) -> rx.event.EventSpec:
        """To the first section that this person may use."""
        self._fill()
        return rx.redirect(f"/admin/{self.admin[0]}" if self.admin else "/", replace=True)

    def _fill(self) -> None:
        """Every page begins here: the tab hears of changes from now on, then it is filled."""
        live.current().subscribe(event_token(), event_socket(), signed_in())
        person = actor()
        self.name, self.staff_id = person.name, person.staff_id
        self.initials, self.hue = people.initials(person.name), people.hue_of(person.staff_id)
        rail = rail_of(person)
        self.tabs = replace(self.tabs, personal=rail.personal, school=rail.school)
        self.sees_messages, self.several_schools, self.writes = rail.messages, rail.several_schools, rail.writes
        self.sees_oversight, self.admin = rail.oversight, rail.admin

    def _places(self) -> list[str]:
        """What the rail and the tabs lead to, by name."""
        shown = {
            "Personal messages": self.tabs.personal,
            "School messages": self.tabs.school,
            "Oversight": self.sees_oversight,
        }
        admin = [f"Admin – {SECTION_NAMES[section]}" for section in self.admin]
        return [name for name, there in shown.items() if there] + admin

    async def _count(self) -> None:
        """Comes after the list, so that a text which arrives between the two is counted once."""
        self.tabs = await services().inboxes.tabs(actor())
        await self._count_alerts()

    async def _count_alerts(self) -> None:
        self.alerts = await services().alerts.count(actor()) if access.manages_schools(actor()) else 0

    def _shift(self, box: str, threads: int) -> None:
        """So many threads more, or fewer, have unread texts."""
        if not threads:
            return
        field = f"{box}_unread"
        self.tabs = replace(self.tabs, **{field: max(0, getattr(self.tabs, field) + threads)})
