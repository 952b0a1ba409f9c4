"""Who is this? In the panel of an unknown sender: a student is found, then whose number it is."""

from __future__ import annotations

import reflex as rx

from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.services.registry import services
from tp_inbox.services.tying import StudentChoice
from tp_inbox.web.acting import actor
from tp_inbox.web.arguments import OUT_OF_DATE, storable
from tp_inbox.web.states.thread import ThreadState

NOBODY = StudentChoice(0, "", "", "", 0, "", "")
NEW, STUDENT, CONTACT = "new", "student", "contact-"
WHO_FIRST = "Please choose who it is."


class TyingState(rx.State):
    asked: int = 0
    """The thread for which the dialog is open; 0 for none."""
    removing: int = 0
    """The thread for which it is asked whether it is not this family; 0 for none."""
    words: str = ""
    found: list[StudentChoice] = []
    searched: bool = False
    student: StudentChoice = NOBODY
    who: str = ""
    """One of the words above; with a contact's id at its end."""
    problem: str = ""

    @rx.event
    async def ask(self) -> None:
        self._clear()
        self.asked = (await self.get_state(ThreadState)).head.id

    @rx.event
    async def ask_removal(self) -> None:
        self._clear()
        self.removing = (await self.get_state(ThreadState)).head.id

    @rx.event
    async def remove(self) -> None:
        if not self.removing:
            raise NotFound
        try:
            await services().tying.untie(actor(), self.removing)
        except (Invalid, NotAllowed) as refusal:
            self.problem = refusal.sentence
            return
        self._clear()
        await (await self.get_state(ThreadState))._look_again()

    @rx.event
    def close(self) -> None:
        self._clear()

    @rx.event
    async def search(self, words: str) -> None:
        self.words = storable(words)
        self.found = await services().tying.students(actor(), self.words)
        self.searched = bool(self.words.strip())

    @rx.event
    def choose(self, student_id: int) -> None:
        chosen = next((student for student in self.found if student.id == student_id), None)
        if chosen is None:
            raise NotFound
        self.student, self.who, self.problem = chosen, "", ""

    @rx.event
    def choose_again(self) -> None:
        self.student, self.who, self.problem = NOBODY, "", ""

    @rx.event
    def say(self, who: str) -> None:
        self.who, self.problem = who, ""

    @rx.event
    async def save(self, form: dict) -> None:
        """``form``: name and relation of somebody new."""
        if not self.asked or not self.student.id:
            raise NotFound
        try:
            await self._tie(storable(str(form.get("name", ""))), storable(str(form.get("relation", ""))))
        except (Invalid, NotAllowed) as refusal:
            self.problem = refusal.sentence
            return
        self._clear()
        await (await self.get_state(ThreadState))._look_again()

    async def _tie(self, name: str, relation: str) -> None:
        tying, thread_id, student_id = services().tying, self.asked, self.student.id
        if self.who == NEW:
            await tying.to_somebody_new(actor(), thread_id, student_id, name, relation)
        elif self.who == STUDENT:
            await tying.to_student(actor(), thread_id, student_id)
        else:
            await tying.to_contact(actor(), thread_id, student_id, self._contact())

    def _contact(self) -> int:
        if not self.who:
            raise Invalid(WHO_FIRST)
        chosen = (c.id for c in self.student.contacts if self.who == f"{CONTACT}{c.id}")
        if (contact_id := next(chosen, None)) is None:
            raise Invalid(OUT_OF_DATE)
        return contact_id

    def _clear(self) -> None:
        self.asked, self.removing, self.words, self.found, self.searched = 0, 0, "", [], False
        self.student, self.who, self.problem = NOBODY, "", ""
