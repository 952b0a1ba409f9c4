"""The services of this process. Filled once by wiring, replaced in tests; states and routes find them here.

Reflex builds states by itself, so nothing can be handed to them.
"""

from __future__ import annotations

from dataclasses import dataclass

from tp_inbox.services.account_links import AccountLinks
from tp_inbox.services.alert_views import Alerts
from tp_inbox.services.announcing import Announcing
from tp_inbox.services.assignment_lists import AssignmentLists
from tp_inbox.services.assignments import Assignments
from tp_inbox.services.audit_log import AuditLog
from tp_inbox.services.explaining import Explaining
from tp_inbox.services.finding import Finding
from tp_inbox.services.groups import Groups
from tp_inbox.services.identities import Identities
from tp_inbox.services.inboxes import Inboxes
from tp_inbox.services.lanes import Lanes
from tp_inbox.services.leaving import Leaving
from tp_inbox.services.number_admin import NumberAdmin
from tp_inbox.services.oversight import Oversight
from tp_inbox.services.own_password import OwnPassword
from tp_inbox.services.queueing import Queues
from tp_inbox.services.receiving import Receiving
from tp_inbox.services.reconciliations import Reconciliations
from tp_inbox.services.roles import Roles
from tp_inbox.services.schools import Schools
from tp_inbox.services.second_step import SecondSteps
from tp_inbox.services.sending import Sending
from tp_inbox.services.sessions import Sessions
from tp_inbox.services.staff import StaffAccounts
from tp_inbox.services.staff_directory import StaffDirectory
from tp_inbox.services.threads import Threads
from tp_inbox.services.tying import Tying
from tp_inbox.services.unsubscribing import Unsubscribing


@dataclass(frozen=True, slots=True)
class Services:
    sessions: Sessions
    second_steps: SecondSteps
    identities: Identities
    own_password: OwnPassword
    inboxes: Inboxes
    threads: Threads
    unsubscribing: Unsubscribing
    sending: Sending
    receiving: Receiving
    tying: Tying
    finding: Finding
    audit_log: AuditLog
    staff: StaffAccounts
    account_links: AccountLinks
    leaving: Leaving
    roles: Roles
    assignments: Assignments
    assignment_lists: AssignmentLists
    oversight: Oversight
    staff_directory: StaffDirectory
    explaining: Explaining
    schools: Schools
    groups: Groups
    number_admin: NumberAdmin
    alerts: Alerts
    queues: Queues
    lanes: Lanes
    announcing: Announcing
    reconciliations: Reconciliations


_filled: list[Services] = []


def fill(services: Services) -> None:
    _filled[:] = [services]


def services() -> Services:
    return _filled[-1]
