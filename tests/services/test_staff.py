"""Accounts, roles and signatures; and the district at a glance."""

from __future__ import annotations

import pytest
from sqlmodel import col

from tests.cast import PASSWORD, Town
from tests.services.steps import LINCOLN, ROOSEVELT, change, listening, rows, the
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, SignedOut
from tp_inbox.domain.permissions import Permission
from tp_inbox.services.audit import ON_THE_SERVER
from tp_inbox.storage.feed import ChangeKind
from tp_inbox.storage.tables import Assignment, AuditEntry, Inbox, Role, Session, Staff
from tp_inbox.storage.tables.staff import SessionStage


async def sign_in(town: Town, email: str, password: str) -> str:
    return (await town.wired.services.sessions.sign_in(email, password, "192.0.2.1", "")).token


class TestAdding:
    async def test_a_new_person_signs_in_and_has_what_the_role_gives(self, town: Town) -> None:
        staff = town.wired.services.staff
        password = await staff.add(" Ana@District.Example ", "Ana Ames", "librarian", "School Admin", LINCOLN)
        found = await town.wired.services.sessions.look_up(
            await sign_in(town, "ana@district.example", password), own_act=False
        )
        assert found is not None
        assert found.actor.schools_with(Permission.MESSAGE_ON_BEHALF) == {town.schools[LINCOLN]}
        assert await rows(town, Inbox, col(Inbox.staff_id) == found.actor.staff_id)

    async def test_a_district_role_needs_no_school(self, town: Town) -> None:
        await town.wired.services.staff.add("ana@district.example", "Ana", "", "District Viewer", None)
        assert (await rows(town, Assignment))[-1].school_id is None

    @pytest.mark.parametrize(
        ("email", "role", "school", "why"),
        [
            ("alice@district.example", "School Admin", LINCOLN, "already"),
            ("ALICE@district.example", "School Admin", LINCOLN, "already"),
            ("not an address", "School Admin", LINCOLN, "whole e-mail address"),
            (
                "ana@district.example",
                "Principal",
                LINCOLN,
                "no role of that name. There are: Counselor, District Admin",
            ),
            ("ana@district.example", "School Admin", None, f"Name one of: {LINCOLN}, {ROOSEVELT}"),
            ("ana@district.example", "School Admin", "Hogwarts", "Name one of"),
            ("ana@district.example", "District Admin", LINCOLN, "held at the district"),
        ],
    )
    async def test_what_cannot_be_is_refused_and_nothing_is_written(
        self, town: Town, email: str, role: str, school: str | None, why: str
    ) -> None:
        with pytest.raises(Invalid, match=why):
            await town.wired.services.staff.add(email, "Ana", "", role, school)
        assert len(await rows(town, Staff)) == len(town.staff)

    @pytest.mark.parametrize("password", ["short", "x" * 201])
    async def test_a_weak_password_is_refused(self, town: Town, password: str) -> None:
        with pytest.raises(Invalid, match="12 to 200"):
            await town.wired.services.staff.add("ana@district.example", "Ana", "", "School Admin", LINCOLN, password)


class TestDisabling:
    async def test_it_signs_out_everywhere_and_nobody_signs_in(self, town: Town) -> None:
        token = await sign_in(town, town.email("alice"), PASSWORD)
        async with listening(town) as heard:
            await town.wired.services.staff.disable(town.email("alice").upper())
            assert sorted(await heard.kinds()) == [ChangeKind.ACCESS, ChangeKind.SESSION]
        assert await town.wired.services.sessions.look_up(token, own_act=False) is None
        with pytest.raises(Invalid):
            await sign_in(town, town.email("alice"), PASSWORD)

    async def test_nobody_by_that_address_is_a_sentence(self, town: Town) -> None:
        for ask in (town.wired.services.staff.disable, town.wired.services.staff.reset_password):
            with pytest.raises(Invalid, match="no account"):
                await ask("nobody@district.example")


