"""Why somebody can see something: the answers of ``access``, and nothing that the asker may not know."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from sqlmodel import col

from tests.cast import OMAR, ROSA, STAFF, STRANGER, Town
from tests.services.steps import LINCOLN, ROOSEVELT, add, change, rows, the
from tp_inbox.domain import access
from tp_inbox.domain.access import Actor, InboxKind, InboxRef, Overseen
from tp_inbox.domain.errors import NotAllowed, NotFound
from tp_inbox.domain.permissions import Permission
from tp_inbox.services.explaining import DEACTIVATED, ELSEWHERE, Answer, Explanation, Kind, Way
from tp_inbox.services.staff import assign
from tp_inbox.storage.queries.families import schools_of
from tp_inbox.storage.queries.places import schools_of_staff
from tp_inbox.storage.tables import Assignment, GroupSchool, Inbox, Role, SchoolGroup, Staff, Thread

EVERYBODY = [who for who, *_ in STAFF]


async def why(town: Town, who: str, kind: Kind, about: int, asker: str = "diana") -> Explanation:
    explaining = town.wired.services.explaining
    return await explaining.why(await town.actor(asker), town.staff[who], kind, about)


async def of_school(town: Town, who: str, school: str = LINCOLN, asker: str = "diana") -> dict[Way, Answer]:
    return by_way(await why(town, who, Kind.SCHOOL, town.schools[school], asker))


async def of_person(town: Town, who: str, owner: str, asker: str = "diana") -> dict[Way, Answer]:
    return by_way(await why(town, who, Kind.PERSON, town.staff[owner], asker))


async def of_thread(town: Town, who: str, thread: int, asker: str = "diana") -> dict[Way, Answer]:
    return by_way(await why(town, who, Kind.THREAD, thread, asker))


def by_way(explanation: Explanation) -> dict[Way, Answer]:
    return {Way(answer.way): answer for answer in explanation.answers}


def roles_of(answer: Answer) -> list[str]:
    return [because.role for because in answer.because]


async def found(town: Town, asker: str, who: str, words: str) -> list[tuple[str, str]]:
    explaining = town.wired.services.explaining
    return [(f.kind, f.name) for f in await explaining.find(await town.actor(asker), town.staff[who], words)]


async def every_thread(town: Town) -> list[Thread]:
    for who in ("alice", "bob", "charlie", "nora"):
        for phone in (ROSA, OMAR, STRANGER):
            await town.personal(who, phone)
    for school in (LINCOLN, ROOSEVELT):
        for phone in (ROSA, OMAR, STRANGER):
            await town.school(school, phone)
    return await rows(town, Thread)


async def in_a_group(town: Town) -> None:
    """Bob is a nurse at a group of both schools, too; one group has no schools, and Vera holds a role there."""
    nurse, viewer = [(await the(town, Role, col(Role.name) == name)).id for name in ("Nurse", "School Viewer")]
    both, none = await add(town, SchoolGroup(name="Both")), await add(town, SchoolGroup(name="None"))
    for school_id in town.schools.values():
        await add(town, GroupSchool(group_id=both.id, school_id=school_id))
    await add(town, Assignment(staff_id=town.staff["bob"], role_id=nurse, group_id=both.id))
    await add(town, Assignment(staff_id=town.staff["vera"], role_id=viewer, group_id=none.id))


class TestAgreement:
    """Everybody × every inbox and conversation, with the answers that are given everywhere else."""

    @pytest.mark.parametrize("deactivated", ["", "alice", "diana"])
    async def test_of_conversations(self, town: Town, deactivated: str) -> None:
        await in_a_group(town)
        threads = await every_thread(town)
        asker = await self._a_second_admin(town)
        if deactivated:
            await change(town, Staff, col(Staff.id) == town.staff[deactivated], active=False)
        asked = 0
        for who in EVERYBODY:
            person = await town.actor(who)
            for thread in threads:
                answers = by_way(
                    await town.wired.services.explaining.why(asker, town.staff[who], Kind.THREAD, thread.id)
                )
                assert {way: answers[way].allowed for way in Way} == await expected(town, person, thread)
                for answer in answers.values():
                    assert answer.allowed == bool(answer.because)
                asked += 1
        assert asked == len(EVERYBODY) * 18

    @pytest.mark.parametrize("deactivated", ["", "nora"])
    async def test_of_inboxes(self, town: Town, deactivated: str) -> None:
        await in_a_group(town)
        asker = await self._a_second_admin(town)
        if deactivated:
            await change(town, Staff, col(Staff.id) == town.staff[deactivated], active=False)
        for who in EVERYBODY:
            person = await town.actor(who)
            for kind, about, inbox in inboxes(town):
                explained = await town.wired.services.explaining.why(asker, town.staff[who], kind, about)
                answers = by_way(explained)
                families = [frozenset({school}) for school in town.schools.values()]
                works = await works_of(town, inbox)
                assert answers[Way.READ].allowed == access.may_read(person, inbox)
                assert answers[Way.WRITE].allowed == any(access.may_send(person, inbox, f) for f in families)
                overseen = [Overseen(inbox, works, f) for f in families]
                assert answers[Way.OVERSEE].allowed == any(access.may_oversee(person, o) for o in overseen)
                assert bool(explained.note) is not person.active

    async def test_a_role_that_is_offered_would_do_it(self, town: Town) -> None:
        threads = await every_thread(town)
        for who in ("vera", "bob", "diana"):
            for thread in threads[::4]:
                for way, answer in (await of_thread(town, who, thread.id, asker="diana")).items():
                    for offer in answer.offers:
                        assert await would_do_it(town, who, thread, way, offer.role, offer.where)

    async def _a_second_admin(self, town: Town) -> Actor:
        """Who sees everything, so that the asker's sight is no part of these answers."""
        person = await add(town, Staff(email="z@x.example", name="Zoe", password_hash="x"))
        async with town.wired.db.transaction() as session:
            await assign(session, person.id, "District Admin", None)
        town.staff["zoe"] = person.id
        return await town.actor("zoe")


