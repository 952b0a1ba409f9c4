"""The simulator's memory: one SQLite file, written at once, read back after a restart."""

from __future__ import annotations

import secrets
import sqlite3
import time
from pathlib import Path

FILE_NAME = "simulator.sqlite3"

SCHEMA = """
create table if not exists message (
  seq integer primary key autoincrement,
  sid text not null unique,
  direction text not null,
  sender text not null,
  recipient text not null,
  body text not null,
  status text not null,
  error_code integer,
  error_message text,
  num_segments integer not null,
  num_media integer not null,
  service_sid text,
  callback text not null,
  validity integer not null,
  created integer not null,
  updated integer not null,
  sent integer,
  listed integer not null,
  shown_at real
);
create index if not exists message_by_date on message (coalesce(sent, created), seq) where listed;
create index if not exists message_to on message (recipient, seq);
create index if not exists message_from on message (sender, seq);
create index if not exists message_on_its_way on message (status) where status in
  ('accepted', 'queued', 'sending', 'sent');
create table if not exists media (
  sid text primary key,
  message_sid text not null,
  content_type text not null,
  url text not null,
  content blob,
  created integer not null
);
create index if not exists media_of_message on media (message_sid);
create table if not exists number (
  seq integer primary key autoincrement,
  sid text not null unique,
  phone_number text not null unique,
  service_sid text,
  joined integer,
  settings text not null,
  created integer not null,
  updated integer not null
);
create table if not exists service (
  seq integer primary key autoincrement,
  sid text not null unique,
  settings text not null,
  created integer not null,
  updated integer not null
);
create table if not exists block (
  ours text not null,
  family text not null,
  primary key (ours, family)
);
create table if not exists phone (
  number text primary key,
  label text not null default '',
  language text not null default '',
  read_at real not null default 0
);
"""


def open_database(folder: Path, is_durable: bool = True) -> sqlite3.Connection:
    """The memory in that folder, made when missing. A crash of the process loses nothing that was answered.

    is_durable: nor does a crash of the machine, but for the last moments.
    """
    folder.mkdir(parents=True, exist_ok=True)
    database = sqlite3.connect(folder / FILE_NAME, isolation_level=None, check_same_thread=False)
    database.row_factory = sqlite3.Row
    database.execute("pragma journal_mode = wal")
    database.execute(f"pragma synchronous = {'normal' if is_durable else 'off'}")
    database.executescript(SCHEMA)
    return database


def new_sid(prefix: str) -> str:
    """Twilio's identifiers: two letters and 32 hexadecimal digits."""
    return prefix + secrets.token_hex(16)


def now() -> int:
    """Whole seconds, as fine as Twilio's dates."""
    return int(time.time())
