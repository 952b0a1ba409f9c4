"""The words of access: permissions with what they let a person do, levels, and the base roles.

The matrix of base roles and the meaning of each permission follow the product's rules (docs/access.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache


class Level(StrEnum):
    SCHOOL = "school"
    DISTRICT = "district"


class Permission(StrEnum):
    PERSONAL_MESSAGES = "personal_messages"
    VIEW_SCHOOL_INBOX = "view_school_inbox"
    MESSAGE_ON_BEHALF = "message_on_behalf"
    ANNOUNCE = "announce"
    VIEW_ALL_MESSAGES = "view_all_messages"
    SEE_DIRECTORY = "see_directory"
    MANAGE_DIRECTORY = "manage_directory"
    MANAGE_STAFF = "manage_staff"
    MANAGE_ROLES = "manage_roles"
    MANAGE_SCHOOLS = "manage_schools"
    EXPORT = "export"
    VIEW_AUDIT_LOG = "view_audit_log"
    OVERRIDE_QUIET_HOURS = "override_quiet_hours"


P = Permission

BRINGS: Mapping[Permission, frozenset[Permission]] = {P.MESSAGE_ON_BEHALF: frozenset({P.VIEW_SCHOOL_INBOX})}
"""Permissions that come with another one."""

SCHOOL_ONLY = frozenset({P.PERSONAL_MESSAGES, P.VIEW_SCHOOL_INBOX, P.MESSAGE_ON_BEHALF, P.ANNOUNCE})
DISTRICT_ONLY = frozenset({P.MANAGE_ROLES, P.MANAGE_SCHOOLS, P.OVERRIDE_QUIET_HOURS})
PERMISSIONS_OF: Mapping[Level, frozenset[Permission]] = {
    Level.SCHOOL: frozenset(P) - DISTRICT_ONLY,
    Level.DISTRICT: frozenset(P) - SCHOOL_ONLY,
}


def effective(permissions: Iterable[Permission], level: Level) -> frozenset[Permission]:
    """The permissions of a role, with those they bring, without those that its level cannot hold."""
    return _effective(frozenset(permissions), level)


@lru_cache(maxsize=4096)
def _effective(given: frozenset[Permission], level: Level) -> frozenset[Permission]:
    """Roles are few, and each is asked for with every person who holds it."""
    brought = frozenset(b for p in given for b in BRINGS.get(p, ()))
    return (given | brought) & PERMISSIONS_OF[level]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a permission is called, and in one sentence what its holder may do.

    ``at_district``: the sentence for a district role where it is another one.
    """

    label: str
    sentence: str
    at_district: str = ""

    def at(self, level: Level) -> str:
        """The sentence for a role of this level."""
        return self.at_district if self.at_district and level is Level.DISTRICT else self.sentence


MEANINGS: Mapping[Permission, Meaning] = {
    P.PERSONAL_MESSAGES: Meaning(
        "Send and receive personal messages",
        "Writes to families of the school from a number of one’s own, and alone reads the answers.",
    ),
    P.VIEW_SCHOOL_INBOX: Meaning(
        "View the school inbox",
        "Reads what families and colleagues write in the school’s shared inbox.",
    ),
    P.MESSAGE_ON_BEHALF: Meaning(
        "Message on behalf of the school",
        "Writes to families from the school’s number. Brings “View the school inbox” with it.",
    ),
    P.ANNOUNCE: Meaning(
        "Announce to the school",
        "Sends one message to many families of the school at once.",
    ),
    P.VIEW_ALL_MESSAGES: Meaning(
        "View all messages",
        "Reads conversations of other people in Oversight, giving a reason that they see. Each reading is logged.",
    ),
    P.SEE_DIRECTORY: Meaning(
        "See the directory",
        "Finds the students and families of the school, and how they are reached.",
        "Finds the students and families of all schools, and how they are reached.",
    ),
    P.MANAGE_DIRECTORY: Meaning(
        "Manage students and contacts",
        "Adds and changes students, family contacts and their numbers.",
    ),
    P.MANAGE_STAFF: Meaning(
        "Manage staff and assignments",
        "Invites people, gives and takes roles that allow no more than one’s own, and closes accounts.",
    ),
    P.MANAGE_ROLES: Meaning(
        "Manage roles",
        "Makes custom roles and decides what each of them allows.",
    ),
    P.MANAGE_SCHOOLS: Meaning(
        "Manage schools, numbers and groups",
        "Changes schools, their phone numbers, and the district’s groups of schools.",
    ),
    P.EXPORT: Meaning(
        "Export",
        "Downloads lists and conversations as files.",
    ),
    P.VIEW_AUDIT_LOG: Meaning(
        "View the audit log",
        "Reads who did what, when and from where.",
    ),
    P.OVERRIDE_QUIET_HOURS: Meaning(
        "Override quiet hours",
        "Sends in an emergency at hours when texts otherwise wait.",
    ),
}

