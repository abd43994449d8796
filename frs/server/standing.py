"""Streams that are open while what somebody may do changes: each is judged anew, and ends when it may not go on.

Looked at after each change of the registry or of the authority's revocations, at the end of the credential's period by
a clock that cannot be set, and every ``access.reload_seconds`` by the wall clock.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from frs.access.actor import Identity
from frs.access.admission import Admission
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.server.ending import endable
from frs.types import Actor

LONGEST_SECONDS = 7 * 86400.0
"""A timer for longer than this is set anew when it has run."""


class Standing:
    """The streams that are open; for one event loop."""

    def __init__(self, admission: Admission, clock: Clock) -> None:
        self._admission = admission
        self._clock = clock
        self._open: dict[object, Callable[[], None]] = {}

    def look(self) -> None:
        """Judge every open stream anew; on the event loop."""
        for judge in list(self._open.values()):
            judge()

    @asynccontextmanager
    async def stream(
        self, opened: Actor, method: str, granted: Identity, certificate: bytes | None
    ) -> AsyncIterator[None]:
        """Hold the block open for as long as the caller may; then raise what the caller is told."""
        async with endable() as end:

            def judge() -> None:
                try:
                    self._admission.require_still(opened, method, granted, certificate, self._clock.now())
                except FrsError as failure:
                    end(failure)

            key = object()
            self._open[key] = judge
            timer = asyncio.ensure_future(self._expiry(granted, end)) if granted.ends else None
            try:
                judge()  # what changed since the caller was admitted
                yield
            finally:
                del self._open[key]
                if timer is not None:
                    timer.cancel()

    async def _expiry(self, granted: Identity, end: Callable[[FrsError], None]) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + (granted.not_after - self._clock.now()).total_seconds()
        while (left := until - loop.time()) > 0:
            await asyncio.sleep(min(left, LONGEST_SECONDS))
        end(FrsError(Reason.UNAUTHENTICATED, "the credential is not accepted: it has expired during the call"))
