"""The account of the person on the page: its link, leaving, and coming back."""

from __future__ import annotations

import reflex as rx

from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.services.account_links import FreshLink, StandingLink
from tp_inbox.services.leaving import Absence, Candidate, Departure, Left, Plan, length_of_reply
from tp_inbox.services.registry import services
from tp_inbox.services.staff_directory import StaffMember, StaffState
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import storable


class AccountState(rx.State):
    """A panel that belongs to the page which shows it: ``_show`` fills it, ``_clear`` forgets everything."""

    staff_id: int = 0
    state: str = ""
    refusal: str = ""
    """Why the reader manages this account in no way."""
    standing: StandingLink = StandingLink()
    absence: Absence = Absence()
    fresh: FreshLink | None = None
    """A link that was made just now; shown this once."""
    asking: bool = False
    """Whether a link that may work is to be ended for a new one."""
    problem: str = ""

    leaving: bool = False
    departure: Departure = Departure()
    found: list[Candidate] = []
    searched: bool = False
    successor: Candidate | None = None
    staying: list[int] = []
    """Conversations that are not handed over, though they could be."""
    replies: bool = True
    reply: str = ""
    """What is written in the dialog, for its length alone."""
    left: Left | None = None
    """What came of it, once it is done."""

    returning: bool = False

    @rx.var
    def going(self) -> int:
        """How many of the listed conversations the successor would get."""
        if self.successor is None:
            return 0
        return sum(not c.stays and c.id not in self.staying for c in self.departure.conversations)

    @rx.var
    def reply_length(self) -> str:
        return length_of_reply(self.reply)

    @rx.event
    def ask_for_link(self) -> None:
        self.asking, self.problem = self.staff_id != 0, ""

    @rx.event
    def keep_link(self) -> None:
        self.asking = False

    @rx.event
    async def make_link(self) -> None:
        """An invitation once more, or a reset; older links end."""
        self.asking, self.problem = False, ""
        try:
            self.fresh = await services().account_links.renew(actor(), self.staff_id)
            self.standing = await services().account_links.standing(actor(), self.staff_id)
        except (Invalid, NotAllowed) as refusal:
            self.problem = refusal.sentence

    @rx.event
    def hide_link(self) -> None:
        self.fresh = None

    @rx.event
    async def ask_to_deactivate(self) -> None:
        self._clear_dialog()
        self.departure = await services().leaving.departure(actor(), self.staff_id)
        self.reply, self.leaving = self.departure.auto_reply, True

    @rx.event
    async def find_successor(self, words: str) -> None:
        self.found = await services().leaving.candidates(actor(), self.staff_id, storable(words))
        self.searched = True

    @rx.event
    async def choose_successor(self, staff_id: int) -> None:
        chosen = next((c for c in self.found if c.id == staff_id), None)
        if chosen is None:
            raise NotFound
        self.departure = await services().leaving.departure(actor(), self.staff_id, staff_id)
        self.successor, self.found, self.searched, self.staying, self.problem = chosen, [], False, [], ""

    @rx.event
    async def choose_nobody(self) -> None:
        self.departure = await services().leaving.departure(actor(), self.staff_id)
        self.successor, self.staying, self.problem = None, [], ""

    @rx.event
    def toggle_conversation(self, thread_id: int) -> None:
        if thread_id in self.staying:
            self.staying = [i for i in self.staying if i != thread_id]
        elif thread_id in {c.id for c in self.departure.conversations}:
            self.staying = [*self.staying, thread_id]

    @rx.event
    def toggle_all(self) -> None:
        """All of them, or none when all were chosen."""
        possible = [c.id for c in self.departure.conversations if not c.stays]
        self.staying = possible if not set(possible) & set(self.staying) else []

    @rx.event
    def toggle_reply(self) -> None:
        self.replies, self.problem = not self.replies, ""

    @rx.event
    def write_reply(self, words: str) -> None:
        self.reply, self.problem = storable(words), ""

    @rx.event
    async def deactivate(self, form: dict) -> None:
        """``form``: the automatic reply, as it stands there now."""
        plan = Plan(
            successor_id=self.successor.id if self.successor else 0,
            staying=frozenset(self.staying),
            auto_reply=storable(form.get("reply", "")) if self.replies else "",
        )
        try:
            self.left = await services().leaving.deactivate(actor(), self.staff_id, plan)
        except (Invalid, NotAllowed) as refusal:
            self.problem = refusal.sentence
            return
        self.leaving, self.problem = False, ""
        await self._show_again()

    @rx.event
    def ask_to_reactivate(self) -> None:
        self.returning, self.problem = self.staff_id != 0, ""

    @rx.event
    async def reactivate(self) -> None:
        try:
            await services().leaving.reactivate(actor(), self.staff_id)
        except (Invalid, NotAllowed) as refusal:
            self.problem = refusal.sentence
            return
        self.returning, self.left, self.problem = False, None, ""
        await self._show_again()

    @rx.event
    def close(self) -> None:
        self._clear_dialog()

    async def _show_again(self) -> None:
        await self._show(await services().staff_directory.person(actor(), self.staff_id))

    async def _show(self, person: StaffMember) -> None:
        """Of this person, whom the reader sees."""
        if person.id != self.staff_id:
            self._clear()
        self.staff_id, self.state, self.refusal = person.id, person.state, person.refusal
        gone = person.state == StaffState.DEACTIVATED
        self.absence = await services().leaving.absence(actor(), person.id) if gone else Absence()
        managed = not person.refusal and not gone
        self.standing = await services().account_links.standing(actor(), person.id) if managed else StandingLink()
        if person.refusal or gone:
            self.fresh = None

    def _clear(self) -> None:
        self.staff_id, self.state, self.refusal, self.fresh, self.left = 0, "", "", None, None
        self.standing, self.absence = StandingLink(), Absence()
        self._clear_dialog()

    def _clear_dialog(self) -> None:
        self.leaving, self.returning, self.asking, self.problem = False, False, False, ""
        self.departure, self.found, self.searched, self.successor = Departure(), [], False, None
        self.staying, self.replies, self.reply = [], True, ""
