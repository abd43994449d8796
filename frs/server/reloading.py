"""Certificates and revocations taken over while the service runs: looked at, logged, and made known to open streams.

A change holds from the look that finds it, whether it can be logged or not: a revocation does not wait for the log. An
event that could not be written is written at the next look.
"""

from __future__ import annotations

import asyncio

import structlog

from frs.access.credentials import Credentials, Loaded
from frs.audit.actions import Action
from frs.errors import FrsError, place
from frs.server.journal import Journal
from frs.server.standing import Standing
from frs.types import Actor, Json

_MOST_SERIALS = 1000

log = structlog.get_logger()


class Reloading:
    """Looks every ``seconds`` until cancelled; without credentials it only has the streams judged by the clock."""

    def __init__(self, credentials: Credentials | None, journal: Journal, standing: Standing, seconds: float) -> None:
        self._credentials = credentials
        self._journal = journal
        self._standing = standing
        self._seconds = seconds
        self._unlogged: list[dict[str, Json]] = []
        self._told = ""
        if credentials is not None:
            credentials.on_loaded(lambda before, after: self._unlogged.append(_changes(before, after)))

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(self._seconds)
            await self.look()

    async def look(self) -> None:
        """Look once."""
        try:
            if self._credentials is not None:
                await asyncio.to_thread(self._credentials.look)
        except Exception as error:  # noqa: BLE001  # the last resort of the task: without it nothing is ever revoked again
            log.error("the certificates could not be looked at", error=type(error).__name__, where=place(error))
        self._standing.look()
        if self._credentials is not None:
            self._tell(self._credentials.fault)
        await asyncio.to_thread(self._write)

    def _tell(self, fault: str) -> None:
        if fault and fault != self._told:
            log.warning("certificates could not be taken over", why=fault)
        self._told = fault

    def _write(self) -> None:
        while self._unlogged:
            try:
                self._journal.record(Actor.system(), Action.ACCESS_CREDENTIALS_LOADED, self._unlogged[0])
            except FrsError as error:
                log.warning("a change of certificates could not be logged", reason=str(error.reason))
                return
            del self._unlogged[0]


def _changes(before: Loaded, after: Loaded) -> dict[str, Json]:
    revoked = sorted(after.trust.revoked - before.trust.revoked)
    return {
        "server": after.server.serial,
        "server_before": before.server.serial,
        "authorities": [f"{each.serial_number:x}" for each in after.trust.authorities],
        "authorities_before": [f"{each.serial_number:x}" for each in before.trust.authorities],
        "lists": [each.number for each in after.trust.lists],
        "revoked": [*revoked[:_MOST_SERIALS]],
        "revoked_count": len(revoked),
    }
