"""The demonstration district: its schools, its staff, and what each of them may do. Nobody and nothing here is real."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

from tp_inbox.domain.permissions import Level, Permission

DISTRICT = "Maple Valley School District"
TIME_ZONE = "America/Chicago"
ZONE = ZoneInfo(TIME_ZONE)
PASSWORD = "maple-valley-demo"  # noqa: S105 - printed at every start, for accounts that hold made-up families only
EMAIL_DOMAIN = "maplevalley.example"

LINCOLN = "Lincoln Middle School"
ROOSEVELT = "Roosevelt High School"


@dataclass(frozen=True, slots=True)
class DemoSchool:
    """``number`` is the one it texts from, of those that the simulator sells; ``office`` is not among them."""

    name: str
    area_code: str
    number: str
    office: str


@dataclass(frozen=True, slots=True)
class CustomRole:
    """A role that a district admin would have made, at the school level."""

    name: str
    permissions: frozenset[Permission]
    level: Level = Level.SCHOOL


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody who works here. ``key`` is the part of the e-mail before the @.

    ``schools`` are where the role is held; none means the district. Without a ``number`` the person has not
    texted yet, and gets one with the first text. ``sees`` tells a newcomer what signing in as them shows.
    """

    key: str
    name: str
    title: str
    role: str
    schools: tuple[str, ...]
    sees: str
    signature: str = ""
    number: str = ""

    @property
    def email(self) -> str:
        return f"{self.key}@{EMAIL_DOMAIN}"


@dataclass(frozen=True, slots=True)
class Account:
    """How to sign in to the demonstration as somebody, and what one sees then."""

    name: str
    email: str
    password: str
    sees: str


SCHOOLS = (
    DemoSchool(LINCOLN, "612", "+16125550112", office="+16125550190"),
    DemoSchool(ROOSEVELT, "651", "+16515550118", office="+16515550190"),
)

ALL_SCHOOLS = "All schools"
"""A district group of both. Nobody holds a role there yet."""

COUNSELOR = CustomRole(
    "Counselor", frozenset({Permission.PERSONAL_MESSAGES, Permission.MESSAGE_ON_BEHALF, Permission.SEE_DIRECTORY})
)
NURSE = CustomRole("Nurse", frozenset({Permission.PERSONAL_MESSAGES, Permission.SEE_DIRECTORY}))
CUSTOM_ROLES = (COUNSELOR, NURSE)

STAFF = (
    Member(
        "counselor",
        "Elena Ortiz",
        "counselor",
        COUNSELOR.name,
        (LINCOLN,),
        "personal messages and Lincoln's school messages; chooses From",
        signature=f"Ms. Ortiz, Counselor, {LINCOLN}",
        number="+16125550124",
    ),
    Member(
        "nurse",
        "Joyce Lindgren",
        "nurse",
        NURSE.name,
        (LINCOLN,),
        "personal messages only; no From",
        signature=f"Nurse Lindgren, {LINCOLN}",
        number="+16125550127",
    ),
    Member(
        "principal",
        "Marcus Bell",
        "principal",
        "School Admin",
        (LINCOLN,),
        "everything at Lincoln; no number until the first personal text",
        signature=f"Mr. Bell, Principal, {LINCOLN}",
    ),
    Member(
        "office",
        "Dana Whitfield",
        "registrar",
        "School Viewer",
        (LINCOLN,),
        "reads Lincoln's school messages, writes nothing",
    ),
    Member(
        "therapist",
        "Tomás Rivera",
        "speech therapist",
        "Non-Rostered Staff",
        (LINCOLN, ROOSEVELT),
        "personal messages to families of both schools",
        signature="Mr. Rivera, Speech Therapist",
        number="+16125550119",
    ),
    Member(
        "district",
        "Priya Raman",
        "director of student services",
        "District Admin",
        (),
        "the district: schools, staff, who holds which role",
    ),
    Member(
        "counselor.roosevelt",
        "Samuel Okafor",
        "counselor",
        COUNSELOR.name,
        (ROOSEVELT,),
        "personal messages and Roosevelt's school messages; chooses From",
        signature=f"Mr. Okafor, Counselor, {ROOSEVELT}",
        number="+16515550126",
    ),
    Member(
        "assistant.principal",
        "Helen Vang",
        "assistant principal",
        "School Admin",
        (ROOSEVELT,),
        "everything at Roosevelt; no number until the first personal text",
        signature=f"Ms. Vang, Assistant Principal, {ROOSEVELT}",
    ),
)


def accounts() -> list[Account]:
    return [Account(member.name, member.email, PASSWORD, member.sees) for member in STAFF]
