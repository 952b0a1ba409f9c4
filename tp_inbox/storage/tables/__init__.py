"""Every table, by noun; importing this package fills the metadata that migrations are checked against."""

from tp_inbox.storage.tables.directory import Contact, FamilyPhone, Guardianship, Student
from tp_inbox.storage.tables.district import District, School
from tp_inbox.storage.tables.ledgers import ConsentEvent, DeliveryEvent, InboundRequest, Watermark
from tp_inbox.storage.tables.messages import Draft, Inbox, Message, Number, ReadMarker, Thread
from tp_inbox.storage.tables.roles import Assignment, Role
from tp_inbox.storage.tables.staff import Session, SignInFailure, Staff

__all__ = [
    "Assignment",
    "ConsentEvent",
    "Contact",
    "DeliveryEvent",
    "District",
    "Draft",
    "FamilyPhone",
    "Guardianship",
    "InboundRequest",
    "Inbox",
    "Message",
    "Number",
    "ReadMarker",
    "Role",
    "School",
    "Session",
    "SignInFailure",
    "Staff",
    "Student",
    "Thread",
    "Watermark",
]
