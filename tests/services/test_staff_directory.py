"""The list of staff: who sees whom, what is found, and that no line comes twice."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlmodel import col

from tests.cast import ROSA, Town
from tests.services.steps import LINCOLN, ROOSEVELT, add, change, give_number, rows, the
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound, SignedOut
from tp_inbox.services.staff import assign
from tp_inbox.services.staff_directory import PEOPLE_A_PAGE, Asked, Key, SortBy, StaffMember, StaffPage, StaffState
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import (
    AccountLink,
    Assignment,
    AuditEntry,
    ExternalIdentity,
    GroupSchool,
    Number,
    Pair,
    Role,
    SchoolGroup,
    SecondStep,
    Session,
    Staff,
)
from tp_inbox.storage.tables.staff import LinkPurpose, SessionStage

AT_LINCOLN = {"Alice Adams", "Bob Brown", "Dora Diaz", "Vera Vance", "Nora Nash"}
EVERYBODY = AT_LINCOLN | {"Charlie Clark", "Diana Drew"}


async def page(town: Town, who: str = "diana", asked: Asked | None = None, after: Key | None = None) -> StaffPage:
    return await town.wired.services.staff_directory.page(await town.actor(who), asked or Asked(), after)


async def names(town: Town, who: str = "diana", **asked) -> list[str]:
    return [row.name for row in (await page(town, who, Asked(**asked))).rows]


async def person(town: Town, who: str, whom: str) -> StaffMember:
    return await town.wired.services.staff_directory.person(await town.actor(who), town.staff[whom])


async def as_file(town: Town, who: str, **asked) -> list[list[str]]:
    table = await town.wired.services.staff_directory.as_file(await town.actor(who), Asked(**asked))
    return list(csv.reader(io.StringIO(table.removeprefix("\ufeff"))))


async def role_id(town: Town, name: str) -> int:
    return (await the(town, Role, col(Role.name) == name)).id


async def held_at_both(town: Town, who: str, role: str = "Nurse") -> int:
    """A group of both schools, at which this person holds the role; the group's id."""
    group = await add(town, SchoolGroup(name="Nurses’ round"))
    for school_id in town.schools.values():
        await add(town, GroupSchool(group_id=group.id, school_id=school_id))
    await add(town, Assignment(staff_id=town.staff[who], role_id=await role_id(town, role), group_id=group.id))
    return group.id


async def crowd(town: Town, many: int) -> None:
    """So many people more at Lincoln, a hundred of each name, all added at one moment."""
    async with town.wired.db.transaction() as session:
        await session.execute(
            text(
                "WITH made AS (INSERT INTO staff (email, name, title, password_hash, signature, active, created_at)"
                " SELECT 'p' || n || '@x.example', 'Person ' || n / 100, '', 'x', '', true, '2026-01-01'"
                " FROM generate_series(1, :many) n RETURNING id)"
                " INSERT INTO assignment (staff_id, role_id, school_id, created_at)"
                " SELECT id, (SELECT id FROM role WHERE name = 'Nurse'), :school, now() FROM made"
            ),
            {"many": many, "school": town.schools[LINCOLN]},
        )


