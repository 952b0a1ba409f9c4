"""Texts of families that may mean STOP, and that nobody has answered."""

from __future__ import annotations

from sqlalchemy import literal_column
from sqlmodel import col

from tp_inbox.storage.tables import Message

ASKED = col(Message.stop_question) == literal_column("'open'")
"""Not as a parameter: the index holds only these, and a plan for any value does not use it."""
