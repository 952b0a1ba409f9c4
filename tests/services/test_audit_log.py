"""Reading the log: who sees which entries, what is found, and how it reads."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import col

from tests.cast import Town
from tests.services.steps import LINCOLN, ROOSEVELT, change, revoke, rows, the
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.domain.permissions import Level
from tp_inbox.services import audit, audit_log as module, audit_sentences as sentences
from tp_inbox.services.audit_log import Asked, LogLine, day_of, group_of
from tp_inbox.services.audit_sentences import KINDS, Group, Told
from tp_inbox.storage.tables import Assignment, AuditEntry, Role, Staff

K = AuditKind
EVERYTHING = Asked()


async def entry(town: Town, kind: AuditKind = K.SIGNED_IN, who: str | None = "diana", on: str = "", **more: Any) -> int:
    async with town.wired.db.transaction() as session:
        actor = await town.actor(who) if who else None
        return (await audit.record(session, kind, actor, subject=town.staff.get(on), **more)).id


async def given(town: Town, on: str = "bob", who: str = "diana", role: str = "Nurse", at: str = LINCOLN) -> int:
    return await entry(
        town,
        K.ROLE_GIVEN,
        who,
        on,
        facts={"role": 1, "place": "school", "place_id": town.schools[at]},
        after={"permissions": ["personal_messages"]},
        names={"role": role, "place": at},
    )


async def read(town: Town, who: str = "diana", asked: Asked = EVERYTHING) -> list[LogLine]:
    return (await town.wired.services.audit_log.page(await town.actor(who), asked)).lines


async def found(town: Town, who: str = "diana", **asked: Any) -> list[int]:
    return [line.id for line in await read(town, who, Asked(**asked))]


async def aged(town: Town, entry_id: int, at: datetime) -> None:
    async with town.wired.db.transaction() as session:
        await session.execute(text("SET LOCAL session_replication_role = replica"))
        await session.execute(text("UPDATE audit_entry SET at = :at WHERE id = :id"), {"at": at, "id": entry_id})


async def holds_only(town: Town, who: str, *permissions: str, at: str = LINCOLN) -> None:
    """A custom role in the place of everything else."""
    await revoke(town, who)
    async with town.wired.db.transaction() as session:
        role = Role(name="Custom", level=Level.SCHOOL, permissions=list(permissions))
        session.add(role)
        await session.flush()
        session.add(Assignment(staff_id=town.staff[who], role_id=role.id, school_id=town.schools[at]))


async def file_of(town: Town, who: str = "diana", asked: Asked = EVERYTHING) -> list[list[str]]:
    parts = await town.wired.services.audit_log.as_file(await town.actor(who), asked)
    whole = "".join([part async for part in parts])
    assert whole.startswith("\ufeff")
    return list(csv.reader(io.StringIO(whole.removeprefix("\ufeff"))))


class TestWhoReadsIt:
    async def test_at_the_district_everything_is_read_newest_first(self, town: Town) -> None:
        ids = [await entry(town), await given(town), await entry(town, who=None)]
        assert [line.id for line in await read(town)] == ids[::-1]

    async def test_at_a_school_what_concerns_that_school(self, town: Town) -> None:
        here, elsewhere = await given(town, "bob"), await given(town, "charlie", at=ROOSEVELT)
        both, district = await given(town, "nora"), await entry(town, K.EXPORTED)
        assert await found(town, "dora") == [both, here]
        assert {elsewhere, district} <= set(await found(town))

    @pytest.mark.parametrize("who", ["alice", "bob", "vera", "nora"])
    async def test_without_the_permission_nothing(self, town: Town, who: str) -> None:
        await given(town)
        log, actor = town.wired.services.audit_log, await town.actor(who)
        for asking in (log.page(actor, EVERYTHING), log.schools(actor), log.people(actor, "Bob"), log.person(actor, 1)):
            with pytest.raises(NotAllowed):
                await asking

    async def test_a_custom_role_with_the_log_alone_reads_it(self, town: Town) -> None:
        await holds_only(town, "alice", "view_audit_log")
        here = await given(town)
        assert await found(town, "alice") == [here]

    async def test_no_filter_reaches_beyond_ones_own_school(self, town: Town) -> None:
        await given(town, "charlie", at=ROOSEVELT)
        for asked in (
            {"school": town.schools[ROOSEVELT]},
            {"person": town.staff["charlie"]},
            {"words": "charlie"},
            {"group": Group.ROLES},
            {"since": date(2020, 1, 1)},
        ):
            assert await found(town, "dora", **asked) == []

    async def test_the_choices_are_of_ones_own_schools(self, town: Town) -> None:
        log = town.wired.services.audit_log
        diana, dora = await town.actor("diana"), await town.actor("dora")
        assert [c.name for c in await log.schools(diana)] == [LINCOLN, ROOSEVELT]
        assert [c.name for c in await log.schools(dora)] == [LINCOLN]
        assert [c.name for c in await log.people(diana, "char")] == ["Charlie Clark"]
        assert await log.people(dora, "char") == await log.people(dora, "  ") == []
        assert await log.person(dora, town.staff["nora"]) == "Nora Nash"
        for unseen in (town.staff["charlie"], 999):
            with pytest.raises(NotFound):
                await log.person(dora, unseen)


class TestPages:
    async def test_each_entry_is_on_one_page_though_new_ones_come(
        self, town: Town, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "ENTRIES_A_PAGE", 2)
        ids = [await entry(town) for _ in range(5)]
        for one in ids:  # one moment for all: the id decides
            await aged(town, one, datetime(2026, 1, 1, tzinfo=UTC))
        log, diana = town.wired.services.audit_log, await town.actor("diana")
        seen, after = [], None
        while True:
            page = await log.page(diana, EVERYTHING, after)
            seen += [line.id for line in page.lines]
            await entry(town)
            if (after := page.last) is None:
                break
        assert seen == ids[::-1]

    async def test_an_empty_log_is_one_empty_page(self, town: Town) -> None:
        assert await read(town) == []


class TestFinding:
    @pytest.mark.parametrize("words", ["bob", "BROWN bob", "nurse", "nürse", "  Lincoln   nurse ", "role", "given bob"])
    async def test_by_names_and_by_what_was_done(self, town: Town, words: str) -> None:
        wanted = await given(town)
        await entry(town, K.SIGNED_IN, "alice", "alice")
        assert await found(town, words=words) == [wanted]

    async def test_a_short_word_is_the_beginning_of_a_name(self, town: Town) -> None:
        await change(town, Staff, col(Staff.id) == town.staff["bob"], name="Li Xu")
        wanted = await given(town)
        await given(town, "alice")
        for words in ("Xu", "xu nurse", "x"):
            assert await found(town, words=words) == [wanted]
        assert await found(town, words="ur") == []

    @pytest.mark.parametrize("words", ["bob charlie", "salt", "subject", "50%", "_ob", "nurs_", "\0", "x" * 500])
    async def test_not_by_what_nobody_is_called(self, town: Town, words: str) -> None:
        await given(town)
        assert await found(town, words=words) == ([] if words != "\0" else await found(town))

    async def test_by_the_name_of_today_where_names_were_removed(self, town: Town) -> None:
        wanted = await given(town)
        await change(town, Staff, col(Staff.id) == town.staff["bob"], name="Robert Brown")
        assert await found(town, words="robert") == [wanted]
        async with town.wired.db.transaction() as session:
            await session.execute(text("UPDATE audit_entry SET names = '{}'"))
        assert await found(town, words="robert") == [wanted]
        (line,) = await read(town)
        assert (line.who, line.about) == ("Diana Drew", "Robert Brown")
        assert line.sentence.startswith("gave Robert Brown the role ")

    async def test_by_a_person_who_did_it_or_to_whom_it_was_done(self, town: Town) -> None:
        done, did, _ = await given(town), await entry(town, who="bob"), await entry(town, who="alice")
        assert await found(town, person=town.staff["bob"]) == [did, done]

    async def test_by_school_and_by_what_it_is_about(self, town: Town) -> None:
        here, there = await given(town), await given(town, "charlie", at=ROOSEVELT)
        signed_in = await entry(town, K.SIGNED_IN, "bob", "bob")
        assert await found(town, school=town.schools[LINCOLN]) == [signed_in, here]
        assert await found(town, group=Group.ROLES) == [there, here]
        assert await found(town, group=Group.SIGN_INS, person=town.staff["bob"]) == [signed_in]

    async def test_by_days_of_the_district(self, town: Town) -> None:
        early, late = await entry(town), await entry(town)
        await aged(town, early, datetime(2026, 3, 8, 5, 59, tzinfo=UTC))  # 23:59 on the 7th in Chicago
        await aged(town, late, datetime(2026, 3, 9, 4, 59, tzinfo=UTC))  # 23:59 on the 8th, an hour shorter
        the_8th = date(2026, 3, 8)
        assert await found(town, since=the_8th, until=the_8th) == [late]
        assert await found(town, until=the_8th) == [late, early]
        assert await found(town, since=the_8th + timedelta(days=1)) == []

    def test_what_cannot_be_meant_is_refused(self) -> None:
        assert (group_of(""), day_of(""), day_of("2026-03-08")) == (None, None, date(2026, 3, 8))
        for refused in (lambda: group_of("everything"), lambda: day_of("8 March"), lambda: day_of("2026-02-30")):
            with pytest.raises(Invalid):
                refused()


class TestSentences:
    def test_every_kind_has_one(self) -> None:
        assert KINDS.keys() == set(AuditKind)
        assert {shown.group for shown in KINDS.values()} == set(Group) == set(sentences.GROUPS)

    @pytest.mark.parametrize("kind", AuditKind)
    def test_each_reads_without_any_names(self, kind: AuditKind) -> None:
        for by_itself in (True, False):
            said = sentences.sentence(Told(kind, by_itself=by_itself))
            assert "{" not in said
            assert said[0].islower()
            assert not said.endswith(".")

    @pytest.mark.parametrize("kind", AuditKind)
    def test_what_people_typed_fills_nothing_in(self, kind: AuditKind) -> None:
        odd = "{0} {salt} {actor.__class__}"
        words = dict.fromkeys([*sentences.UNNAMED, "actor", "number", "role_before", "reason"], odd)
        facts = dict.fromkeys(["what", "place", "change", "successor"], odd) | {"changed": [odd]}
        sentences.sentence(Told(kind, words, facts=facts))
        sentences.details(Told(kind, words, facts=facts))

    @pytest.mark.parametrize(
        ("told", "said"),
        [
            (
                Told(
                    K.ROLE_GIVEN,
                    {"subject": "Bob Brown", "role": "Nurse", "place": LINCOLN},
                    facts={"place": "school"},
                ),
                "gave Bob Brown the role Nurse at Lincoln Middle School",
            ),
            (
                Told(K.ROLE_TAKEN, {"subject": "Bob Brown", "role": "District Viewer"}, facts={"place": "district"}),
                "took the role District Viewer for the whole district from Bob Brown",
            ),
            (
                Told(K.ROLE_GIVEN, {"subject": "Bob", "role": "Nurse", "place": "East"}, facts={"place": "group"}),
                "gave Bob the role Nurse in the group East",
            ),
            (
                Told(
                    K.INVITED,
                    {"subject": "Bob", "role": "Nurse", "place": LINCOLN},
                    facts={"role": 1, "place": "school"},
                ),
                f"invited Bob as Nurse at {LINCOLN}",
            ),
            (Told(K.INVITED, {"subject": "Bob"}), "invited Bob again"),
            (Told(K.SIGN_IN_FAILED, {"subject": "Bob Brown"}), "failed to sign in as Bob Brown"),
            (Told(K.SIGN_IN_FAILED), "failed to sign in with an address that nobody here has"),
            (
                Told(K.SIGN_IN_FAILED, {"subject": "Bob"}, facts={"too_many": True}),
                "tried so often to sign in as Bob that more tries had to wait",
            ),
            (
                Told(K.SIGN_IN_FAILED, {"subject": "Bob"}, facts={"present_password": True}),
                "gave a wrong present password when changing it",
            ),
            (Told(K.SIGNED_OUT, facts={"everywhere": True}), "signed out everywhere"),
            (Told(K.SESSION_ENDED, {"subject": "Bob"}, facts={"sessions": 2}), "signed Bob out of 2 sessions"),
            (Told(K.TWO_STEP_OFF, {"subject": "Bob"}), "reset the two-step sign-in of Bob"),
            (Told(K.TWO_STEP_OFF, by_itself=True), "turned off two-step sign-in"),
            (
                Told(K.ROLE_CHANGED, {"role": "Nurse", "role_before": "Medic"}),
                "renamed the role Medic to Nurse",
            ),
            (
                Told(K.ROLE_CHANGED, {"role": "Nurse"}, after={"two_step_required": True}),
                "required two-step sign-in for the role Nurse",
            ),
            (
                Told(K.NUMBER_CHANGED, {"school": LINCOLN}, facts={"change": "stopped"}),
                f"stopped the number of {LINCOLN}",
            ),
            (
                Told(K.OVERSIGHT_OPENED, {"subject": "Bob"}),
                "opened a conversation of Bob in Oversight",
            ),
            (
                Told(K.PERSON_CHANGED, {"subject": "Bob"}, facts={"changed": ["name", "title"]}),
                "changed the name and title of Bob",
            ),
            (Told(K.NAMES_REMOVED, facts={"entries": 1200}), "removed the names from 1,200 old entries of this log"),
        ],
    )
    def test_they_read_as_people_speak(self, told: Told, said: str) -> None:
        assert sentences.sentence(told) == said

    def test_who_it_was_when_nobody_was_signed_in(self) -> None:
        assert sentences.who(Told(K.NUMBER_CHANGED)) == "The server"
        assert sentences.who(Told(K.SIGN_IN_FAILED)) == "Somebody"

    def test_before_and_after_are_in_words(self) -> None:
        told = Told(
            K.ROLE_CHANGED,
            {"role": "Nurse", "role_before": "Medic"},
            before={"permissions": ["personal_messages", "announce"], "two_step_required": False},
            after={"permissions": ["personal_messages", "export"], "two_step_required": True},
        )
        assert [(d.label, d.was, d.now) for d in sentences.details(told)] == [
            ("Name", "Medic", "Nurse"),
            ("Took away", "", "Announce to the school"),
            ("Added", "", "Export"),
            ("Two-step sign-in required", "No", "Yes"),
        ]

    def test_a_file_says_by_what_it_was_chosen(self) -> None:
        told = Told(K.EXPORTED, {"search": "bob"}, facts={"group": "roles", "since": "2026-01-01"})
        assert [(d.label, d.now) for d in sentences.details(told)] == [
            ("Search", "bob"),
            ("About", "Roles"),
            ("From", "2026-01-01"),
        ]

    def test_schools_have_their_names_and_states_theirs(self) -> None:
        told = Told(
            K.GROUP_CHANGED,
            before={"state": "active"},
            after={"schools": [1, 2], "state": "quarantined"},
            schools={1: LINCOLN},
        )
        assert [(d.label, d.was, d.now) for d in sentences.details(told)] == [
            ("State", "working", "in quarantine"),
            ("Schools", "", f"{LINCOLN}, a school that is gone"),
        ]


class TestTheFile:
    async def test_it_has_what_the_page_has_and_an_entry_of_its_own(self, town: Town) -> None:
        await given(town)
        heads, own, line = await file_of(town)
        assert tuple(heads) == module.HEADS
        assert own[1:3] == ["Diana Drew", "downloaded the audit log"]
        assert line[1:4] == ["Diana Drew", "gave Bob Brown the role Nurse at Lincoln Middle School", "Bob Brown"]
        assert line[5:7] == ["Allows: Send and receive personal messages", "Roles"]

    async def test_it_is_filtered_as_the_page_and_says_so_in_the_log(self, town: Town) -> None:
        await given(town)
        await entry(town)
        asked = Asked(words="nurse", group=Group.ROLES, person=town.staff["bob"], since=date(2026, 1, 1))
        assert len(await file_of(town, asked=asked)) == 2
        kept = await the(town, AuditEntry, col(AuditEntry.kind) == K.EXPORTED)
        assert kept.facts == {
            "what": "audit_log",
            "group": "roles",
            "person": town.staff["bob"],
            "since": "2026-01-01",
        }
        assert kept.names["search"] == "nurse"

    async def test_no_cell_is_run_as_a_formula(self, town: Town) -> None:
        await change(town, Staff, col(Staff.id) == town.staff["bob"], name="=HYPERLINK(1)")
        await entry(town, K.SIGNED_IN, "bob", "bob")
        assert (await file_of(town))[2][1] == "'=HYPERLINK(1)"

    async def test_a_long_one_comes_in_parts(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "LINES_AT_ONCE", 2)
        for _ in range(5):
            await entry(town)
        parts = await town.wired.services.audit_log.as_file(await town.actor("diana"), EVERYTHING)
        assert [part.count("\n") async for part in parts] == [1, 2, 2, 2]

    async def test_at_a_school_it_holds_that_school_alone(self, town: Town) -> None:
        await given(town)
        await given(town, "charlie", at=ROOSEVELT)
        assert [line[3] for line in (await file_of(town, "dora"))[1:]] == ["", "Bob Brown"]
        kept = await the(town, AuditEntry, col(AuditEntry.kind) == K.EXPORTED)
        assert kept.schools == [town.schools[LINCOLN]]

    @pytest.mark.parametrize("permission", ["view_audit_log", "export"])
    async def test_one_of_the_two_permissions_is_not_enough(self, town: Town, permission: str) -> None:
        await holds_only(town, "alice", permission)
        with pytest.raises(NotAllowed):
            await file_of(town, "alice")
        assert await rows(town, AuditEntry) == []

    async def test_both_are(self, town: Town) -> None:
        await holds_only(town, "alice", "view_audit_log", "export")
        assert len(await file_of(town, "alice")) == 2

    async def test_it_ends_when_the_permission_does(self, town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "LINES_AT_ONCE", 1)
        for _ in range(3):
            await given(town)
        parts = await town.wired.services.audit_log.as_file(await town.actor("dora"), EVERYTHING)
        await anext(parts)
        await anext(parts)
        await revoke(town, "dora")
        with pytest.raises(NotAllowed):
            await anext(parts)