class TestWhoSeesWhom:
    async def test_a_district_admin_sees_everybody(self, town: Town) -> None:
        assert set(await names(town)) == EVERYBODY

    async def test_a_school_admin_sees_those_who_work_at_the_own_school(self, town: Town) -> None:
        listed = await page(town, "dora")
        assert {row.name for row in listed.rows} == AT_LINCOLN
        assert listed.total == len(AT_LINCOLN)

    @pytest.mark.parametrize("who", ["alice", "bob", "vera", "nora", "charlie"])
    async def test_who_manages_nobody_sees_no_list(self, town: Town, who: str) -> None:
        directory, actor = town.wired.services.staff_directory, await town.actor(who)
        for refused in (
            directory.page(actor, Asked()),
            directory.choices(actor),
            directory.as_file(actor, Asked()),
            directory.person(actor, town.staff["alice"]),
            directory.rename(actor, town.staff["alice"], "Eve", ""),
        ):
            with pytest.raises(NotAllowed):
                await refused

    async def test_what_somebody_does_elsewhere_is_not_told(self, town: Town) -> None:
        (hers,) = (row for row in (await page(town, "dora")).rows if row.name == "Nora Nash")
        assert hers.places == [LINCOLN]
        assert ROOSEVELT not in hers.held
        (all_of_it,) = (row for row in (await page(town)).rows if row.name == "Nora Nash")
        assert all_of_it.places == [LINCOLN, ROOSEVELT]

    async def test_no_filter_reaches_beyond_the_own_school(self, town: Town) -> None:
        assert await names(town, "dora", school=town.schools[ROOSEVELT]) == []
        await assign_to(town, "alice", "District Viewer", None)
        assert await names(town, "dora", role=await role_id(town, "District Viewer")) == []
        assert await names(town, "diana", role=await role_id(town, "District Viewer")) == ["Alice Adams"]

    async def test_a_role_at_a_group_counts_at_each_of_its_schools(self, town: Town) -> None:
        group = await held_at_both(town, "charlie")
        assert "Charlie Clark" in await names(town, "dora")
        assert "Charlie Clark" in await names(town, "dora", school=town.schools[LINCOLN])
        assert await names(town, "dora", group=group) == ["Charlie Clark"]

    async def test_the_choices_are_those_of_the_places_one_manages(self, town: Town) -> None:
        directory = town.wired.services.staff_directory
        hers = await directory.choices(await town.actor("dora"))
        assert [c.name for c in hers.schools] == [LINCOLN]
        assert [c.name for c in hers.roles] == [
            "Counselor",
            "Non-Rostered Staff",
            "Nurse",
            "School Admin",
            "School Viewer",
        ]
        everybody = await directory.choices(await town.actor("diana"))
        assert [c.name for c in everybody.schools] == [LINCOLN, ROOSEVELT]
        assert "District Admin" in [c.name for c in everybody.roles]

    async def test_a_persons_page_is_there_for_those_who_see_them(self, town: Town) -> None:
        assert (await person(town, "dora", "alice")).name == "Alice Adams"
        assert (await person(town, "diana", "charlie")).name == "Charlie Clark"
        for whom in ("charlie", "diana"):
            with pytest.raises(NotFound):
                await person(town, "dora", whom)
        with pytest.raises(NotFound):
            await town.wired.services.staff_directory.person(await town.actor("diana"), 987654)

    async def test_the_page_says_why_an_account_is_not_ones_own_to_manage(self, town: Town) -> None:
        assert (await person(town, "dora", "alice")).refusal == ""
        assert "also works" in (await person(town, "dora", "nora")).refusal
        assert "your own account" in (await person(town, "dora", "dora")).refusal


