"""Faces of different requests and cameras share the recogniser's calls.

One thread takes faces from a bounded queue and runs them together, up to ``max_batch`` at once. A batch waits
for more faces only while somebody is known to be preparing some (:meth:`Batcher.preparing`), and at most
``wait_seconds`` after its first face: a lone request is never held up.

Promises: a request's faces come back in order, or its caller gets the ``FrsError``; a full queue and a passed
deadline are ``OVERLOADED``; a failure reaches only the requests that cause it; :meth:`Batcher.close` answers
what was accepted.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from frs.errors import FrsError, Reason

Crops = npt.NDArray[np.uint8]
Embeddings = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BatcherCounts:
    """What the batcher has done since it started; for metrics."""

    batches: int
    """Calls of the recogniser."""
    faces: int
    """Faces embedded in them."""
    waiting: int
    """Faces in the queue now."""
    refused: int
    """Requests refused because the queue was full."""
    expired: int
    """Requests whose deadline passed in the queue."""

    @property
    def mean_batch(self) -> float:
        """Faces per call; 0 before the first."""
        return self.faces / self.batches if self.batches else 0.0


class _Request:
    """One caller's faces and, later, their embeddings."""

    __slots__ = ("deadline", "done", "error", "faces", "result")

    def __init__(self, faces: Crops, deadline: float | None) -> None:
        self.faces, self.deadline = faces, deadline
        self.done = threading.Event()
        self.result: Embeddings | None = None
        self.error: FrsError | None = None

    def answer(self, result: Embeddings | None, error: FrsError | None = None) -> None:
        self.result, self.error = result, error
        self.done.set()


class Batcher:
    """A queue before a recogniser. Safe in threads."""

    def __init__(
        self, embed: Callable[[Crops], Embeddings], max_batch: int, wait_seconds: float, queue_faces: int
    ) -> None:
        self._embed, self._max_batch, self._wait, self._limit = embed, max_batch, wait_seconds, queue_faces
        self._changed = threading.Condition()
        self._queue: deque[_Request] = deque()
        self._waiting = self._preparing = self._batches = self._faces = self._refused = self._expired = 0
        self._closed = False
        self._thread = threading.Thread(target=self._serve, name="frs-batcher", daemon=True)
        self._thread.start()

    @contextmanager
    def preparing(self) -> Iterator[None]:
        """Announce that this thread is about to bring faces: a batch that has begun may wait for them."""
        with self._changed:
            self._preparing += 1
        try:
            yield
        finally:
            with self._changed:
                self._preparing -= 1
                self._changed.notify_all()

    def embed(self, faces: Crops, deadline: float | None = None) -> Embeddings:
        """Return embeddings (n, d) of aligned faces (n, S, S, 3); ``deadline`` is a ``time.monotonic()``.

        Raises ``OVERLOADED`` when the queue is full or the deadline passes, ``SHUTTING_DOWN`` after :meth:`close`.
        """
        parts = [faces[start : start + self._max_batch] for start in range(0, len(faces), self._max_batch)]
        return np.concatenate([self._embed_part(part, deadline) for part in parts])

    def counts(self) -> BatcherCounts:
        """Return the counters."""
        with self._changed:
            return BatcherCounts(self._batches, self._faces, self._waiting, self._refused, self._expired)

    def close(self) -> None:
        """Refuse new faces, answer those accepted, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def _embed_part(self, faces: Crops, deadline: float | None) -> Embeddings:
        request = _Request(faces, deadline)
        with self._changed:
            if self._closed:
                raise FrsError(Reason.SHUTTING_DOWN, "the recogniser is shutting down")
            # A request larger than the whole queue is taken when nothing waits, or it could never be.
            if self._waiting and self._waiting + len(faces) > self._limit:
                self._refused += 1
                raise FrsError(Reason.OVERLOADED, f"{self._waiting} faces wait for the recogniser already")
            self._queue.append(request)
            self._waiting += len(faces)
            self._changed.notify_all()
        request.done.wait()
        if request.error is not None:
            # A fresh exception for each caller: raising one object in several threads mixes their tracebacks.
            raise FrsError(request.error.reason, request.error.message, **request.error.metadata) from request.error
        assert request.result is not None
        return request.result

    def _serve(self) -> None:
        while batch := self._next_batch():
            live = [request for request in batch if not self._has_expired(request)]
            if live:
                self._run(live)

    def _next_batch(self) -> list[_Request]:
        """Wait for requests and take those that fit one batch; an empty list means closed and drained."""
        with self._changed:
            while not self._queue and not self._closed:
                self._changed.wait()
            latest = time.monotonic() + self._wait
            while self._waiting < self._max_batch and self._preparing and not self._closed:
                left = latest - time.monotonic()
                if left <= 0:
                    break
                self._changed.wait(left)
            batch: list[_Request] = []
            size = 0
            while self._queue and (not batch or size + len(self._queue[0].faces) <= self._max_batch):
                request = self._queue.popleft()
                size += len(request.faces)
                batch.append(request)
            self._waiting -= size
            return batch

    def _has_expired(self, request: _Request) -> bool:
        if request.deadline is None or time.monotonic() < request.deadline:
            return False
        with self._changed:
            self._expired += 1
        request.answer(
            None, FrsError(Reason.OVERLOADED, "the deadline passed while the face waited for the recogniser")
        )
        return True

    def _run(self, batch: list[_Request]) -> None:
        faces = batch[0].faces if len(batch) == 1 else np.concatenate([request.faces for request in batch])
        try:
            result = self._embed(faces)
        except Exception as error:  # noqa: BLE001  # this thread serves all callers: each gets the failure, it goes on
            if len(batch) == 1:
                failure = (
                    error if isinstance(error, FrsError) else FrsError(Reason.INTERNAL, f"embedding failed: {error}")
                )
                batch[0].answer(None, failure)
                return
            for request in batch:  # find out whose faces they were
                self._run([request])
            return
        with self._changed:
            self._batches += 1
            self._faces += len(faces)
        start = 0
        for request in batch:
            request.answer(result[start : start + len(request.faces)])
            start += len(request.faces)
