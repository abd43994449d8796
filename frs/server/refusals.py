"""Refused calls in the log: whoever tries what they may not leaves a trace, and cannot fill the log with traces.

An identity that is refused a method is logged as ``access.refused`` at once; further refusals of that identity and
method within a minute are counted, and the next event carries their number. Callers without an accepted certificate
have no name: for all of them together there is one event a minute for each cause, with the certificate's SHA-256. What
is remembered is bounded, whoever calls and however often. The refusal stands in any case: the answer waits for the
event for a moment only, and an event that cannot be written is told to the operator and counted into the next one.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from frs.audit.actions import Action
from frs.errors import FrsError
from frs.server.journal import Journal
from frs.server.workers import Workers
from frs.types import Actor, Json

UNAUTHENTICATED = Actor("unauthenticated", frozenset(), "")
"""Who acts where nobody was recognised; no identity may bear the name."""
ONE_EVENT_SECONDS = 60.0
PATIENCE_SECONDS = 1.0
"""How long a refusal waits for its event to be durable."""
_MOST_REMEMBERED = 1000

log = structlog.get_logger()


@dataclass(slots=True)
class _Entry:
    at: float
    unlogged: int = 0


class Allowance:
    """One event per key and minute; counts the others, in constant memory. For one thread."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        """``seconds`` is a monotonic clock."""
        self._seconds = seconds
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()
        self._forgotten = 0

    def take(self, key: tuple[str, str]) -> tuple[int, int] | None:
        """Return None when it is not to be logged; else how many were not since the last event.

        That is, of this key; and of keys that were forgotten because there were too many.
        """
        now, entry = self._seconds(), self._entries.get(key)
        if entry is not None and now - entry.at < ONE_EVENT_SECONDS:
            entry.unlogged += 1
            return None
        self._entries[key] = _Entry(now)
        self._entries.move_to_end(key)
        while len(self._entries) > _MOST_REMEMBERED:
            self._forgotten += self._entries.popitem(last=False)[1].unlogged
        forgotten, self._forgotten = self._forgotten, 0
        return (entry.unlogged if entry is not None else 0), forgotten

    def give_back(self, key: tuple[str, str], before: int, elsewhere: int) -> None:
        """Count what was taken, and the call itself, into a later event: this one could not be written."""
        entry = self._entries.get(key)
        if entry is None:
            self._forgotten += before + 1
        else:
            entry.unlogged += before + 1
        self._forgotten += elsewhere


class Refusals:
    """Logs refused calls; for the event loop."""

    def __init__(self, journal: Journal, workers: Workers, seconds: Callable[[], float] = time.monotonic) -> None:
        """``workers`` are threads of its own: refusals never wait behind requests, nor requests behind them."""
        self._journal, self._workers = journal, workers
        self._allowance = Allowance(seconds)
        self._writing: set[asyncio.Task[None]] = set()

    async def tell(self, actor: Actor | None, method: str, error: FrsError, certificate: bytes = b"") -> None:
        """Log that a call of a method was refused to an actor, or to nobody known when None. Raises nothing."""
        who = actor or UNAUTHENTICATED
        # What an unknown caller is told is one of a few fixed sentences; with the method a flood would have many keys.
        key = (who.name, method if actor is not None else error.message)
        taken = self._allowance.take(key)
        if taken is None:
            return
        said: dict[str, Json] = {"method": method, "reason": str(error.reason), "why": error.message}
        said |= {"unlogged_before": taken[0], "unlogged_elsewhere": taken[1]}
        if actor is None:
            said["certificate_sha256"] = hashlib.sha256(certificate).hexdigest() if certificate else None
        task = asyncio.create_task(self._write(who, said, key, taken))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        await asyncio.wait({task}, timeout=PATIENCE_SECONDS)

    async def _write(self, who: Actor, said: dict[str, Json], key: tuple[str, str], taken: tuple[int, int]) -> None:
        try:
            await self._workers.run(self._journal.record, who, Action.ACCESS_REFUSED, said)
        except FrsError as error:
            self._allowance.give_back(key, *taken)
            log.warning("a refused call could not be logged", method=said["method"], reason=str(error.reason))