class TestFinding:
    @pytest.mark.parametrize("words", ["alice", "ADAMS", "adams ali", "alice@district", "counselor", "álìce"])
    async def test_by_name_address_or_title(self, town: Town, words: str) -> None:
        assert await names(town, words=words) == ["Alice Adams"]

    async def test_accents_do_not_matter(self, town: Town) -> None:
        await change(town, Staff, col(Staff.id) == town.staff["bob"], name="Søren Müller-Peña")
        for words in ("soren", "muller pena", "MÜLLER", "peña"):
            assert await names(town, words=words) == ["Søren Müller-Peña"]

    @pytest.mark.parametrize("words", ["%", "_", "nobody", "\\", "alice bob"])
    async def test_nothing_else_is_found(self, town: Town, words: str) -> None:
        assert await names(town, words=words) == []

    async def test_by_school_role_and_second_step(self, town: Town) -> None:
        assert await names(town, school=town.schools[ROOSEVELT]) == ["Charlie Clark", "Nora Nash"]
        assert await names(town, role=await role_id(town, "Nurse")) == ["Bob Brown"]
        await add(town, SecondStep(staff_id=town.staff["alice"], secret=b"x", confirmed_at=utc_now()))
        await add(town, SecondStep(staff_id=town.staff["bob"], secret=b"x"))
        assert await names(town, two_step="on") == ["Alice Adams"]
        assert "Bob Brown" in await names(town, two_step="off")
        both = {"school": town.schools[ROOSEVELT], "words": "nora"}
        assert await names(town, **both) == ["Nora Nash"]

    async def test_by_what_has_become_of_the_account(self, town: Town) -> None:
        soon, past = utc_now() + timedelta(days=1), utc_now() - timedelta(days=1)
        for who, expires in (("bob", soon), ("vera", past)):
            await change(town, Staff, col(Staff.id) == town.staff[who], password_hash=None)
            await add(town, _invitation(town, who, expires))
        await change(town, Staff, col(Staff.id).in_([town.staff["nora"], town.staff["dora"]]), password_hash=None)
        await add(town, ExternalIdentity(staff_id=town.staff["dora"], issuer="x", subject="dora"))
        await change(town, Staff, col(Staff.id) == town.staff["charlie"], active=False)
        for state, found in {
            StaffState.ACTIVE: ["Alice Adams", "Diana Drew", "Dora Diaz"],
            StaffState.INVITED: ["Bob Brown"],
            StaffState.EXPIRED: ["Vera Vance"],
            StaffState.WAITING: ["Nora Nash"],
            StaffState.DEACTIVATED: ["Charlie Clark"],
        }.items():
            assert await names(town, state=state.value) == found

    @pytest.mark.parametrize("asked", [{"state": "odd"}, {"two_step": "maybe"}, {"sort": "password_hash"}])
    async def test_what_is_no_choice_is_refused(self, town: Town, asked: dict[str, str]) -> None:
        with pytest.raises(Invalid):
            await names(town, **asked)


class TestPaging:
    @pytest.mark.parametrize("descending", [False, True])
    @pytest.mark.parametrize("sort", list(SortBy))
    async def test_5000_people_come_once_each_however_equal_they_are(
        self, town: Town, sort: SortBy, descending: bool
    ) -> None:
        await crowd(town, 5000)
        asked, seen, after = Asked(sort=sort.value, descending=descending), [], None
        while True:
            found = await page(town, "dora", asked, after)
            seen += [row.id for row in found.rows]
            assert found.total == 5005
            if found.next is None:
                break
            assert len(found.rows) == PEOPLE_A_PAGE
            after = found.next
        assert len(seen) == 5005
        assert len(set(seen)) == 5005

    async def test_names_are_sorted_as_people_read_them(self, town: Town) -> None:
        await change(town, Staff, col(Staff.id) == town.staff["charlie"], name="álvaro zamora")
        assert (await names(town))[:3] == ["Alice Adams", "álvaro zamora", "Bob Brown"]

    async def test_last_seen_is_the_last_use_of_a_complete_session(self, town: Town) -> None:
        now = utc_now()
        await add(town, _session(town, "bob", now - timedelta(hours=2)))
        await add(town, _session(town, "bob", now - timedelta(hours=1)))
        await add(town, _session(town, "alice", now - timedelta(minutes=90)))
        await add(town, _session(town, "vera", now, SessionStage.CODE))
        by_seen = (await page(town, asked=Asked(sort="seen", descending=True))).rows
        assert [row.name for row in by_seen][:2] == ["Bob Brown", "Alice Adams"]
        assert by_seen[0].seen == (now - timedelta(hours=1)).isoformat()
        assert by_seen[2].seen == ""


