"""Why can this person see this: choosing what is asked about, and the answer."""

from __future__ import annotations

import reflex as rx

from tp_inbox.domain.errors import NotAllowed, NotFound
from tp_inbox.services.explaining import Answer, Askable, Explanation, Kind
from tp_inbox.services.registry import services
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import storable

NOTHING = Explanation("", "", [])


class WhyState(rx.State):
    words: str = ""
    found: list[Askable] = []
    about: str = ""
    """What the answers are about; empty while something is being chosen."""
    note: str = ""
    answers: list[Answer] = []
    _staff_id: int = 0
    _asked: tuple[Kind, int] | None = None

    @rx.event
    async def search(self, words: str) -> None:
        self.words = storable(words)
        await self._find()

    @rx.event
    async def ask(self, kind: str, about_id: int) -> None:
        if not self._staff_id or kind not in set(Kind):
            raise NotFound
        self._asked = Kind(kind), about_id
        await self._answer()

    @rx.event
    async def choose_again(self) -> None:
        self._take(NOTHING)
        await self._find()

    async def _show(self, staff_id: int) -> None:
        """Of this person from now on; the same question is answered anew when it is the same person."""
        if staff_id != self._staff_id:
            self._clear()
        self._staff_id = staff_id
        try:
            await (self._answer() if self._asked else self._find())
        except (NotAllowed, NotFound):
            self._clear()

    async def _find(self) -> None:
        if self._staff_id:
            self.found = await services().explaining.find(actor(), self._staff_id, self.words)

    async def _answer(self) -> None:
        if self._asked:
            self._take(await services().explaining.why(actor(), self._staff_id, *self._asked), self._asked)

    def _take(self, explained: Explanation, asked: tuple[Kind, int] | None = None) -> None:
        self.about, self.note, self.answers, self._asked = explained.about, explained.note, explained.answers, asked

    def _clear(self) -> None:
        self._take(NOTHING)
        self.words, self.found, self._staff_id = "", [], 0