async def expected(town: Town, person: Actor, thread: Thread) -> dict[Way, bool]:
    row = await the(town, Inbox, col(Inbox.id) == thread.inbox_id)
    inbox = InboxRef(row.id, row.kind, row.staff_id, row.school_id)
    async with town.wired.db.reading() as session:
        family = await schools_of(session, thread.phone_id)
    return {
        Way.READ: access.may_read(person, inbox),
        Way.WRITE: access.may_send(person, inbox, family),
        Way.OVERSEE: access.may_oversee(person, Overseen(inbox, await works_of(town, inbox), family)),
    }


async def works_of(town: Town, inbox: InboxRef) -> frozenset[int]:
    owner = inbox.staff_id or 0
    async with town.wired.db.reading() as session:
        return (await schools_of_staff(session, [owner])).get(owner, frozenset())


def inboxes(town: Town) -> list[tuple[Kind, int, InboxRef]]:
    own = [(Kind.PERSON, town.staff[w], InboxRef(0, InboxKind.PERSONAL, town.staff[w], None)) for w in EVERYBODY]
    shared = [(Kind.SCHOOL, s, InboxRef(0, InboxKind.SCHOOL, None, s)) for s in town.schools.values()]
    return own + shared


async def would_do_it(town: Town, who: str, thread: Thread, way: Way, role: str, where: str) -> bool:
    """Held at the first place that is named, in thought."""
    held = await the(town, Role, col(Role.name) == role)
    school = None if where == "the district" else town.schools[where.partition(" or ")[0]]
    grant = access.Grant(frozenset(map(Permission, held.permissions)), held.level, school)
    person = access.actor_from(town.staff[who], who, True, [grant])
    return (await expected(town, person, thread))[way]


class TestSentences:
    async def test_the_assignments_that_allow_it_are_named(self, town: Town) -> None:
        async with town.wired.db.transaction() as session:
            await assign(session, town.staff["alice"], "School Viewer", LINCOLN)
        answer = (await of_school(town, "alice"))[Way.READ]
        assert answer.sentence == "Yes. Alice Adams sees everything in this school’s inbox."
        assert [(b.role, b.where) for b in answer.because] == [("Counselor", LINCOLN), ("School Viewer", LINCOLN)]
        assert roles_of((await of_school(town, "alice"))[Way.WRITE]) == ["Counselor"]

    async def test_what_is_missing_comes_with_the_roles_that_would_give_it(self, town: Town) -> None:
        answer = (await of_school(town, "bob"))[Way.READ]
        assert answer.missing == "View the school inbox"
        assert [(o.role, o.custom, o.where) for o in answer.offers] == [
            ("School Admin", False, LINCOLN),
            ("School Viewer", False, LINCOLN),
            ("Counselor", True, LINCOLN),
        ]

    async def test_oversight_is_missing_at_the_district_or_at_the_school(self, town: Town) -> None:
        answer = (await of_person(town, "nora", "bob"))[Way.OVERSEE]
        assert answer.missing == "View all messages"
        assert {(o.role, o.where) for o in answer.offers} == {
            ("District Admin", "the district"),
            ("District Viewer", "the district"),
            ("School Admin", LINCOLN),
            ("School Viewer", LINCOLN),
        }

    async def test_another_persons_inbox_is_read_in_oversight_alone(self, town: Town) -> None:
        answers = await of_person(town, "dora", "alice")
        assert not answers[Way.READ].allowed
        assert (answers[Way.READ].missing, answers[Way.READ].offers) == ("", [])
        assert answers[Way.OVERSEE].allowed
        assert "Alice Adams is shown" in answers[Way.OVERSEE].sentence

    async def test_of_a_person_who_has_left_it_says_so(self, town: Town) -> None:
        await change(town, Staff, col(Staff.id) == town.staff["alice"], active=False)
        explained = await why(town, "alice", Kind.SCHOOL, town.schools[LINCOLN])
        assert explained.note == DEACTIVATED
        assert not any(a.allowed or a.offers or a.because for a in explained.answers)

    async def test_no_role_helps_to_write_to_a_family_that_has_left_the_school(self, town: Town) -> None:
        answer = (await of_thread(town, "alice", await town.school(LINCOLN, OMAR)))[Way.WRITE]
        assert "no student at this school any more" in answer.sentence
        assert (answer.missing, answer.offers) == ("", [])

    async def test_the_owner_may_write_to_no_family_of_another_school(self, town: Town) -> None:
        answer = (await of_thread(town, "bob", await town.personal("bob", OMAR)))[Way.WRITE]
        assert "no student at a school where Bob Brown may write" in answer.sentence
        assert {o.where for o in answer.offers} == {ROOSEVELT}

    async def test_a_number_that_nobody_knows_is_answered_for_the_school(self, town: Town) -> None:
        answer = (await of_thread(town, "bob", await town.personal("bob", STRANGER)))[Way.WRITE]
        assert "Nobody knows this number" in answer.sentence
        assert answer.missing == ""


