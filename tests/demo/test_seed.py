"""The demonstration district: plausible, made up throughout, whole or not there, and true to the product's rules."""

from __future__ import annotations

import asyncio
import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from datetime import date, datetime, time
from itertools import pairwise
from pathlib import Path
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio
from sqlalchemy import func, select
from sqlmodel import SQLModel, col

from tests.fakes import FakeGateway
from tests.twilio.simulated import simulated
from tp_inbox import demo
from tp_inbox.demo import district, seed as seeding
from tp_inbox.demo.conversations import Said
from tp_inbox.demo.history import SchoolClock
from tp_inbox.demo.people import birth_date, turned, turns
from tp_inbox.demo.personal_conversations import PERSONAL
from tp_inbox.demo.postgres import Server, temporary_server
from tp_inbox.demo.school_conversations import AT_SCHOOLS
from tp_inbox.demo.seed import seed
from tp_inbox.domain import composing, segments
from tp_inbox.domain.access import Actor, has_personal_inbox, manages_all_staff, readable_school_inboxes
from tp_inbox.domain.composing import MAX_BODY
from tp_inbox.domain.consent import Verdict, read_consent
from tp_inbox.domain.delivery import DeliveryState
from tp_inbox.domain.eligibility import MINIMUM_AGE, age_on, may_text_student
from tp_inbox.domain.errors import NotAllowed
from tp_inbox.domain.permissions import Permission
from tp_inbox.services.actors import actors_of
from tp_inbox.services.inboxes import Inboxes
from tp_inbox.services.number_limits import Limits
from tp_inbox.services.passwords import verify
from tp_inbox.services.ports import CarrierAway
from tp_inbox.services.sending import Sending
from tp_inbox.simulator.fiction import stock
from tp_inbox.storage import migrate
from tp_inbox.storage.database import Database
from tp_inbox.storage.queries.families import people_at
from tp_inbox.storage.tables import (
    Assignment,
    ConsentEvent,
    Contact,
    District,
    Draft,
    FamilyPhone,
    Guardianship,
    Inbox,
    Message,
    Number,
    ReadMarker,
    School,
    Staff,
    Student,
    Thread,
)
from tp_inbox.storage.tables.messages import Direction, NumberState
from tp_inbox.twilio.gateway import TwilioGateway

