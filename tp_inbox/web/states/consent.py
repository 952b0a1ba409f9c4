"""Whether a family wants to be texted: the two answers of the banner above one's own thread, and stopping texts by hand
there or in oversight.
"""

from __future__ import annotations

import reflex as rx

from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.services.registry import services
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import OUT_OF_DATE, storable
from tp_inbox.web.states.composer import ComposerState
from tp_inbox.web.states.oversight_page import OversightPage
from tp_inbox.web.states.thread import ThreadState

MOST_DIGITS = 15
ALLOWED_AGAIN = "Texts to this family are allowed again."


class ConsentState(rx.State):
    stopping: int = 0
    """The thread for which the dialog is open; 0 for none."""
    problem: str = ""

    @rx.event
    async def stop_texts(self, message_id: int) -> None:
        """The family meant it."""
        await self._answer(message_id, stop=True)

    @rx.event
    async def keep_texting(self, message_id: int) -> None:
        await self._answer(message_id, stop=False)

    @rx.event
    def ask(self, thread_id: int) -> None:
        self.stopping, self.problem = thread_id, ""

    @rx.event
    def close(self) -> None:
        self.stopping, self.problem = 0, ""

    @rx.event
    async def record(self, form: dict) -> None:
        """``form``: the place, by its id, the note, and "on" when the family is to be told."""
        if not self.stopping:
            raise NotFound
        note, tell = storable(str(form.get("note", ""))), form.get("tell") == "on"
        try:
            await services().unsubscribing.unsubscribe(actor(), self.stopping, _place_in(form), note, tell=tell)
        except (Invalid, NotAllowed) as refusal:
            self.problem = refusal.sentence
            return
        stopped, self.stopping, self.problem = self.stopping, 0, ""
        await self._look_again(stopped)

    @rx.event
    async def take_back(self, thread_id: int) -> rx.event.EventSpec:
        await services().unsubscribing.take_back(actor(), thread_id)
        await self._look_again(thread_id)
        return rx.toast.info(ALLOWED_AGAIN)

    async def _answer(self, message_id: int, *, stop: bool) -> None:
        thread = await self.get_state(ThreadState)
        await services().unsubscribing.answer(actor(), thread.head.id, message_id, stop=stop)
        await self._look_again(thread.head.id)

    async def _look_again(self, thread_id: int) -> None:
        """At once, where the conversation is open here; in every other tab the feed does it."""
        if (await self.get_state(ThreadState)).head.id == thread_id:
            await (await self.get_state(ComposerState))._look_again()
        overseen = await self.get_state(OversightPage)
        if overseen.head.id == thread_id and overseen.head.opened:
            await overseen._show(thread_id)


def _place_in(form: dict) -> int:
    place = str(form.get("place", ""))
    if not place.isascii() or not place.isdecimal() or len(place) > MOST_DIGITS:
        raise Invalid(OUT_OF_DATE)
    return int(place)
