"""Streams that wait for something to happen: each ends at once when the server begins to stop."""

from __future__ import annotations

import asyncio

from frs.errors import FrsError, Reason
from frs.server.ringing import Listener


class Stopping:
    """Tells every waiting stream that the server stops."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()

    def begin(self) -> None:
        """Wake them all."""
        self._stopping.set()

    @property
    def begun(self) -> bool:
        """Whether the server stops; for threads, which ask now and then."""
        return self._stopping.is_set()

    async def wait(self) -> None:
        """Return when the server begins to stop."""
        await self._stopping.wait()

    async def wait_for(self, listener: Listener) -> None:
        """Return when the bell has rung, or raise SHUTTING_DOWN."""
        ring = asyncio.ensure_future(listener.wait())
        stop = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({ring, stop}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ring.cancel()
            stop.cancel()
        self.require()

    def require(self) -> None:
        """Raise SHUTTING_DOWN when the server stops."""
        if self._stopping.is_set():
            raise FrsError(Reason.SHUTTING_DOWN, "the service is stopping")
