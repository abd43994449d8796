"""From a bell, which rings on a room's thread, to a stream that waits on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol


class Ringing(Protocol):
    """A bell (:class:`frs.match.bell.Bell`)."""

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` at each ring; returns what ends it."""
        ...


class Listener:
    """Whether it has rung since the last look. However often it rings meanwhile, memory stays one flag."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Note a ring; on the event loop."""
        self._rung.set()

    async def wait(self) -> None:
        """Return when it has rung since the last return."""
        await self._rung.wait()
        self._rung.clear()


@contextmanager
def listening(bell: Ringing) -> Iterator[Listener]:
    """Listen to a bell. Subscribe first and read then: what is committed in between rings."""
    loop = asyncio.get_running_loop()
    listener = Listener()
    unsubscribe = bell.subscribe(lambda: soon(loop, listener.ring))
    try:
        yield listener
    finally:
        unsubscribe()


def soon(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    """Run a callback on a loop from any thread; a loop that has closed needs it no more."""
    if not loop.is_closed():
        loop.call_soon_threadsafe(callback)
