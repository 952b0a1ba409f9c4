"""The audit log in words: a sentence for each kind of entry, and what was there before and after."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from tp_inbox.domain.auditing import AuditKind
from tp_inbox.domain.permissions import Permission, in_order, label

K = AuditKind
SERVER, SOMEBODY = "The server", "Somebody"
NOTHING = "Nothing"


class Group(StrEnum):
    """What a reader filters by."""

    SIGN_INS = "sign_ins"
    ROLES = "roles"
    PEOPLE = "people"
    SCHOOLS = "schools"
    NUMBERS = "numbers"
    CONSENT = "consent"
    OVERSIGHT = "oversight"
    EXPORTS = "exports"


GROUPS: Mapping[Group, str] = {
    Group.SIGN_INS: "Sign-ins",
    Group.ROLES: "Roles",
    Group.PEOPLE: "People",
    Group.SCHOOLS: "Schools and groups",
    Group.NUMBERS: "Numbers",
    Group.CONSENT: "Stopped texts",
    Group.OVERSIGHT: "Oversight",
    Group.EXPORTS: "Exports and this log",
}


@dataclass(frozen=True, slots=True)
class Told:
    """An entry with all that its sentence needs.

    ``words``: by "actor", "subject", "role", "place", "school", "group", "successor", "number" and the like, the
    names that were written down with it, or those of today where retention has removed them. ``schools``: by id,
    names of the schools that are named in what was before and after.
    """

    kind: AuditKind
    words: Mapping[str, str] = field(default_factory=dict)
    by_itself: bool = False
    """Whether actor and subject are the same person."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    before: Mapping[str, Any] = field(default_factory=dict)
    after: Mapping[str, Any] = field(default_factory=dict)
    schools: Mapping[int, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Detail:
    """A line below the sentence; ``was`` is empty where nothing was before."""

    label: str
    was: str
    now: str


Sentence = str | Callable[[Told], str]


@dataclass(frozen=True, slots=True)
class Shown:
    """``sentence``: what comes after the name of whoever did it. ``icon``: a word for what it is about."""

    group: Group
    icon: str
    sentence: Sentence


UNNAMED: Mapping[str, str] = {
    "subject": "somebody",
    "role": "a role",
    "place": "a place",
    "school": "a school",
    "group": "a group",
    "successor": "somebody",
}
"""Where a name was removed, and nobody knows it today."""


def _signed_out(told: Told) -> str:
    return "signed out everywhere" if told.facts.get("everywhere") else "signed out"


def _failed(told: Told) -> str:
    if told.facts.get("present_password"):
        return "gave a wrong present password when changing it"
    whose = "as {subject}" if told.words.get("subject") else "with an address that nobody here has"
    if told.facts.get("too_many"):
        return f"tried so often to sign in {whose} that more tries had to wait"
    return f"failed to sign in {whose}"


def _two_step_off(told: Told) -> str:
    return "turned off two-step sign-in" if told.by_itself else "reset the two-step sign-in of {subject}"


def _session_ended(told: Told) -> str:
    count = _count(told, "sessions")
    many = "a session" if count == 1 else f"{count} sessions" if count else "sessions"
    return f"ended {many} of their own" if told.by_itself else f"signed {{subject}} out of {many}"


def _password_changed(told: Told) -> str:
    return "set a new password" if told.by_itself else "gave {subject} a new password"


def _person_changed(told: Told) -> str:
    changed = told.facts.get("changed")
    what = " and ".join(map(_ours, changed)) if isinstance(changed, list) and changed else "details"
    return f"changed their own {what}" if told.by_itself else f"changed the {what} of {{subject}}"


def _at_place(told: Told) -> str:
    if told.facts.get("place") == "district":
        return "for the whole district"
    return "in the group {place}" if told.facts.get("place") == "group" else "at {place}"


def _invited(told: Told) -> str:
    return f"invited {{subject}} as {{role}} {_at_place(told)}" if "role" in told.facts else "invited {subject} again"


def _role_given(told: Told) -> str:
    return f"gave {{subject}} the role {{role}} {_at_place(told)}"


def _role_taken(told: Told) -> str:
    return f"took the role {{role}} {_at_place(told)} from {{subject}}"


def _role_changed(told: Told) -> str:
    if "two_step_required" in told.after:
        return f"{'required' if told.after['two_step_required'] else 'lifted'} two-step sign-in for the role {{role}}"
    if told.words.get("role_before") and told.before == told.after:
        return "renamed the role {role_before} to {role}"
    return "changed the role {role}"


def _role_deleted(told: Told) -> str:
    moved = ", and its holders got the role {successor}" if "successor" in told.facts else ""
    return f"deleted the role {{role}}{moved}"


def _handed_over(told: Told) -> str:
    if not ("successor" in told.facts or told.words.get("successor")):
        return "let nobody take over the conversations of {subject}"
    threads = told.facts.get("threads")
    count = len(threads) if isinstance(threads, list) else 0
    many = {0: "the conversations", 1: "one conversation"}.get(count, f"{count} conversations")
    return f"handed {many} of {{subject}} over to {{successor}}"


def _whose_number(told: Told) -> str:
    if told.words.get("subject"):
        return "the number of {subject}"
    return "the number of {school}" if "school" in told.facts or told.words.get("school") else "a number"


NUMBER_CHANGES: Mapping[str, str] = {
    "bought": "bought {number}",
    "not_bought": "could not buy {number}",
    "stopped": "stopped {number}",
    "quarantined": "put {number} into quarantine",
    "given_back": "gave {number} back",
    "released": "gave up {number}",
    "gone": "found that the phone company has no more {number}",
    "replaced": "replaced {number}",
}


def _number_changed(told: Told) -> str:
    change = NUMBER_CHANGES.get(str(told.facts.get("change")), "changed {number}")
    return change.replace("{number}", _whose_number(told))


def _stop_answered(told: Told) -> str:
    if not told.facts.get("stop"):
        return "read a text that sounded like STOP as no wish to stop texts"
    if not told.words.get("actor"):
        return "stopped texts to a family, because nobody had answered for a week whether that was meant"
    return "stopped texts to a family, whose text sounded like STOP"


def _from_where(told: Told) -> str:
    return "from the whole district" if told.facts.get("everywhere") else "from {school}"


def _unsubscribed(told: Told) -> str:
    return f"stopped texts to a family {_from_where(told)}"


def _resubscribed(told: Told) -> str:
    return f"allowed texts to a family {_from_where(told)} again"


def _sender_named(told: Told) -> str:
    if "contact" not in told.facts:
        return "said that an unknown sender is a student"
    what = "a family contact who was not on file" if told.facts.get("new") else "the new number of a family contact"
    return f"said that an unknown sender is {what}"


def _oversight_opened(told: Told) -> str:
    whose = "{school}" if told.facts.get("inbox") == "school" else "{subject}"
    return f"opened a conversation of {whose} in Oversight"


EXPORTS: Mapping[str, str] = {"audit_log": "the audit log", "staff": "the list of staff"}


def _exported(told: Told) -> str:
    what = _ours(told.facts.get("what", "a list"))
    return f"downloaded {EXPORTS.get(what, what.replace('_', ' '))}"


def _names_removed(told: Told) -> str:
    return f"removed the names from {_count(told, 'entries'):,} old entries of this log"


def _recovery_code_used(told: Told) -> str:
    left = told.facts.get("left")
    return "signed in with a recovery code" + (f"; {left} are left" if isinstance(left, int) else "")


KINDS: Mapping[AuditKind, Shown] = {
    K.SIGNED_IN: Shown(Group.SIGN_INS, "in", "signed in"),
    K.SIGN_IN_FAILED: Shown(Group.SIGN_INS, "alarm", _failed),
    K.SIGNED_OUT: Shown(Group.SIGN_INS, "out", _signed_out),
    K.SESSION_ENDED: Shown(Group.SIGN_INS, "out", _session_ended),
    K.PASSWORD_CHANGED: Shown(Group.SIGN_INS, "key", _password_changed),
    K.TWO_STEP_ON: Shown(Group.SIGN_INS, "shield", "turned on two-step sign-in"),
    K.TWO_STEP_OFF: Shown(Group.SIGN_INS, "shield_off", _two_step_off),
    K.TWO_STEP_FAILED: Shown(Group.SIGN_INS, "alarm", "gave a wrong code for two-step sign-in"),
    K.RECOVERY_CODE_USED: Shown(Group.SIGN_INS, "key", _recovery_code_used),
    K.RECOVERY_CODES_MADE: Shown(Group.SIGN_INS, "key", "made new recovery codes"),
    K.IDENTITY_LINKED: Shown(Group.SIGN_INS, "link", "signed in with single sign-on for the first time"),
    K.IDENTITY_UNLINKED: Shown(Group.SIGN_INS, "unlink", "disconnected the single sign-on of {subject}"),
    K.INVITED: Shown(Group.PEOPLE, "mail", _invited),
    K.INVITATION_ACCEPTED: Shown(Group.PEOPLE, "person", "accepted the invitation"),
    K.RESET_LINK_MADE: Shown(Group.PEOPLE, "key", "made a link with which {subject} sets a new password"),
    K.PERSON_CHANGED: Shown(Group.PEOPLE, "person", _person_changed),
    K.DEACTIVATED: Shown(Group.PEOPLE, "person_off", "deactivated the account of {subject}"),
    K.REACTIVATED: Shown(Group.PEOPLE, "person_on", "reactivated the account of {subject}"),
    K.HANDED_OVER: Shown(Group.PEOPLE, "hand_over", _handed_over),
    K.ROLE_CREATED: Shown(Group.ROLES, "role", "made the role {role}"),
    K.ROLE_CHANGED: Shown(Group.ROLES, "role", _role_changed),
    K.ROLE_DELETED: Shown(Group.ROLES, "removed", _role_deleted),
    K.ROLE_GIVEN: Shown(Group.ROLES, "given", _role_given),
    K.ROLE_TAKEN: Shown(Group.ROLES, "taken", _role_taken),
    K.SCHOOL_CREATED: Shown(Group.SCHOOLS, "school", "added the school {school}"),
    K.SCHOOL_CHANGED: Shown(Group.SCHOOLS, "school", "changed the school {school}"),
    K.GROUP_CREATED: Shown(Group.SCHOOLS, "school", "made the group of schools {group}"),
    K.GROUP_CHANGED: Shown(Group.SCHOOLS, "school", "changed the group of schools {group}"),
    K.GROUP_DELETED: Shown(Group.SCHOOLS, "removed", "deleted the group of schools {group}"),
    K.NUMBER_CHANGED: Shown(Group.NUMBERS, "number", _number_changed),
    K.ALERT_SETTLED: Shown(Group.NUMBERS, "number", "marked an alert as done"),
    K.TEXT_TRIED_AGAIN: Shown(Group.NUMBERS, "number", "tried a family’s text again that was in no conversation"),
    K.STOP_ANSWERED: Shown(Group.CONSENT, "stop", _stop_answered),
    K.UNSUBSCRIBED: Shown(Group.CONSENT, "stop", _unsubscribed),
    K.RESUBSCRIBED: Shown(Group.CONSENT, "start", _resubscribed),
    K.SENDER_NAMED: Shown(Group.PEOPLE, "person", _sender_named),
    K.SENDER_UNNAMED: Shown(Group.PEOPLE, "person_off", "took back who an unknown sender is"),
    K.OVERSIGHT_OPENED: Shown(Group.OVERSIGHT, "eye", _oversight_opened),
    K.EXPORTED: Shown(Group.EXPORTS, "file", _exported),
    K.NAMES_REMOVED: Shown(Group.EXPORTS, "eraser", _names_removed),
}


def kinds_of(group: Group) -> list[AuditKind]:
    return [kind for kind, shown in KINDS.items() if shown.group is group]


def who(told: Told) -> str:
    """Whoever did it, as its sentence begins."""
    nobody = SOMEBODY if told.kind is K.SIGN_IN_FAILED else SERVER
    return told.words.get("actor") or nobody


def sentence(told: Told) -> str:
    """What they did, without their name."""
    told_as = KINDS[told.kind].sentence
    pattern = told_as if isinstance(told_as, str) else told_as(told)
    return pattern.format_map(defaultdict(lambda: "somebody", {**UNNAMED, **told.words}))


def _ours(word: object) -> str:
    """A word of a fact, for a pattern: without what a pattern would fill in."""
    return str(word).replace("{", "").replace("}", "")


def _count(told: Told, what: str) -> int:
    found = told.facts.get(what)
    return found if isinstance(found, int) else 0


# Before and after --------------------------------------------------------------------------------------------

LABELS: Mapping[str, str] = {
    "role": "Name",
    "previous_name": "Name",
    "name": "Name",
    "title": "Title",
    "email": "E-mail address",
    "signature": "Signature",
    "reason": "Reason",
    "number": "Number",
    "problem": "What went wrong",
    "alert": "Alert",
    "auto_reply": "Answer to families",
    "permissions": "Allows",
    "schools": "Schools",
    "two_step_required": "Two-step sign-in required",
    "time_zone": "Time zone",
    "area_code": "Area code",
    "office_phone": "Office phone",
    "state": "State",
    "level": "Level",
    "search": "Search",
}
STATES: Mapping[str, str] = {
    "wanted": "being bought",
    "buying": "being bought",
    "active": "working",
    "stopped": "stopped",
    "quarantined": "in quarantine",
    "gone": "lost at the phone company",
    "releasing": "being given back",
    "released": "given back",
}
FACTS: Mapping[str, str] = {
    "held_back": "Texts that were held back",
    "holders": "People who held it",
    "people": "People in the list",
    "sessions": "Sessions",
    "issuer": "Signed in by",
    "before": "Older than",
}
TYPED = ("reason", "number", "problem", "alert", "auto_reply", "email", "search")
"""What stands by itself among the names, without a before."""


def details(told: Told) -> list[Detail]:
    """Everything else that an entry tells, in words."""
    return [*_names_changed(told), *_typed(told), *_contents_changed(told), *_facts(told), *_filters(told)]


def _names_changed(told: Told) -> Iterable[Detail]:
    """Names that another one took the place of: "title_before" with "title_after", or "role_before" with "role"."""
    words = told.words
    for key in words:
        what, _, when = key.rpartition("_")
        if when == "before":
            yield Detail(
                _label(what), words[key] or NOTHING, words.get(f"{what}_after", words.get(what, "")) or NOTHING
            )
    if "previous_name" in words:
        yield Detail(LABELS["name"], words["previous_name"], words.get("school") or words.get("group", ""))


def _typed(told: Told) -> Iterable[Detail]:
    return (Detail(_label(key), "", told.words[key]) for key in TYPED if told.words.get(key))


def _contents_changed(told: Told) -> Iterable[Detail]:
    for key in {**told.before, **told.after}:
        was, now = told.before.get(key), told.after.get(key)
        if was == now:
            continue
        if isinstance(was, list) and isinstance(now, list):
            yield from _members_changed(told, key, was, now)
        elif now is None:
            yield Detail(_label(key), _in_words(told, key, was), NOTHING)
        else:
            yield Detail(_label(key), "" if was is None else _in_words(told, key, was), _in_words(told, key, now))


def _members_changed(told: Told, key: str, was: list[Any], now: list[Any]) -> Iterable[Detail]:
    """Of long lists only what came and what went."""
    if gone := [one for one in was if one not in now]:
        yield Detail("Took away", "", _in_words(told, key, gone))
    if come := [one for one in now if one not in was]:
        yield Detail("Added", "", _in_words(told, key, come))


def _facts(told: Told) -> Iterable[Detail]:
    return (Detail(name, "", str(told.facts[key])) for key, name in FACTS.items() if told.facts.get(key))


def _filters(told: Told) -> Iterable[Detail]:
    """By what the entries of a file were chosen."""
    if told.kind is not K.EXPORTED:
        return
    if (group := told.facts.get("group")) in GROUPS:
        yield Detail("About", "", GROUPS[Group(group)])
    for key, name in {"since": "From", "until": "To"}.items():
        if key in told.facts:
            yield Detail(name, "", str(told.facts[key]))


def _label(key: str) -> str:
    return LABELS.get(key, key.replace("_", " ").capitalize())


def _in_words(told: Told, key: str, value: Any) -> str:
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if key == "permissions" and isinstance(value, list):
        return ", ".join(_labels(value)) or NOTHING
    if key == "schools" and isinstance(value, list):
        return ", ".join(told.schools.get(i, "a school that is gone") for i in value) or "None"
    return STATES.get(str(value), str(value)) if key == "state" else str(value)


def _labels(permissions: Sequence[Any]) -> list[str]:
    """In the order of every other screen; a word that is no permission any more stands as it is."""
    known = [p for p in permissions if p in set(Permission)]
    return [label(p) for p in in_order(map(Permission, known))] + [str(p) for p in permissions if p not in known]