P = Permission
CHICAGO = ZoneInfo("America/Chicago")
NOW = datetime(2026, 10, 6, 13, 30, tzinfo=CHICAGO)
TODAY = NOW.date()
FICTION = re.compile(r"\+1[2-9]\d\d55501\d\d")
PASSED_ON_THE_WAY = [
    datetime(2026, 10, 6, 13, 30, tzinfo=CHICAGO),  # a Tuesday
    datetime(2026, 10, 5, 10, 0, tzinfo=CHICAGO),
    datetime(2026, 10, 5, 8, 30, tzinfo=CHICAGO),
    datetime(2026, 10, 5, 8, 29, tzinfo=CHICAGO),
    datetime(2026, 10, 3, 23, 0, tzinfo=CHICAGO),  # a Saturday
    datetime(2026, 11, 1, 0, 30, tzinfo=CHICAGO),  # the night the clocks go back
    datetime(2026, 3, 9, 11, 0, tzinfo=CHICAGO),  # the day after they went forward
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """With a migrated database to copy, and one that is seeded, to look at."""
    with temporary_server() as server:
        server.create_database("pattern")
        migrate.upgrade(server.url("pattern"))
        server.create_database("seeded", template="pattern")
        asyncio.run(seed_into(server.url("seeded")))
        yield server


async def seed_into(url: str) -> None:
    db = Database(url)
    await seed(db, None, None, now=NOW)
    await db.close()


@pytest_asyncio.fixture
async def db(server: Server) -> AsyncIterator[Database]:
    """Seeded; only read from."""
    db = Database(server.url("seeded"))
    yield db
    await db.close()


@pytest_asyncio.fixture
async def empty(server: Server) -> AsyncIterator[Database]:
    name = f"t{uuid4().hex}"
    server.create_database(name, template="pattern")
    db = Database(server.url(name))
    yield db
    await db.close()
    server.drop_database(name)


@pytest.fixture
def gateway() -> FakeGateway:
    """Sells the numbers that the district would like to have, among others."""
    wanted = [owner.number for owner in (*district.SCHOOLS, *district.STAFF) if owner.number]
    return FakeGateway(["+12025550100", *wanted])


async def rows(db: Database, table: type[SQLModel]) -> list:
    async with db.reading() as session:
        return list(await session.scalars(select(table)))


async def actor(db: Database, key: str) -> Actor:
    async with db.reading() as session:
        email = f"{key}@{district.EMAIL_DOMAIN}"
        person = (await session.scalars(select(Staff).where(col(Staff.email) == email))).one()
        return (await actors_of(session, [person.id]))[person.id]


async def schools(db: Database) -> dict[str, int]:
    return {school.name: school.id for school in await rows(db, School)}


async def messages_by_thread(db: Database) -> dict[int, list[Message]]:
    found: dict[int, list[Message]] = defaultdict(list)
    for message in sorted(await rows(db, Message), key=lambda m: (m.created_at, m.id)):
        found[message.thread_id].append(message)
    return found


# the directory


async def test_there_are_two_schools_sixty_students_and_eighty_contacts(db: Database) -> None:
    counts = [len(await rows(db, table)) for table in (District, School, Student, Contact)]
    assert counts == [1, 2, 60, 80]
    assert (await rows(db, District))[0].demonstration


async def test_families_speak_seven_languages(db: Database) -> None:
    contacts = await rows(db, Contact)
    spoken = Counter(contact.language for contact in contacts)
    assert set(spoken) == {"en", "es", "so", "vi", "ar", "ru", "fr"}
    phones = {phone.id: phone.language for phone in await rows(db, FamilyPhone)}
    assert all(phones[c.phone_id] == c.language for c in contacts if c.phone_id)


async def test_every_number_is_reserved_for_fiction_and_none_is_both_ours_and_a_familys(db: Database) -> None:
    families = [phone.e164 for phone in await rows(db, FamilyPhone)]
    ours = [number.e164 for number in await rows(db, Number)]
    assert all(FICTION.fullmatch(number) for number in families + ours)
    assert {int(number[-2:]) for number in families} <= {*range(30, 99)}
    assert {int(number[-2:]) for number in ours} <= {*range(30)}


async def test_a_few_phones_cannot_be_reached(db: Database) -> None:
    endings = Counter(phone.e164[-4:] for phone in await rows(db, FamilyPhone))
    assert all(endings[ending] == 1 for ending in ("0196", "0197", "0198"))


async def test_students_are_around_thirteen(db: Database) -> None:
    born = [student.birth_date for student in await rows(db, Student)]
    ages = [age_on(day, TODAY) for day in born if day]
    assert born.count(None) == 2
    assert min(ages) >= 11 and max(ages) <= 15
    assert sorted(ages)[len(ages) // 2] == 13
    assert sum(age < MINIMUM_AGE for age in ages) >= 10


async def test_some_students_turn_thirteen_within_the_next_weeks(db: Database) -> None:
    born = [student.birth_date for student in await rows(db, Student) if student.birth_date]
    in_four_weeks = date(2026, 11, 3)
    assert sum(age_on(day, TODAY) == 12 and age_on(day, in_four_weeks) == 13 for day in born) >= 3


async def test_siblings_are_in_one_school_and_across_both(db: Database) -> None:
    school_of = {student.id: student.school_id for student in await rows(db, Student)}
    children: dict[int, list[int]] = defaultdict(list)
    for tie in await rows(db, Guardianship):
        children[tie.contact_id].append(school_of[tie.student_id])
    several = [at for at in children.values() if len(at) > 1]
    assert any(len(set(at)) == 1 for at in several) and any(len(set(at)) == 2 for at in several)


async def test_phones_are_shared_by_parents_and_by_a_student(db: Database) -> None:
    ids = [phone.id for phone in await rows(db, FamilyPhone)]
    async with db.reading() as session:
        reached = (await people_at(session, ids)).values()
    assert sum(len([p for p in at if not p.is_student]) == 2 for at in reached) >= 3
    assert any({p.is_student for p in at} == {True, False} for at in reached)
    assert sum(all(p.is_student for p in at) for at in reached) >= 5


async def test_every_student_has_a_contact_and_every_contact_a_student(db: Database) -> None:
    ties = await rows(db, Guardianship)
    assert {tie.student_id for tie in ties} == {student.id for student in await rows(db, Student)}
    assert {tie.contact_id for tie in ties} == {contact.id for contact in await rows(db, Contact)}


async def test_one_contact_has_no_phone_and_one_was_added_by_hand(db: Database) -> None:
    contacts = await rows(db, Contact)
    assert sum(contact.phone_id is None for contact in contacts) == 1
    assert sum(contact.source == "hand" for contact in contacts) == 1


@pytest.mark.parametrize("today", [date(2026, 2, 28), date(2028, 2, 29), date(2026, 3, 1), TODAY])
def test_a_student_is_as_old_as_told_on_any_day(today: date) -> None:
    assert age_on(birth_date(turned(13, 1), today), today) == 13
    assert age_on(birth_date(turns(13, in_days=9), today), today) == 12


# the staff

LINCOLN, ROOSEVELT = district.LINCOLN, district.ROOSEVELT
COUNSELOR = {P.PERSONAL_MESSAGES, P.MESSAGE_ON_BEHALF, P.VIEW_SCHOOL_INBOX, P.SEE_DIRECTORY}


@pytest.mark.parametrize(
    ("key", "school", "permissions"),
    [
        ("counselor", LINCOLN, COUNSELOR),
        ("nurse", LINCOLN, {P.PERSONAL_MESSAGES, P.SEE_DIRECTORY}),
        ("office", LINCOLN, {P.VIEW_SCHOOL_INBOX, P.VIEW_ALL_MESSAGES, P.SEE_DIRECTORY}),
        ("therapist", LINCOLN, {P.PERSONAL_MESSAGES, P.SEE_DIRECTORY}),
        ("therapist", ROOSEVELT, {P.PERSONAL_MESSAGES, P.SEE_DIRECTORY}),
        ("counselor.roosevelt", ROOSEVELT, COUNSELOR),
    ],
)
async def test_each_person_has_exactly_the_permissions_of_their_role(
    db: Database, key: str, school: str, permissions: set[Permission]
) -> None:
    assert (await actor(db, key)).schools[(await schools(db))[school]] == permissions


async def test_the_principal_holds_everything_a_school_admin_does_and_only_at_lincoln(db: Database) -> None:
    principal = await actor(db, "principal")
    assert set(principal.schools) == {(await schools(db))[LINCOLN]}
    assert {P.MESSAGE_ON_BEHALF, P.MANAGE_STAFF, P.PERSONAL_MESSAGES} <= principal.schools[(await schools(db))[LINCOLN]]


async def test_the_district_admin_sees_the_district_and_no_inbox(db: Database) -> None:
    admin = await actor(db, "district")
    assert manages_all_staff(admin)
    assert not has_personal_inbox(admin) and not readable_school_inboxes(admin)


async def test_everybody_who_may_write_personal_messages_has_an_inbox_and_nobody_else(db: Database) -> None:
    owners = {inbox.staff_id for inbox in await rows(db, Inbox) if inbox.staff_id}
    async with db.reading() as session:
        people = await actors_of(session, [person.id for person in await rows(db, Staff)])
    assert owners == {i for i, person in people.items() if has_personal_inbox(person)}
    assert {inbox.school_id for inbox in await rows(db, Inbox)} - {None} == {*(await schools(db)).values()}


async def test_the_accounts_told_to_a_newcomer_sign_in(db: Database) -> None:
    staff = {person.email: person for person in await rows(db, Staff)}
    accounts = demo.accounts()
    assert {account.email for account in accounts} == set(staff)
    assert all(account.email.endswith(".example") and len(account.password) >= 12 for account in accounts)
    checked = [await verify(account.password, staff[account.email].password_hash) for account in accounts]
    assert all(checked)


async def test_signatures_are_such_as_a_person_could_save(db: Database) -> None:
    signatures = [person.signature for person in await rows(db, Staff)]
    assert [composing.clean_signature(signature) for signature in signatures] == signatures


async def test_everybody_keeps_an_assignment(db: Database) -> None:
    assert {a.staff_id for a in await rows(db, Assignment)} == {person.id for person in await rows(db, Staff)}


# threads and texts


async def test_what_a_thread_row_says_agrees_with_its_messages(db: Database) -> None:
    found = await messages_by_thread(db)
    threads = await rows(db, Thread)
    assert len(threads) == len(found) >= 35
    for thread in threads:
        messages, last = found[thread.id], found[thread.id][-1]
        sent = [m for m in messages if m.direction is Direction.OUT]
        assert (thread.last_at, thread.last_message_id) == (last.created_at, last.id)
        assert (thread.last_direction, thread.last_author_id) == (last.direction, last.author_id)
        assert thread.preview == composing.preview(last.written)
        assert thread.inbound_count == len(messages) - len(sent)
        assert thread.introduced_at == (sent[0].created_at if sent else None)
        assert {m.inbox_id for m in messages} == {thread.inbox_id}


async def test_the_first_text_introduces_itself_and_no_later_one_does(db: Database) -> None:
    for messages in (await messages_by_thread(db)).values():
        sent = [m for m in messages if m.direction is Direction.OUT]
        introduces = ["Reply STOP to end texts." in m.body for m in sent]
        assert introduces == [True, *[False] * (len(sent) - 1)][: len(sent)]


async def test_personal_texts_are_signed_and_school_texts_are_not(db: Database) -> None:
    inboxes = {inbox.id: inbox for inbox in await rows(db, Inbox)}
    staff = {person.id: person for person in await rows(db, Staff)}
    for message in await rows(db, Message):
        if message.direction is Direction.OUT:
            signature = staff[message.author_id].signature
            assert message.body.endswith(f"\n{signature}") is (inboxes[message.inbox_id].staff_id is not None)
            assert message.written in message.body


async def test_the_therapist_is_introduced_at_the_familys_school(db: Database) -> None:
    bodies = [m.body for m in await rows(db, Message) if "This is Tomás Rivera" in m.body]
    assert any(f"at {LINCOLN}." in body for body in bodies) and any(f"at {ROOSEVELT}." in body for body in bodies)


async def test_texts_leave_from_the_inboxs_own_number_and_come_back_to_it(db: Database) -> None:
    inboxes = {inbox.id: (inbox.staff_id, inbox.school_id) for inbox in await rows(db, Inbox)}
    numbers = {number.id: number for number in await rows(db, Number)}
    phones = {phone.id: phone.e164 for phone in await rows(db, FamilyPhone)}
    threads = {thread.id: phones[thread.phone_id] for thread in await rows(db, Thread)}
    for m in await rows(db, Message):
        ours = numbers[m.number_id]
        ends = [ours.e164, threads[m.thread_id]]
        assert inboxes[m.inbox_id] == (ours.staff_id, ours.school_id)
        assert [m.sender, m.recipient] == (ends if m.direction is Direction.OUT else ends[::-1])


async def test_every_text_fits_and_its_segments_are_counted(db: Database) -> None:
    messages = await rows(db, Message)
    assert all(len(m.body) <= MAX_BODY and m.segments == segments.count(m.body).segments for m in messages)
    assert len({m.sid for m in messages}) == len(messages)
    assert all(re.fullmatch("SM[0-9a-f]{32}", m.sid) for m in messages)


async def test_the_texts_are_settled_and_the_failed_ones_say_why(db: Database) -> None:
    states = Counter(m.state for m in await rows(db, Message))
    assert set(states) == {DeliveryState.DELIVERED, DeliveryState.RECEIVED, DeliveryState.UNDELIVERED}
    failed = [m for m in await rows(db, Message) if m.state is DeliveryState.UNDELIVERED]
    assert 1 <= len(failed) <= 3 and all(m.reason and m.code for m in failed)


async def test_ids_follow_time_and_nothing_is_in_the_future(db: Database) -> None:
    messages = sorted(await rows(db, Message), key=lambda m: m.id)
    assert all(one.created_at <= other.created_at for one, other in pairwise(messages))
    assert messages[-1].created_at.astimezone(CHICAGO).date() == TODAY
    assert all(m.settled_at is None or m.settled_at < NOW for m in messages)


async def test_nobody_was_texted_who_may_not_be(db: Database) -> None:
    threads = {thread.id: thread.phone_id for thread in await rows(db, Thread)}
    async with db.reading() as session:
        reached = await people_at(session, list(threads.values()))
    for m in await rows(db, Message):
        people = reached.get(threads[m.thread_id], [])
        if people and all(person.is_student for person in people):
            day = m.created_at.astimezone(CHICAGO).date()
            assert not any(may_text_student(person.pupils[0].birth_date, day) for person in people)


async def test_everybody_wrote_only_where_they_may(db: Database) -> None:
    inboxes = {inbox.id: inbox for inbox in await rows(db, Inbox)}
    async with db.reading() as session:
        people = await actors_of(session, [person.id for person in await rows(db, Staff)])
    for m in await rows(db, Message):
        if m.author_id and (at := inboxes[m.inbox_id]).school_id:
            assert P.MESSAGE_ON_BEHALF in people[m.author_id].schools[at.school_id]
        elif m.author_id:
            assert at.staff_id == m.author_id


async def test_one_family_said_stop_and_no_other_text_reads_like_it(db: Database) -> None:
    heard = [m for m in await rows(db, Message) if read_consent(m.body).verdict is not Verdict.NONE and not m.author_id]
    (event,) = await rows(db, ConsentEvent)
    assert [m.id for m in heard] == [event.message_id]
    assert event.number_id == heard[0].number_id


async def test_the_school_cannot_write_to_the_family_that_said_stop(db: Database) -> None:
    (event,) = await rows(db, ConsentEvent)
    thread = next(m.thread_id for m in await rows(db, Message) if m.id == event.message_id)
    limits = Limits(personal=10, per_campaign=49, pool=5, price=1.15)
    with pytest.raises(NotAllowed, match="texted STOP"):
        await Sending(db, limits).send(await actor(db, "principal"), thread, "Hello again", uuid4(), 10**9)


@pytest.mark.parametrize(
    ("key", "personal", "school"), [("counselor", 3, 2), ("nurse", 3, 0), ("principal", 0, 2), ("office", 0, 3)]
)
async def test_some_of_it_is_unread(db: Database, key: str, personal: int, school: int) -> None:
    tabs = await Inboxes(db).tabs(await actor(db, key))
    assert (tabs.personal_unread, tabs.school_unread) == (personal, school)


async def test_nobody_has_read_what_they_may_not(db: Database) -> None:
    threads = {thread.id: thread for thread in await rows(db, Thread)}
    markers = await rows(db, ReadMarker)
    for marker in markers:
        async with db.reading() as session:
            person = (await actors_of(session, [marker.staff_id]))[marker.staff_id]
        assert (await Inboxes(db).thread_row(person, marker.thread_id)).id == marker.thread_id
        assert 0 < marker.seen <= threads[marker.thread_id].inbound_count


async def test_the_counselor_has_begun_one_draft(db: Database) -> None:
    (draft,) = await rows(db, Draft)
    assert draft.staff_id == (await actor(db, "counselor")).staff_id


async def test_one_school_thread_is_with_somebody_unknown(db: Database) -> None:
    threads = await rows(db, Thread)
    async with db.reading() as session:
        known = await people_at(session, [thread.phone_id for thread in threads])
    (unknown,) = [thread for thread in threads if thread.phone_id not in known]
    assert {inbox.id: inbox.school_id for inbox in await rows(db, Inbox)}[unknown.inbox_id]


# time


def told() -> list[tuple[Said, ...]]:
    return [conversation.texts for conversation in (*PERSONAL, *AT_SCHOOLS)]


@pytest.mark.parametrize("now", PASSED_ON_THE_WAY, ids=str)
def test_whenever_it_is_seeded_the_texts_come_in_order_on_school_days_and_before_now(now: datetime) -> None:
    clock = SchoolClock(now, CHICAGO)
    for texts in told():
        moments = [clock.at(said.days_ago, said.at) for said in texts]
        assert all(one <= other for one, other in pairwise(moments))
        assert moments[-1] < now and (now - moments[0]).days <= 11
        assert all(moment.weekday() < 5 for moment in moments)


@pytest.mark.parametrize("now", PASSED_ON_THE_WAY, ids=str)
def test_staff_write_at_school_hours(now: datetime) -> None:
    clock = SchoolClock(now, CHICAGO)
    written = [clock.at(said.days_ago, said.at).timetz() for texts in told() for said in texts if said.by]
    assert all(time(7, 30) <= at.replace(tzinfo=None) <= time(16, 30) for at in written)


def test_a_morning_that_has_begun_has_texts_of_today() -> None:
    at_nine = datetime(2026, 10, 5, 9, 0, tzinfo=CHICAGO)
    assert SchoolClock(at_nine, CHICAGO).at(0, time(11, 59)).date() == at_nine.date()


def test_before_school_the_newest_texts_are_of_the_last_school_day() -> None:
    at_seven_on_monday = datetime(2026, 10, 5, 7, 0, tzinfo=CHICAGO)
    assert SchoolClock(at_seven_on_monday, CHICAGO).at(0, time(9)).date() == date(2026, 10, 2)


# seeding itself


async def counts(db: Database) -> dict[str, int]:
    async with db.reading() as session:
        tables = SQLModel.metadata.sorted_tables
        return {t.name: await session.scalar(select(func.count()).select_from(t)) or 0 for t in tables}


async def test_seeding_twice_changes_nothing(empty: Database, gateway: FakeGateway) -> None:
    await seed(empty, gateway, None)
    before, bought = await counts(empty), dict(gateway.bought)
    await seed(empty, gateway, None)
    assert (await counts(empty), gateway.bought) == (before, bought)


async def test_without_a_carrier_nothing_is_written(empty: Database) -> None:
    before = await counts(empty)
    with pytest.raises(CarrierAway):
        await seed(empty, CarrierThatIsAway(), None)
    assert await counts(empty) == before


class CarrierThatIsAway(FakeGateway):
    async def buy_number(self, e164: str, label: str):
        raise CarrierAway("closed")


async def test_a_crash_halfway_leaves_nothing_and_the_next_start_buys_no_other_numbers(
    empty: Database, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = await counts(empty)
    with monkeypatch.context() as broken:
        broken.setattr(seeding, "write_history", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            await seed(empty, gateway, None)
    assert await counts(empty) == before
    bought = set(gateway.bought)
    await seed(empty, gateway, None)
    assert set(gateway.bought) == bought


async def test_a_carrier_that_sells_other_numbers_will_do(empty: Database) -> None:
    await seed(empty, FakeGateway(), None)
    assert {number.e164[:5] for number in await rows(empty, Number)} == {"+1202"}


async def test_schools_and_staff_with_history_have_numbers_and_others_get_one_with_the_first_text(
    empty: Database, gateway: FakeGateway
) -> None:
    await seed(empty, gateway, None)
    numbers = await rows(empty, Number)
    assert {(n.e164, n.sid) for n in numbers} == {(b.e164, b.sid) for b in gateway.bought.values()}
    assert all(n.state is NumberState.ACTIVE for n in numbers)
    wrote = {inbox.staff_id for inbox in await rows(empty, Inbox)} & {m.author_id for m in await rows(empty, Message)}
    assert {n.school_id for n in numbers} - {None} == {*(await schools(empty)).values()}
    assert {n.staff_id for n in numbers} - {None} < wrote
    assert (await actor(empty, "principal")).staff_id not in {n.staff_id for n in numbers}


async def test_the_simulator_knows_our_numbers_and_names_the_families_phones(empty: Database, tmp_path: Path) -> None:
    import httpx

    with simulated(tmp_path) as carrier:
        gateway = TwilioGateway(carrier.settings)
        await seed(empty, gateway, carrier.settings.twilio_base_url)
        async with httpx.AsyncClient(base_url=carrier.settings.twilio_base_url, trust_env=False) as page:
            phones = (await page.get("/simulator/phones")).json()
            ours = (await page.get("/simulator/numbers")).json()
        await gateway.aclose()
    labels = {phone["number"]: phone["label"] for phone in phones}
    assert set(labels) == {phone.e164 for phone in await rows(empty, FamilyPhone)}
    assert labels["+16125550140"] == "José Ramírez & María Ramírez · Family of Diego (grade 8) and Valeria (grade 7)"
    assert {number["number"] for number in ours} == {number.e164 for number in await rows(empty, Number)}


async def test_a_simulator_that_is_away_costs_only_the_names(empty: Database, caplog: pytest.LogCaptureFixture) -> None:
    import socket

    with closing(socket.socket()) as reserved:
        reserved.bind(("127.0.0.1", 0))
        await seed(empty, None, f"http://127.0.0.1:{reserved.getsockname()[1]}")
    assert "stay without names" in caplog.text
    assert len(await rows(empty, District)) == 1


async def test_a_schools_office_is_neither_a_familys_phone_nor_for_sale(db: Database) -> None:
    offices = {school.office_phone for school in await rows(db, School)}
    ours = {number.e164 for number in await rows(db, Number)}
    assert not offices & (ours | {phone.e164 for phone in await rows(db, FamilyPhone)} | set(stock()))
