"""Rights: how soon a role that is given or taken acts in an open browser, and what 5,000 people cost."""

from __future__ import annotations

import time
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from bench.chromium import chromium, context_of, expect, seen
from bench.queries import times_of
from bench.report import Row, p95, spread
from bench.size import Size
from bench.stage import SCHOOL, Person, Stage
from tp_inbox.domain import access
from tp_inbox.domain.access import InboxKind, InboxRef, Place, PlaceKind
from tp_inbox.services.staff_directory import Asked, SortBy

STAFF = 5_000
TO_GIVE = "School Viewer"
SCHOOL_TAB = 'nav.tabs a[href$="/messages/school"]'
NO_SCHOOL_TAB = 'nav.tabs:not(:has(a[href$="/messages/school"]))'
SCREEN_GOAL, LIST_GOAL = 1_000, 50  # ms

EMPLOY = """
WITH people AS (
    INSERT INTO staff (email, name, title, password_hash, signature, active, created_at)
    SELECT 'member.' || n || '@bench.example',
           (ARRAY['Ana','Björn','Chloé','Dávid','Ewa'])[1 + n % 5] || ' Member ' || n,
           (ARRAY['teacher','counselor','nurse'])[1 + n % 3], 'none', '', n % 20 > 0, now() - n * interval '1 minute'
    FROM generate_series(1, :count) AS n RETURNING id
), held AS (
    INSERT INTO assignment (staff_id, role_id, school_id, created_at)
    SELECT people.id, role.id, school.id, now() FROM people
    CROSS JOIN LATERAL (SELECT id FROM role WHERE level = 'school' ORDER BY (id + people.id) % 7, id LIMIT 2) AS role
    CROSS JOIN LATERAL (SELECT id FROM school ORDER BY (id + people.id) % 3, id LIMIT 1) AS school
)
INSERT INTO session (token_digest, staff_id, stage, created_at, used_at, expires_at, address, browser)
SELECT decode(md5(id::text), 'hex'), id, 'complete', now(), now(), now() + interval '1 day', '', '' FROM people
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Watched:
    """A nurse with an open browser, and the role that comes and goes."""

    admin: Person
    nurse: Person
    role_id: int
    school_id: int

    @property
    def place(self) -> Place:
        return Place(PlaceKind.SCHOOL, self.school_id)


async def measure(stage: Stage, size: Size) -> list[Row]:
    rows = await _on_the_screen(stage, size)
    async with stage.wired.db.transaction() as session:
        sessions = await _employ(session)
    return [*rows, *await _watchers(stage, size, sessions), *await _list(stage, size)]


async def _on_the_screen(stage: Stage, size: Size) -> list[Row]:
    watched = await _watched(stage)
    appears, goes = [], []
    async with chromium() as browser, context_of(browser, stage.url, watched.nurse) as context:
        page = await context.new_page()
        await page.goto(f"{stage.url}/messages")
        await page.locator("nav.tabs a").first.wait_for()
        for _ in range(size.sends):
            await expect(page, "tab", SCHOOL_TAB)
            given = time.time()
            await stage.services.assignments.give(
                watched.admin.actor, [watched.nurse.actor.staff_id], watched.role_id, [watched.place]
            )
            appears.append(await seen(page, "tab") - given)
            await expect(page, "gone", NO_SCHOOL_TAB)
            taken = time.time()
            await stage.services.assignments.take(watched.admin.actor, [await _held(stage, watched)])
            goes.append(await seen(page, "gone") - taken)
    return [
        *spread("role given → the other browser's new tab", appears, SCREEN_GOAL),
        *spread("role taken → the other browser's tab is gone", goes, SCREEN_GOAL),
    ]


async def _watched(stage: Stage) -> Watched:
    async with stage.wired.db.reading() as session:
        role_id = await session.scalar(text("SELECT id FROM role WHERE name = :name"), {"name": TO_GIVE})
        school_id = await session.scalar(text("SELECT id FROM school WHERE name = :name"), {"name": SCHOOL.name})
    return Watched(await stage.member("district"), await stage.member("nurse"), role_id or 0, school_id or 0)


async def _held(stage: Stage, watched: Watched) -> int:
    found = text("SELECT id FROM assignment WHERE staff_id = :staff AND role_id = :role AND school_id = :school")
    about = {"staff": watched.nurse.actor.staff_id, "role": watched.role_id, "school": watched.school_id}
    async with stage.wired.db.reading() as session:
        return await session.scalar(found, about) or 0


async def _employ(session: AsyncSession) -> list[int]:
    """So many people with two roles and an open session each; the sessions' ids."""
    sessions = list(await session.scalars(text(EMPLOY), {"count": STAFF}))
    for table in ("staff", "assignment", "session"):
        await session.execute(text(f"ANALYZE {table}"))  # as a server does by itself after some minutes
    return sessions


async def _watchers(stage: Stage, size: Size, sessions: list[int]) -> list[Row]:
    inbox = InboxRef(1, InboxKind.SCHOOL, None, (await _watched(stage)).school_id)

    async def resolve() -> None:
        people = await stage.services.sessions.resolve(sessions)
        assert any(access.may_read(actor, inbox) for actor in people.values())

    taken = await times_of(resolve, max(5, size.queries // 10))
    return spread(f"permissions of all watchers of one change, {STAFF:,} staff", taken)


async def _list(stage: Stage, size: Size) -> list[Row]:
    actor = (await stage.member("district")).actor
    directory, school = stage.services.staff_directory, (await _watched(stage)).school_id
    asked = {
        "by name": Asked(),
        "by last seen": Asked(sort=SortBy.SEEN, descending=True),
        "searched": Asked(words="chloe 12"),
        "of a school": Asked(school=school),
        "deactivated": Asked(state="deactivated"),
    }
    rows = []
    for what, question in asked.items():
        taken = await times_of(lambda q=question: directory.page(actor, q), size.queries)
        rows.append(p95(f"server, list of {STAFF:,} staff, {what}", taken, LIST_GOAL))
    return rows