GROUPS: tuple[tuple[str, tuple[Permission, ...]], ...] = (
    ("Messages", (P.PERSONAL_MESSAGES, P.VIEW_SCHOOL_INBOX, P.MESSAGE_ON_BEHALF, P.ANNOUNCE, P.OVERRIDE_QUIET_HOURS)),
    ("Oversight and records", (P.VIEW_ALL_MESSAGES, P.VIEW_AUDIT_LOG, P.EXPORT)),
    ("Students and families", (P.SEE_DIRECTORY, P.MANAGE_DIRECTORY)),
    ("People and settings", (P.MANAGE_STAFF, P.MANAGE_ROLES, P.MANAGE_SCHOOLS)),
)
"""Every permission once, in the order in which a screen shows them."""


def label(permission: Permission) -> str:
    return MEANINGS[permission].label


def in_order(permissions: Iterable[Permission]) -> list[Permission]:
    """As a screen shows them."""
    given = frozenset(permissions)
    return [p for _, group in GROUPS for p in group if p in given]


def named(permissions: Iterable[Permission]) -> str:
    """In a sentence: “View all messages” and “Export”."""
    names = [f"“{label(p)}”" for p in in_order(permissions)]
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1] if names else "nothing"


@dataclass(frozen=True, slots=True)
class BaseRole:
    key: str
    name: str
    level: Level
    permissions: frozenset[Permission]


DISTRICT_ADMIN = "district_admin"

BASE_ROLES: tuple[BaseRole, ...] = (
    BaseRole(
        DISTRICT_ADMIN,
        "District Admin",
        Level.DISTRICT,
        frozenset(
            {
                P.VIEW_ALL_MESSAGES,
                P.SEE_DIRECTORY,
                P.MANAGE_DIRECTORY,
                P.MANAGE_STAFF,
                P.MANAGE_ROLES,
                P.MANAGE_SCHOOLS,
                P.EXPORT,
                P.VIEW_AUDIT_LOG,
                P.OVERRIDE_QUIET_HOURS,
            }
        ),
    ),
    BaseRole("district_viewer", "District Viewer", Level.DISTRICT, frozenset({P.VIEW_ALL_MESSAGES, P.SEE_DIRECTORY})),
    BaseRole("school_admin", "School Admin", Level.SCHOOL, PERMISSIONS_OF[Level.SCHOOL]),
    BaseRole(
        "school_viewer",
        "School Viewer",
        Level.SCHOOL,
        frozenset({P.VIEW_SCHOOL_INBOX, P.VIEW_ALL_MESSAGES, P.SEE_DIRECTORY}),
    ),
    BaseRole(
        "technical_school_admin",
        "Technical School Admin",
        Level.SCHOOL,
        frozenset({P.SEE_DIRECTORY, P.MANAGE_DIRECTORY, P.MANAGE_STAFF}),
    ),
    BaseRole(
        "non_rostered_staff",
        "Non-Rostered Staff",
        Level.SCHOOL,
        frozenset({P.PERSONAL_MESSAGES, P.SEE_DIRECTORY}),
    ),
)
