"""Whether a family wants to be texted, in the open thread: the banner's two answers, and stopping texts by hand."""

from __future__ import annotations

import reflex as rx

from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.services.registry import services
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import OUT_OF_DATE, storable
from tp_inbox.web.states.composer import ComposerState
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
    async def ask(self) -> None:
        self.stopping, self.problem = (await self.get_state(ThreadState)).head.id, ""

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
        self.stopping, self.problem = 0, ""
        await self._look_again()

    @rx.event
    async def take_back(self) -> rx.event.EventSpec:
        thread = await self.get_state(ThreadState)
        await services().unsubscribing.take_back(actor(), thread.head.id)
        await self._look_again()
        return rx.toast.info(ALLOWED_AGAIN)

    async def _answer(self, message_id: int, *, stop: bool) -> None:
        thread = await self.get_state(ThreadState)
        await services().unsubscribing.answer(actor(), thread.head.id, message_id, stop=stop)
        await self._look_again()

    async def _look_again(self) -> None:
        """At once; in every other tab the feed does it."""
        await (await self.get_state(ComposerState))._look_again()


def _place_in(form: dict) -> int:
    place = str(form.get("place", ""))
    if not place.isascii() or not place.isdecimal() or len(place) > MOST_DIGITS:
        raise Invalid(OUT_OF_DATE)
    return int(place)
