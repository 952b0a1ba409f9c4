"""Every table, by noun; importing this package fills the metadata that migrations are checked against."""

from tp_inbox.storage.tables.directory import Contact, FamilyPhone, Guardianship, Student, Tie
from tp_inbox.storage.tables.district import District, School
from tp_inbox.storage.tables.ledgers import ConsentEvent, DeliveryEvent, InboundRequest, Watermark
from tp_inbox.storage.tables.messages import (
    Campaign,
    Draft,
    EarlierHandover,
    Inbox,
    Message,
    Number,
    Pair,
    ReadMarker,
    Thread,
)
from tp_inbox.storage.tables.operations import Alert, Difference, Process, Reconciliation, UnknownNumber
from tp_inbox.storage.tables.records import AuditEntry, AuditSeal, OversightReading
from tp_inbox.storage.tables.roles import Assignment, GroupSchool, Role, SchoolGroup
from tp_inbox.storage.tables.staff import (
    AccountLink,
    ExternalIdentity,
    HandOver,
    RecoveryCode,
    SecondStep,
    Session,
    SignInFailure,
    Staff,
)

__all__ = [
    "AccountLink",
    "Alert",
    "Assignment",
    "AuditEntry",
    "AuditSeal",
    "Campaign",
    "ConsentEvent",
    "Contact",
    "DeliveryEvent",
    "Difference",
    "District",
    "Draft",
    "EarlierHandover",
    "ExternalIdentity",
    "FamilyPhone",
    "GroupSchool",
    "Guardianship",
    "HandOver",
    "InboundRequest",
    "Inbox",
    "Message",
    "Number",
    "OversightReading",
    "Pair",
    "Process",
    "ReadMarker",
    "Reconciliation",
    "RecoveryCode",
    "Role",
    "School",
    "SchoolGroup",
    "SecondStep",
    "Session",
    "SignInFailure",
    "Staff",
    "Student",
    "Thread",
    "Tie",
    "UnknownNumber",
    "Watermark",
]
