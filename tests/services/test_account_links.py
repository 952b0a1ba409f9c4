"""Invitations and resets by a link: made by who may, used once, and never more than their owner's."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from urllib.parse import unquote

import pytest
from sqlalchemy import delete, update
from sqlmodel import SQLModel, col

from tests.cast import PASSWORD, Town
from tests.services.steps import LINCOLN, ROOSEVELT, add, change, rows, the, until_waiting
from tp_inbox.domain.access import DISTRICT, READS_MESSAGES, Place, PlaceKind
from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.errors import Invalid, NotAllowed, NotFound
from tp_inbox.domain.permissions import Level, Permission
from tp_inbox.services.account_links import (
    CLOSED,
    ENDED,
    EXPIRED,
    OUTGROWN,
    TAKEN,
    TWICE,
    UNKNOWN,
    USED,
    WORKS_FOR,
    FreshLink,
    Newcomer,
    Taken,
    Unusable,
)
from tp_inbox.services.leaving import Plan
from tp_inbox.services.sessions import FAILURES_FOR_FREE, TooMany
from tp_inbox.storage.base import utc_now
from tp_inbox.storage.tables import AccountLink, Assignment, AuditEntry, Inbox, Role, SchoolGroup, SignInFailure, Staff
from tp_inbox.storage.tables.staff import LinkPurpose, SessionStage

ANA = Newcomer("Ana Ames", "Ana.Ames@District.Example", "librarian")
FRESH = "seven quiet herons"


def at(town: Town, school: str = LINCOLN) -> Place:
    return Place(PlaceKind.SCHOOL, town.schools[school])


async def role(town: Town, name: str) -> int:
    return (await the(town, Role, col(Role.name) == name)).id


async def invite(
    town: Town, who: str = "diana", person: Newcomer = ANA, given: str = "Nurse", place: Place | None = None
) -> FreshLink:
    links = town.wired.services.account_links
    (link,) = await links.invite(await town.actor(who), [person], await role(town, given), place or at(town))
    return link


async def renew(town: Town, who: str, whom: str) -> FreshLink:
    return await town.wired.services.account_links.renew(await town.actor(who), town.staff[whom])


def token_of(link: FreshLink) -> str:
    return link.url.partition("#")[2]


async def accept(town: Town, link: FreshLink, password: str = FRESH):
    return await town.wired.services.account_links.accept(token_of(link), password, "192.0.2.1", "")


async def kinds(town: Town, *wanted: AuditKind) -> list[AuditEntry]:
    return await rows(town, AuditEntry, col(AuditEntry.kind).in_(wanted))


class TestInviting:
    async def test_a_new_person_has_the_role_and_an_inbox_and_nothing_to_sign_in_with(self, town: Town) -> None:
        link = await invite(town)
        person = await the(town, Staff, col(Staff.id) == link.staff_id)
        assert (person.email, person.name, person.title) == ("ana.ames@district.example", "Ana Ames", "librarian")
        assert person.password_hash is None
        held = await the(town, Assignment, col(Assignment.staff_id) == person.id)
        assert (held.role_id, held.school_id) == (await role(town, "Nurse"), town.schools[LINCOLN])
        assert await rows(town, Inbox, col(Inbox.staff_id) == person.id)

    async def test_it_is_written_down_with_the_role_and_without_names_that_last(self, town: Town) -> None:
        link = await invite(town)
        invited, given = await kinds(town, AuditKind.INVITED, AuditKind.ROLE_GIVEN)
        if invited.kind is AuditKind.ROLE_GIVEN:
            invited, given = given, invited
        assert (invited.actor_id, invited.subject_id) == (town.staff["diana"], link.staff_id)
        assert given.after == {"permissions": ["personal_messages", "see_directory"]}
        assert "Ana" not in str([invited.facts, invited.after, given.facts])
        assert token_of(link) not in str([e.__dict__ for e in await rows(town, AuditEntry)])

    async def test_only_the_digest_of_the_token_is_kept(self, town: Town) -> None:
        link = await invite(town)
        kept = await the(town, AccountLink)
        assert len(token_of(link)) >= 43
        assert token_of(link).encode() not in kept.token_digest
        assert kept.purpose is LinkPurpose.INVITATION

    async def test_the_token_stands_where_no_server_sees_it_and_the_mail_is_written_already(self, town: Town) -> None:
        link = await invite(town)
        assert "/welcome#" in link.url
        assert "?" not in link.url
        mail = unquote(link.mail)
        assert mail.startswith("mailto:ana.ames@district.example?subject=")
        assert "Hello Ana" in mail
        assert link.url in mail
        assert mail.endswith("Diana Drew")

    async def test_a_principal_invites_at_her_own_school(self, town: Town) -> None:
        assert (await invite(town, "dora")).name == "Ana Ames"

    @pytest.mark.parametrize(
        ("who", "given", "school"),
        [("dora", "Nurse", ROOSEVELT), ("dora", "District Viewer", None), ("vera", "Nurse", LINCOLN)],
    )
    async def test_who_cannot_give_the_role_invites_nobody(
        self, town: Town, who: str, given: str, school: str | None
    ) -> None:
        with pytest.raises(NotAllowed):
            await invite(town, who, given=given, place=at(town, school) if school else DISTRICT)
        assert len(await rows(town, Staff)) == len(town.staff)

    async def test_who_may_not_see_messages_makes_no_account_that_reads_some(self, town: Town) -> None:
        admin = col(Role.name) == "District Admin"
        kept = [p for p in (await the(town, Role, admin)).permissions if p != "view_all_messages"]
        await change(town, Role, admin, permissions=kept)
        with pytest.raises(NotAllowed, match=READS_MESSAGES):
            await invite(town)
        assert len(await rows(town, Staff)) == len(town.staff)
        assert (await invite(town, given="Technical School Admin")).name == "Ana Ames"

    async def test_a_role_that_is_not_there_and_a_school_that_is_not_there_make_nobody(self, town: Town) -> None:
        links, diana = town.wired.services.account_links, await town.actor("diana")
        with pytest.raises(Invalid):
            await links.invite(diana, [ANA], 10**9, at(town))
        with pytest.raises(NotFound):
            await links.invite(diana, [ANA], await role(town, "Nurse"), Place(PlaceKind.SCHOOL, 10**9))
        assert len(await rows(town, Staff)) == len(town.staff)

    @pytest.mark.parametrize(
        "email", ["", "ana", "ana@district", "ana @district.example", "ana@district.example, b@c.de"]
    )
    async def test_what_is_no_address_is_refused(self, town: Town, email: str) -> None:
        with pytest.raises(Invalid, match="whole e-mail address"):
            await invite(town, person=Newcomer("Ana", email))

    async def test_an_address_that_is_known_is_named_to_who_may_see_the_person(self, town: Town) -> None:
        charlie = Newcomer("Somebody", "CHARLIE@district.example")
        with pytest.raises(Taken) as seen:
            await invite(town, "diana", charlie)
        assert (seen.value.staff_id, "Charlie Clark" in seen.value.sentence) == (town.staff["charlie"], True)
        with pytest.raises(Taken) as unseen:
            await invite(town, "dora", charlie)
        assert (unseen.value.staff_id, unseen.value.sentence) == (0, TAKEN)

    @pytest.mark.parametrize("table", [Role, SchoolGroup])
    async def test_a_role_or_a_group_that_goes_at_the_same_moment_makes_nobody(
        self, town: Town, table: type[SQLModel]
    ) -> None:
        club = await add(town, Role(name="Club", level=Level.SCHOOL, permissions=["see_directory"]))
        west = await add(town, SchoolGroup(name="West"))
        going = club if table is Role else west
        async with town.wired.db.transaction() as session:
            await session.get_one(table, going.id, with_for_update=True)
            inviting = asyncio.create_task(invite(town, given="Club", place=Place(PlaceKind.GROUP, west.id)))
            await until_waiting(town, 1)
            await session.execute(delete(table).where(table.__table__.c.id == going.id))
        with pytest.raises((Invalid, NotFound)):
            await inviting
        assert len(await rows(town, Staff)) == len(town.staff)


class TestSeveral:
    async def test_lines_are_read_in_whatever_order_they_were_copied(self, town: Town) -> None:
        pasted = (
            "Ana Ames, ana@district.example, librarian\n\n"
            "ben@district.example;Ben Bell\n"
            "Cleo Cruz\tCLEO@district.example\tcoach, football\n"
        )
        lines = await town.wired.services.account_links.look_at(await town.actor("diana"), pasted)
        assert [(li.name, li.email, li.title, li.problem) for li in lines] == [
            ("Ana Ames", "ana@district.example", "librarian", ""),
            ("Ben Bell", "ben@district.example", "", ""),
            ("Cleo Cruz", "cleo@district.example", "coach, football", ""),
        ]

    async def test_each_line_that_cannot_be_says_why(self, town: Town) -> None:
        pasted = (
            "Bob, bob@district.example\nAna, ana@x\n, ana@district.example\n"
            "A, a@b.cd\nB, A@b.cd\nC, charlie@district.example"
        )
        lines = await town.wired.services.account_links.look_at(await town.actor("dora"), pasted)
        bob, typo, nameless, first, second, charlie = [line.problem for line in lines]
        assert "Bob Brown" in bob
        assert "whole e-mail" in typo
        assert "name" in nameless
        assert (first, second) == ("", TWICE)
        assert charlie == TAKEN

    async def test_all_of_them_are_invited_or_nobody(self, town: Town) -> None:
        links, diana = town.wired.services.account_links, await town.actor("diana")
        people = [ANA, Newcomer("Bob", "bob@district.example")]
        with pytest.raises(Taken):
            await links.invite(diana, people, await role(town, "Nurse"), at(town))
        assert len(await rows(town, Staff)) == len(town.staff)

    async def test_who_manages_nobody_learns_of_no_address(self, town: Town) -> None:
        with pytest.raises(NotAllowed):
            await town.wired.services.account_links.look_at(await town.actor("alice"), "Bob, bob@district.example")


class TestAccepting:
    async def test_the_link_says_whose_account_it_opens(self, town: Town) -> None:
        owner = await town.wired.services.account_links.owner(token_of(await invite(town)), "192.0.2.1")
        assert (owner.name, owner.email, owner.schools, owner.invites) == (
            "Ana Ames",
            "ana.ames@district.example",
            (LINCOLN,),
            True,
        )

    async def test_with_a_password_one_is_signed_in_and_can_sign_in_again(self, town: Town) -> None:
        begun = await accept(town, await invite(town))
        sessions = town.wired.services.sessions
        found = await sessions.look_up(begun.token, own_act=False)
        assert found is not None
        assert found.actor.schools_with(Permission.PERSONAL_MESSAGES) == {town.schools[LINCOLN]}
        await sessions.sign_in("ana.ames@district.example", FRESH, "192.0.2.1", "")
        (accepted,) = await kinds(town, AuditKind.INVITATION_ACCEPTED)
        assert accepted.actor_id == accepted.subject_id == found.actor.staff_id

    async def test_it_works_once(self, town: Town) -> None:
        link = await invite(town)
        await accept(town, link)
        with pytest.raises(Unusable, match=USED):
            await accept(town, link, "another good password")

    async def test_a_weak_password_uses_nothing_up(self, town: Town) -> None:
        link = await invite(town)
        with pytest.raises(Invalid, match="12 to 200"):
            await accept(town, link, "short")
        await accept(town, link)

    @pytest.mark.parametrize(("who", "whom"), [("diana", "alice"), ("dora", "bob")])
    async def test_a_reset_changes_the_password_and_ends_every_session(self, town: Town, who: str, whom: str) -> None:
        sessions = town.wired.services.sessions
        before = await sessions.sign_in(town.email(whom), PASSWORD, "192.0.2.9", "")
        await accept(town, await renew(town, who, whom))
        assert await sessions.look_up(before.token, own_act=False) is None
        with pytest.raises(Invalid):
            await sessions.sign_in(town.email(whom), PASSWORD, "192.0.2.1", "")
        await sessions.sign_in(town.email(whom), FRESH, "192.0.2.1", "")
        made, changed = await kinds(town, AuditKind.RESET_LINK_MADE, AuditKind.PASSWORD_CHANGED)
        assert (made.actor_id, changed.actor_id) == (town.staff[who], town.staff[whom])

    async def test_a_role_that_demands_a_second_step_is_asked_for_it_here_too(self, town: Town) -> None:
        await change(town, Role, col(Role.name) == "Nurse", two_step_required=True)
        begun = await accept(town, await invite(town))
        assert begun.stage is SessionStage.ENROL
        assert await town.wired.services.sessions.look_up(begun.token, own_act=False) is None

    async def test_a_newer_link_ends_the_older(self, town: Town) -> None:
        older = await invite(town)
        newer = await town.wired.services.account_links.renew(await town.actor("diana"), older.staff_id)
        assert newer.invites
        with pytest.raises(Unusable, match=ENDED):
            await accept(town, older)
        await accept(town, newer)

    @pytest.mark.parametrize("purpose", LinkPurpose)
    async def test_it_expires(self, town: Town, purpose: LinkPurpose) -> None:
        link = await (invite(town) if purpose is LinkPurpose.INVITATION else renew(town, "diana", "alice"))
        kept = await the(town, AccountLink)
        assert kept.purpose is purpose
        assert abs(kept.expires_at - kept.created_at - WORKS_FOR[purpose]) < timedelta(seconds=1)
        await change(town, AccountLink, expires_at=utc_now())
        with pytest.raises(Unusable, match=EXPIRED):
            await accept(town, link)

    async def test_a_closed_account_is_opened_by_no_link(self, town: Town) -> None:
        link = await renew(town, "diana", "alice")
        await change(town, Staff, col(Staff.id) == town.staff["alice"], active=False)
        with pytest.raises(Unusable, match=CLOSED):
            await accept(town, link)

    async def test_a_link_is_worth_no_more_than_whoever_made_it(self, town: Town) -> None:
        """Dora kept the link; Bob has been given more than she may do since."""
        link = await renew(town, "dora", "bob")
        await add(town, Assignment(staff_id=town.staff["bob"], role_id=await role(town, "District Admin")))
        with pytest.raises(Unusable, match=OUTGROWN):
            await town.wired.services.account_links.owner(token_of(link), "192.0.2.1")
        with pytest.raises(Unusable, match=OUTGROWN):
            await accept(town, link)
        await accept(town, await renew(town, "diana", "bob"))

    async def test_a_link_of_somebody_who_has_left_opens_nothing(self, town: Town) -> None:
        link = await invite(town, "dora")
        await town.wired.services.leaving.deactivate(await town.actor("diana"), town.staff["dora"], Plan())
        with pytest.raises(Unusable, match=OUTGROWN):
            await accept(town, link)

    async def test_who_accepts_while_the_link_is_being_ended_waits_and_is_told(self, town: Town) -> None:
        link = await renew(town, "diana", "alice")
        async with town.wired.db.transaction() as session:
            await session.get_one(Staff, town.staff["alice"], with_for_update={"key_share": True})
            accepting = asyncio.create_task(accept(town, link))
            await until_waiting(town, 1)
            await session.execute(update(AccountLink).values(ended_at=utc_now()))
        with pytest.raises(Unusable, match=ENDED):
            await accepting

    async def test_leaving_ends_links_that_were_handed_out(self, town: Town) -> None:
        link = await renew(town, "diana", "alice")
        leaving = town.wired.services.leaving
        await leaving.deactivate(await town.actor("diana"), town.staff["alice"], Plan())
        await leaving.reactivate(await town.actor("diana"), town.staff["alice"])
        with pytest.raises(Unusable, match=ENDED):
            await accept(town, link)

    async def test_a_made_up_token_opens_nothing_and_many_tries_have_to_wait(self, town: Town) -> None:
        links = town.wired.services.account_links
        for _ in range(FAILURES_FOR_FREE):
            with pytest.raises(Unusable, match=UNKNOWN):
                await links.owner("no such token", "192.0.2.1")
        with pytest.raises(TooMany):
            await links.owner("no such token", "192.0.2.1")

    async def test_looking_at_ones_own_link_is_no_failure(self, town: Town) -> None:
        token = token_of(await invite(town))
        for _ in range(FAILURES_FOR_FREE + 2):
            await town.wired.services.account_links.owner(token, "192.0.2.1")
        assert await rows(town, SignInFailure) == []


class TestWhoMayReset:
    @pytest.mark.parametrize(
        ("who", "whom", "error"),
        [
            ("dora", "diana", NotFound),
            ("dora", "charlie", NotFound),
            ("dora", "nora", NotAllowed),
            ("alice", "bob", NotAllowed),
            ("diana", "diana", NotAllowed),
        ],
    )
    async def test_nobody_resets_whom_they_do_not_manage(
        self, town: Town, who: str, whom: str, error: type[Exception]
    ) -> None:
        with pytest.raises(error):
            await renew(town, who, whom)
        with pytest.raises(error):
            await town.wired.services.account_links.standing(await town.actor(who), town.staff[whom])
        assert await rows(town, AccountLink) == []

    async def test_a_permission_that_was_taken_a_moment_ago_makes_no_link(self, town: Town) -> None:
        dora = await town.actor("dora")
        nurse = await role(town, "Nurse")
        await change(town, Assignment, col(Assignment.staff_id) == town.staff["dora"], role_id=nurse)
        with pytest.raises(NotAllowed):
            await town.wired.services.account_links.renew(dora, town.staff["bob"])

    async def test_the_page_tells_of_a_link_that_waits_but_not_the_link(self, town: Town) -> None:
        links, diana = town.wired.services.account_links, await town.actor("diana")
        link = await invite(town)
        waiting = await links.standing(diana, link.staff_id)
        assert (waiting.by, waiting.is_over, waiting.expires) == ("Diana Drew", False, link.expires)
        await accept(town, link)
        assert (await links.standing(diana, link.staff_id)).expires == ""
