"""Ending what a task does from elsewhere on the event loop, with a failure that its caller is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from frs.errors import FrsError


@asynccontextmanager
async def endable() -> AsyncIterator[Callable[[FrsError], None]]:
    """Give what ends the block: called with a failure, the block is cancelled and the failure raised in its place.

    Only the first counts. To be called on the event loop that the block runs on; harmless afterwards.
    """
    loop, told, over = asyncio.get_running_loop(), list[FrsError](), False
    try:
        async with asyncio.timeout(None) as period:

            def end(failure: FrsError) -> None:
                if not told and not over:
                    told.append(failure)
                    period.reschedule(loop.time())

            try:
                yield end
            finally:
                over = True
    except TimeoutError:
        if not period.expired():
            raise
        (failure,) = told
        raise FrsError(failure.reason, failure.message, **failure.metadata) from None