class TestWhoMayAsk:
    async def test_only_about_people_whom_one_manages(self, town: Town) -> None:
        for asker in ("alice", "bob", "vera", "nora", "charlie"):
            with pytest.raises(NotAllowed):
                await of_school(town, "alice", asker=asker)
            with pytest.raises(NotAllowed):
                await found(town, asker, "alice", "lincoln")
        assert (await of_school(town, "alice", asker="dora"))[Way.READ].allowed
        for who in ("charlie", "diana"):
            with pytest.raises(NotFound):
                await of_school(town, who, asker="dora")
            with pytest.raises(NotFound):
                await found(town, "dora", who, "lincoln")

    async def test_only_about_inboxes_of_ones_own_school(self, town: Town) -> None:
        for kind, about in (
            (Kind.SCHOOL, town.schools[ROOSEVELT]),
            (Kind.PERSON, town.staff["charlie"]),
            (Kind.PERSON, town.staff["diana"]),
            (Kind.THREAD, await town.personal("charlie", OMAR)),
            (Kind.THREAD, await town.school(ROOSEVELT, OMAR)),
        ):
            assert (await why(town, "nora", kind, about)).answers
            with pytest.raises(NotFound):
                await why(town, "nora", kind, about, asker="dora")
            with pytest.raises(NotFound):
                await why(town, "nora", kind, 987654, asker="dora")

    async def test_who_may_not_oversee_learns_of_no_conversation(self, town: Town) -> None:
        """A Technical School Admin manages the same staff as the School Admin, and sees no messages."""
        technical = (await the(town, Role, col(Role.name) == "Technical School Admin")).id
        thread = await self._written_to(town, await town.personal("bob"))
        assert (Kind.THREAD.value, "Rosa Lopez") in await found(town, "dora", "alice", "lopez")
        assert (Kind.THREAD.value, "Rosa Lopez") in await found(town, "dora", "alice", str(thread))
        await change(town, Assignment, col(Assignment.staff_id) == town.staff["dora"], role_id=technical)
        for words in ("lopez", "rosa", str(thread), f"/messages/personal/{thread}", "0142"):
            assert Kind.THREAD.value not in [kind for kind, _ in await found(town, "dora", "alice", words)]
        with pytest.raises(NotFound):
            await of_thread(town, "alice", thread, asker="dora")
        assert (await of_school(town, "alice", asker="dora"))[Way.READ].allowed

    async def test_where_else_somebody_works_is_not_told(self, town: Town) -> None:
        async with town.wired.db.transaction() as session:
            await assign(session, town.staff["dora"], "School Viewer", ROOSEVELT)
        explained = await why(town, "nora", Kind.PERSON, town.staff["nora"], asker="dora")
        (here, there) = by_way(explained)[Way.READ].because
        assert (here.role, here.where) == ("Non-Rostered Staff", LINCOLN)
        assert (there.role, there.role_id, there.where) == ("A role", 0, ELSEWHERE)
        assert ROOSEVELT not in json.dumps(asdict(explained))

    async def test_what_is_found(self, town: Town) -> None:
        assert await found(town, "diana", "bob", "") == [
            ("person", "Bob Brown’s inbox"),
            ("school", f"{LINCOLN}’s inbox"),
            ("school", f"{ROOSEVELT}’s inbox"),
        ]
        assert await found(town, "dora", "bob", "") == [
            ("person", "Bob Brown’s inbox"),
            ("school", f"{LINCOLN}’s inbox"),
        ]
        assert await found(town, "dora", "bob", "álice") == [("person", "Alice Adams’s inbox")]
        assert await found(town, "dora", "bob", "charlie") == []
        thread = await town.school()
        for words in (str(thread), f"http://127.0.0.1:3000/oversight/{thread}", f"/messages/school/{thread}/"):
            assert ("thread", "Rosa Lopez") in await found(town, "diana", "bob", words)
        for words in ("9" * 16, "/oversight/", "/admin/staff/1", "\x00", "%"):
            assert "thread" not in [kind for kind, _ in await found(town, "diana", "bob", words)]

    async def _written_to(self, town: Town, thread: int) -> int:
        async with town.wired.db.transaction() as session:
            row = await session.get_one(Thread, thread)
            row.last_at = (await session.get_one(Staff, town.staff["bob"])).created_at
        return thread
