"""The words of operating: what runs, what an alert is about, and how two ledgers can differ."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class ProcessKind(StrEnum):
    WEB = "web"
    WORKER = "worker"


class AlertKind(StrEnum):
    """What an admin is told about. Each has one meaning; the sentence says what to do."""

    ACCOUNT_STOPPED = "account_stopped"
    """The carrier refuses the account: nothing leaves."""
    CAMPAIGN_STOPPED = "campaign_stopped"
    NUMBER_STOPPED = "number_stopped"
    NUMBER_NOT_BOUGHT = "number_not_bought"
    NUMBER_GONE = "number_gone"
    NUMBER_MISPLACED = "number_misplaced"
    """It is not in its campaign's service at the carrier, or its webhooks do not lead to us."""
    WRONG_SENDER = "wrong_sender"
    """A text left from another number than its inbox's."""
    DOUBLED = "doubled"
    SPENDING_CAP = "spending_cap"
    NUMBER_CAP = "number_cap"
    LEFT_ASIDE = "left_aside"
    """A family's text that could not be put into any conversation."""
    NOBODY_READS = "nobody_reads"
    """Families' texts wait in the inbox of somebody who may not read it any more."""
    SPOOLED = "spooled"
    """Webhooks came while the database was away."""
    DIFFERENCES = "differences"


class Remedy(StrEnum):
    """What ends an alert."""

    NOTED = "noted"
    """It tells of something that has happened; somebody says that they have seen to it."""
    RESUME = "resume"
    BUY_AGAIN = "buy_again"
    REPLACE = "replace"
    TRY_AGAIN = "try_again"
    """Each of the texts that were left aside is tried again, where they are listed."""
    BY_ITSELF = "by_itself"
    """It stands while its cause does."""


REMEDIES: Mapping[AlertKind, Remedy] = {
    AlertKind.ACCOUNT_STOPPED: Remedy.RESUME,
    AlertKind.CAMPAIGN_STOPPED: Remedy.RESUME,
    AlertKind.NUMBER_STOPPED: Remedy.RESUME,
    AlertKind.NUMBER_NOT_BOUGHT: Remedy.BUY_AGAIN,
    AlertKind.NUMBER_GONE: Remedy.REPLACE,
    AlertKind.NUMBER_MISPLACED: Remedy.BY_ITSELF,
    AlertKind.WRONG_SENDER: Remedy.NOTED,
    AlertKind.DOUBLED: Remedy.NOTED,
    AlertKind.SPENDING_CAP: Remedy.BY_ITSELF,
    AlertKind.NUMBER_CAP: Remedy.BY_ITSELF,
    AlertKind.LEFT_ASIDE: Remedy.TRY_AGAIN,
    AlertKind.NOBODY_READS: Remedy.BY_ITSELF,
    AlertKind.SPOOLED: Remedy.NOTED,
    AlertKind.DIFFERENCES: Remedy.NOTED,
}


class DifferenceKind(StrEnum):
    INBOUND_MISSING = "inbound_missing"
    """The carrier has a family's text that never came to us."""
    OUTBOUND_MISSING = "outbound_missing"
    """The carrier sent a text from our number that we do not know."""
    MISSING_THERE = "missing_there"
    """We have a SID that the carrier does not list."""
    STATE = "state"
    SENDER = "sender"
    COPY = "copy"
    """The carrier has a text of ours twice."""
