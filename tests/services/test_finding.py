"""Finding whom to write to: by name, number or student, and never beyond one's own schools."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlmodel import col

from tests.cast import MIA, ROSA, Town
from tests.services.steps import LINCOLN, ROOSEVELT, add, change, the, years_before
from tp_inbox.services.finding import MOST_FOUND, NO_PHONE_CONTACT, NO_PHONE_STUDENT
from tp_inbox.services.views import RecipientView
from tp_inbox.storage.tables import Contact, FamilyPhone, Guardianship, School, Student


async def find(town: Town, words: str, who: str = "alice") -> list[RecipientView]:
    return await town.wired.services.finding.recipients(await town.actor(who), words)


async def names(town: Town, words: str, who: str = "alice") -> list[str]:
    return [found.name for found in await find(town, words, who)]


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("rosa", ["Rosa Lopez"]),
        ("ROSA lop", ["Rosa Lopez"]),
        ("mia", ["Rosa Lopez", "Mia Lopez"]),
        ("lopez", ["Rosa Lopez", "Leo Lopez", "Mia Lopez"]),
        ("(312) 555-0142", ["Rosa Lopez"]),
        ("0163", ["Mia Lopez"]),
        ("nobody", []),
        ("", []),
        ("   ", []),
        ("\x00", []),
        ("14", []),
    ],
)
async def test_by_name_number_or_student(town: Town, words: str, found: list[str]) -> None:
    assert await names(town, words) == found


@pytest.mark.parametrize("wild", ["%", "_", "R_sa", "%osa", "\\", "Rosa\\"])
async def test_signs_that_mean_something_to_the_database_mean_themselves(town: Town, wild: str) -> None:
    assert await names(town, wild) == []


async def test_a_percent_sign_in_a_name_is_found_by_itself(town: Town) -> None:
    await change(town, Contact, col(Contact.name) == "Rosa Lopez", name="Rosa 100% Lopez_")
    assert await names(town, "100% pez_") == ["Rosa 100% Lopez_"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Sofía Muñoz", "sofia munoz"),
        ("Sofia Munoz", "SOFÍA muñoz"),
        ("Nguyễn Thị Đào", "nguyen thi dao"),
        ("Łukasz Øster", "lukasz oster"),
        ("Renée O’Brien", "renee o'brien"),
        ("Анна Ёлкина", "елкина"),
        ("فاطمة", "فاطمة"),
    ],
)
async def test_accents_do_not_matter(town: Town, name: str, words: str) -> None:
    await change(town, Contact, col(Contact.name) == "Rosa Lopez", name=name)
    assert await names(town, words) == [name]


class TestScope:
    @pytest.mark.parametrize(
        ("who", "found"),
        [
            ("alice", {"Rosa Lopez", "Leo Lopez", "Mia Lopez"}),
            ("bob", {"Rosa Lopez", "Leo Lopez", "Mia Lopez"}),
            ("dora", {"Rosa Lopez", "Leo Lopez", "Mia Lopez"}),
            ("charlie", {"Omar Haddad", "Sami Haddad"}),
            ("nora", {"Rosa Lopez", "Leo Lopez", "Mia Lopez", "Omar Haddad", "Sami Haddad"}),
            ("vera", set()),
            ("diana", set()),
        ],
    )
    async def test_a_person_finds_whom_they_may_write_to_and_nobody_else(
        self, town: Town, who: str, found: set[str]
    ) -> None:
        everybody = [await names(town, words, who) for words in ("a", "e", "o", "555")]
        assert {name for some in everybody for name in some} == found

    async def test_another_schools_children_are_not_named(self, town: Town) -> None:
        rosa = await the(town, Contact, col(Contact.name) == "Rosa Lopez")
        luis = Student(name="Luis Lopez", birth_date=date(2010, 1, 1), school_id=town.schools[ROOSEVELT])
        await add(town, luis)
        await add(town, Guardianship(student_id=luis.id, contact_id=rosa.id))
        assert (await find(town, "rosa"))[0].about == "Mother of Leo Lopez, Mia Lopez"
        assert await names(town, "luis") == []
        assert await names(town, "rosa", "charlie") == ["Rosa Lopez"]
        assert (await find(town, "rosa", "charlie"))[0].about == "Family of Luis Lopez"

    async def test_a_contact_without_a_student_is_nobodys(self, town: Town) -> None:
        await add(town, Contact(name="Rosalind Free", phone_id=town.phones[ROSA]))
        assert await names(town, "rosalind") == []


class TestReachable:
    async def _mia(self, town: Town) -> RecipientView:
        (found,) = [r for r in await find(town, "mia") if r.is_student]
        return found

    async def test_a_student_of_14_with_a_phone_is_reachable(self, town: Town) -> None:
        mia = await self._mia(town)
        assert (mia.phone_id, mia.phone, mia.unreachable, mia.instead) == (
            town.phones[MIA],
            "(312) 555-0163",
            "",
            [],
        )

    async def test_a_child_is_shown_with_the_reason_and_the_family_instead(self, town: Town) -> None:
        (leo,) = [r for r in await find(town, "leo") if r.is_student]
        assert "under 13" in leo.unreachable
        assert (leo.phone_id, leo.phone, leo.instead) == (0, "", ["Rosa Lopez"])

    async def test_a_childs_own_phone_is_not_offered(self, town: Town) -> None:
        await change(town, Student, col(Student.name) == "Mia Lopez", birth_date=date.today())  # noqa: DTZ011 - the machine's day will do
        assert ((mia := await self._mia(town)).phone_id, mia.phone) == (0, "")

    async def test_a_student_without_a_birth_date_is_not_reachable(self, town: Town) -> None:
        await change(town, Student, col(Student.name) == "Mia Lopez", birth_date=None)
        assert "no birth date" in (await self._mia(town)).unreachable

    async def test_a_student_without_a_phone_is_not_reachable(self, town: Town) -> None:
        await change(town, Student, col(Student.name) == "Mia Lopez", phone_id=None)
        assert ((mia := await self._mia(town)).unreachable, mia.instead) == (NO_PHONE_STUDENT, ["Rosa Lopez"])

    async def test_a_contact_without_a_phone_is_not_reachable_and_offered_to_nobody(self, town: Town) -> None:
        await change(town, Contact, phone_id=None)
        assert [(r.unreachable, r.phone_id) for r in await find(town, "rosa")] == [(NO_PHONE_CONTACT, 0)]
        (leo,) = [r for r in await find(town, "leo") if r.is_student]
        assert leo.instead == []

    async def test_a_missing_grade_leaves_no_gap(self, town: Town) -> None:
        await change(town, Student, grade="")
        assert (await self._mia(town)).about == f"Student, {LINCOLN}"


async def test_at_most_twenty_of_each_are_shown(town: Town) -> None:
    async with town.wired.db.transaction() as session:
        phone = FamilyPhone(e164="+12025550123")
        students = [Student(name=f"Zed {n:02}", school_id=town.schools[LINCOLN]) for n in range(30)]
        session.add_all([phone, *students])
        await session.flush()
        contacts = [Contact(name=f"Zed Parent {n:02}", phone_id=phone.id) for n in range(30)]
        session.add_all(contacts)
        await session.flush()
        session.add_all(Guardianship(student_id=s.id, contact_id=c.id) for s, c in zip(students, contacts, strict=True))
    found = await find(town, "zed")
    assert [r.is_student for r in found] == [False] * MOST_FOUND + [True] * MOST_FOUND


async def test_the_age_is_asked_in_the_schools_own_zone(town: Town) -> None:
    birthday = years_before(datetime.now(ZoneInfo("Pacific/Kiritimati")).date(), 13)
    await change(town, Student, col(Student.name) == "Mia Lopez", birth_date=birthday)
    for zone, reachable in (("Pacific/Kiritimati", True), ("Pacific/Pago_Pago", False)):
        await change(town, School, time_zone=zone)
        (mia,) = [r for r in await find(town, "mia") if r.is_student]
        assert (mia.unreachable == "") is reachable
