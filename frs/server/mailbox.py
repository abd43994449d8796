"""Between a camera's stream and the frame that is being processed: a bounded mailbox in, a coalescing outbox out.

Both belong to the event loop. Memory is bounded whatever the two sides do: the mailbox drops the oldest frame (cameras)
or makes the reader wait (files); the outbox keeps one progress, the newest, and a bounded number of other answers.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Generic, TypeVar

from frs.v1 import live_pb2

F = TypeVar("F")
MAX_ANSWERS = 1000


class Mailbox(Generic[F]):
    """Frames that wait, at most ``capacity``."""

    def __init__(self, capacity: int, *, lossless: bool) -> None:
        self._capacity = capacity
        self._lossless = lossless
        self._frames: deque[F] = deque()
        self._changed = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self.closed = False

    async def put(self, frame: F) -> list[F]:
        """Add a frame; return the older ones that had to give way. A lossless mailbox waits for room instead."""
        while self._lossless and len(self._frames) >= self._capacity:
            self._room.clear()
            await self._room.wait()
        gone = []
        while len(self._frames) >= self._capacity:
            gone.append(self._frames.popleft())
        self._frames.append(frame)
        self._changed.set()
        return gone

    async def take(self, timeout: float) -> F | None:  # a wait that is meant to end without a frame
        """Return the oldest frame, or None after ``timeout`` seconds or when the mailbox is closed and empty."""
        if not self._frames and not self.closed:
            self._changed.clear()
            try:
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
            except TimeoutError:
                return None
        if not self._frames:
            return None
        frame = self._frames.popleft()
        self._room.set()
        return frame

    def close(self) -> None:
        """Take no more frames; those held can still be taken."""
        self.closed = True
        self._changed.set()

    @property
    def finished(self) -> bool:
        """Closed, and nothing is held."""
        return self.closed and not self._frames


class Outbox:
    """Answers that wait for the client. Progress overtakes nothing and is sent once, as it stands then."""

    def __init__(self) -> None:
        self._answers: deque[live_pb2.StreamResponse] = deque(maxlen=MAX_ANSWERS)
        self._progress: live_pb2.StreamProgress | None = None
        self._changed = asyncio.Event()
        self._closed = False

    def say(self, answer: live_pb2.StreamResponse) -> None:
        """Queue an answer; beyond the bound the oldest is dropped (its count stays in the progress)."""
        self._answers.append(answer)
        self._changed.set()

    def report(self, progress: live_pb2.StreamProgress) -> None:
        """Set the progress that is sent next."""
        self._progress = progress
        self._changed.set()

    def close(self) -> None:
        """End the stream of answers once all are taken."""
        self._closed = True
        self._changed.set()

    async def next(self) -> live_pb2.StreamResponse | None:
        """Return the next answer; None at the end."""
        while True:
            if self._answers:
                return self._answers.popleft()
            if self._progress is not None:
                progress, self._progress = self._progress, None
                return live_pb2.StreamResponse(progress=progress)
            if self._closed:
                return None
            self._changed.clear()
            await self._changed.wait()
