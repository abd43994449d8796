"""Bounded executors between the event loop and the synchronous rooms.

The loop never runs a room's code, so health answers however busy the threads are. Each pool has a fixed number of
threads and a bounded number of waiting calls; beyond it a request is refused with OVERLOADED instead of waiting for
ever.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from frs.errors import FrsError, Reason
from frs.server.ringing import soon

T = TypeVar("T")
P = ParamSpec("P")


class Workers:
    """A pool of ``threads`` that holds at most ``waiting`` further calls."""

    def __init__(self, name: str, threads: int, waiting: int) -> None:
        self.name = name
        self._limit = threads + waiting
        self._pending = 0
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=f"frs-{name}")

    @property
    def pending(self) -> int:
        """How many calls run or wait."""
        return self._pending

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run the function on a thread and return its result, or raise OVERLOADED at once."""
        if self._pending >= self._limit:
            raise FrsError(Reason.OVERLOADED, f"{self._limit} requests are already being served or waiting")
        loop = asyncio.get_running_loop()
        self._pending += 1
        future = self._executor.submit(functools.partial(function, *args, **kwargs))
        # Counted until the thread is done, even when the caller has gone: a cancelled wait frees no thread.
        future.add_done_callback(lambda _: soon(loop, self._done))
        return await asyncio.wrap_future(future)

    def _done(self) -> None:
        self._pending -= 1

    def close(self) -> None:
        """Wait for what runs; what still waits is dropped."""
        self._executor.shutdown(wait=True, cancel_futures=True)