class TestAFile:
    async def test_holds_whom_the_list_holds(self, town: Town) -> None:
        heads, *lines = await as_file(town, "dora")
        assert heads[:3] == ["Name", "E-mail", "Title"]
        assert {line[0] for line in lines} == AT_LINCOLN
        assert [line[0] for line in (await as_file(town, "diana", words="charlie"))[1:]] == ["Charlie Clark"]

    async def test_runs_no_formula(self, town: Town) -> None:
        await change(town, Staff, col(Staff.id) == town.staff["bob"], name="=HYPERLINK(1)")
        assert (await as_file(town, "diana", words="hyperlink"))[1][0] == "'=HYPERLINK(1)"

    async def test_is_noted(self, town: Town) -> None:
        await as_file(town, "dora")
        entry = await the(town, AuditEntry, col(AuditEntry.kind) == AuditKind.EXPORTED)
        assert (entry.actor_id, entry.facts) == (town.staff["dora"], {"what": "staff", "people": len(AT_LINCOLN)})
        assert entry.schools == [town.schools[LINCOLN]]

    async def test_who_manages_staff_without_export_gets_none(self, town: Town) -> None:
        await change(
            town, Assignment, col(Assignment.staff_id) == town.staff["dora"],
            role_id=await role_id(town, "Technical School Admin"),
        )  # fmt: skip
        assert set(await names(town, "dora")) == AT_LINCOLN
        with pytest.raises(NotAllowed):
            await as_file(town, "dora")

    async def test_a_right_that_has_just_ended_gives_none(self, town: Town) -> None:
        dora = await town.actor("dora")
        await change(town, Staff, col(Staff.id) == dora.staff_id, active=False)
        with pytest.raises(SignedOut):
            await town.wired.services.staff_directory.as_file(dora, Asked())


class TestRenaming:
    async def test_is_noted_with_what_it_was(self, town: Town) -> None:
        directory = town.wired.services.staff_directory
        await directory.rename(await town.actor("dora"), town.staff["alice"], "  Alice  Ames ", "counselor")
        assert (await person(town, "dora", "alice")).name == "Alice Ames"
        entry = await the(town, AuditEntry, col(AuditEntry.kind) == AuditKind.PERSON_CHANGED)
        assert entry.facts == {"changed": ["name"]}
        assert (entry.names["name_before"], entry.names["name_after"]) == ("Alice Adams", "Alice Ames")

    async def test_what_stays_the_same_is_not_noted(self, town: Town) -> None:
        directory = town.wired.services.staff_directory
        await directory.rename(await town.actor("dora"), town.staff["alice"], "Alice Adams", "counselor")
        assert await rows(town, AuditEntry) == []

    @pytest.mark.parametrize(("whom", "why"), [("nora", NotAllowed), ("dora", NotAllowed), ("charlie", NotFound)])
    async def test_is_refused_where_the_account_is_not_ones_own_to_manage(
        self, town: Town, whom: str, why: type[Exception]
    ) -> None:
        with pytest.raises(why):
            await town.wired.services.staff_directory.rename(await town.actor("dora"), town.staff[whom], "Eve", "")

    @pytest.mark.parametrize(("name", "title"), [("", "x"), ("  ", "x"), ("x" * 121, ""), ("x", "x" * 81)])
    async def test_a_name_is_needed_and_neither_is_endless(self, town: Town, name: str, title: str) -> None:
        with pytest.raises(Invalid):
            await town.wired.services.staff_directory.rename(
                await town.actor("diana"), town.staff["alice"], name, title
            )


async def assign_to(town: Town, who: str, role: str, school: str | None) -> None:
    async with town.wired.db.transaction() as session:
        await assign(session, town.staff[who], role, school)


def _invitation(town: Town, who: str, expires) -> AccountLink:
    return AccountLink(
        staff_id=town.staff[who], purpose=LinkPurpose.INVITATION, token_digest=who.encode(), expires_at=expires
    )


def _session(town: Town, who: str, used, stage: SessionStage = SessionStage.COMPLETE) -> Session:
    digest, expires = f"{who} {used} {stage}".encode(), utc_now() + timedelta(days=1)
    return Session(token_digest=digest, staff_id=town.staff[who], used_at=used, expires_at=expires, stage=stage)


async def test_who_texts_from_shared_numbers_has_none_of_their_own_to_show(town: Town) -> None:
    shared = await give_number(town, "alice", "+13125550117")
    await change(town, Number, col(Number.id) == shared.id, staff_id=None, pooled=True)
    await add(town, Pair(phone_id=town.phones[ROSA], number_id=shared.id, thread_id=await town.personal("alice")))
    member = await town.wired.services.staff_directory.person(await town.actor("diana"), town.staff["alice"])
    assert (member.number, member.number_state) == (
        "Shared number",
        "Texts families from numbers that several people use",
    )
