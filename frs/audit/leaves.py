"""Checks of leaves in themselves: that each is canonical, in its place, and not earlier than the one before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from frs.audit.canonical import canonical
from frs.audit.event import SCHEMA_VERSION, parse_time
from frs.audit.report import Problem

_FIELDS = {"v", "seq", "time", "action", "operation", "actor", "refs", "payload"}
_REFS = {"watchlists", "subjects", "deployment", "alert", "search", "job"}


class LeafChecker:
    """Checks leaves one after the other, from event 0 on."""

    def __init__(self) -> None:
        self._next = 0
        self._time: datetime | None = None

    def skip(self) -> None:
        """Pass over a leaf that is known to be altered: what it says is not compared with its neighbours."""
        self._next += 1

    def check(self, leaf: bytes) -> tuple[dict[str, Any] | None, list[Problem]]:
        """Return the leaf's fields, or None when it cannot be read, and what is wrong with it."""
        seq, self._next = self._next, self._next + 1
        try:
            fields = json.loads(leaf)
            if not isinstance(fields, dict) or set(fields) != _FIELDS or set(fields["refs"]) != _REFS:
                raise ValueError("its fields are not those of an event")
            if canonical(fields) != leaf:
                raise ValueError("it is not canonical JSON")
            time = parse_time(fields["time"])
        except (ValueError, TypeError, RecursionError) as error:
            return None, [Problem(f"Event {seq} cannot be read: {error}.", seq)]
        return fields, list(self._placed(seq, fields, time))

    def _placed(self, seq: int, fields: dict[str, Any], time: datetime) -> Iterator[Problem]:
        if fields["v"] != SCHEMA_VERSION:
            yield Problem(f"Event {seq} has the unknown schema version {fields['v']}.", seq)
        if fields["seq"] != seq:
            yield Problem(
                f"Event {seq} says that it is number {fields['seq']}: events are missing or out of order.", seq
            )
        if self._time is not None and time < self._time:
            yield Problem(f"Event {seq} is earlier than the event before it.", seq)
        self._time = time