class TestByWhoeverRunsTheServer:
    async def test_a_link_lets_somebody_choose_a_password(self, town: Town) -> None:
        link = await town.wired.services.staff.link(town.email("alice"))
        token = link.url.partition("#")[2]
        await town.wired.services.account_links.accept(token, "seven quiet herons", "192.0.2.1", "")
        await sign_in(town, town.email("alice"), "seven quiet herons")

    async def test_one_more_role_counts_at_once_and_is_given_once(self, town: Town) -> None:
        staff = town.wired.services.staff
        await staff.give(town.email("bob"), "School Viewer", LINCOLN)
        assert (await town.actor("bob")).schools_with(Permission.VIEW_SCHOOL_INBOX) == {town.schools[LINCOLN]}
        with pytest.raises(Invalid, match="already"):
            await staff.give(town.email("bob"), "School Viewer", LINCOLN)

    async def test_who_was_disabled_can_be_enabled(self, town: Town) -> None:
        staff = town.wired.services.staff
        await staff.disable(town.email("alice"))
        await staff.enable(town.email("alice"))
        await sign_in(town, town.email("alice"), PASSWORD)

    async def test_a_role_that_demands_a_second_step_is_obeyed_at_once(self, town: Town) -> None:
        await sign_in(town, town.email("bob"), PASSWORD)
        await change(town, Role, col(Role.name) == "School Viewer", two_step_required=True)
        await town.wired.services.staff.give(town.email("bob"), "School Viewer", LINCOLN)
        assert (await the(town, Session)).stage is not SessionStage.COMPLETE

    async def test_all_of_it_is_written_down_as_done_on_the_server(self, town: Town) -> None:
        staff = town.wired.services.staff
        await staff.add("ana@district.example", "Ana", "", "School Admin", LINCOLN)
        for do in (staff.link, staff.reset_password, staff.disable, staff.enable):
            await do(town.email("alice"))
        await staff.give(town.email("alice"), "School Viewer", LINCOLN)
        entries = await rows(town, AuditEntry)
        assert {e.kind for e in entries} == {
            AuditKind.INVITED,
            AuditKind.ROLE_GIVEN,
            AuditKind.RESET_LINK_MADE,
            AuditKind.PASSWORD_CHANGED,
            AuditKind.DEACTIVATED,
            AuditKind.REACTIVATED,
        }
        assert {(e.actor_id, e.address) for e in entries} == {(None, ON_THE_SERVER)}


async def test_a_reset_password_signs_out_everywhere_and_the_old_one_is_wrong(town: Town) -> None:
    token = await sign_in(town, town.email("alice"), PASSWORD)
    fresh = await town.wired.services.staff.reset_password(town.email("alice"))
    assert await town.wired.services.sessions.look_up(token, own_act=False) is None
    with pytest.raises(Invalid):
        await sign_in(town, town.email("alice"), PASSWORD)
    assert await sign_in(town, town.email("alice"), fresh)


class TestSignature:
    async def test_it_is_cleaned_and_kept(self, town: Town) -> None:
        alice, staff = await town.actor("alice"), town.wired.services.staff
        assert await staff.save_signature(alice, "  Ms. Adams \r\n\r\n Lincoln ") == "Ms. Adams\nLincoln"
        assert await staff.signature(alice) == "Ms. Adams\nLincoln"
        assert await staff.signature(await town.actor("bob")) == ""

    @pytest.mark.parametrize("text", ["x" * 101, "a\nb\nc", "a\x00b"])
    async def test_one_that_cannot_be_is_refused_and_the_old_one_stays(self, town: Town, text: str) -> None:
        alice, staff = await town.actor("alice"), town.wired.services.staff
        await staff.save_signature(alice, "Ms. Adams")
        with pytest.raises(Invalid):
            await staff.save_signature(alice, text)
        assert await staff.signature(alice) == "Ms. Adams"

    async def test_who_was_disabled_changes_nothing(self, town: Town) -> None:
        alice = await town.actor("alice")
        await town.wired.services.staff.disable(town.email("alice"))
        with pytest.raises(SignedOut):
            await town.wired.services.staff.save_signature(alice, "Ms. Adams")
