"""Ids by the thousand in a condition."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ARRAY, BigInteger, ColumnElement, any_, literal


def among(column: Any, ids: Iterable[int]) -> ColumnElement[bool]:
    """As one parameter, however many there are."""
    return column == any_(literal(list(ids), ARRAY(BigInteger)))
