"""Frames into a deployment: one stream, flow control by the server's credit, and reconnection.

A source that can wait (a file, a folder) is sent lossless: a frame leaves only when the server has credit for it, and
those that were not acknowledged when a connection broke are sent again on the next; a feed that achieves nothing in
several connections running gives up, and at once when the server never answered. A camera waits for nobody and
reconnects for ever.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

import grpc

from frs.errors import FrsError
from frs.feed.shots import Shot, Source, Tell, tell_nobody
from frs.v1 import live_pb2 as pb
from frs.v1.live_pb2_grpc import LiveServiceStub

# After these a new connection may succeed; anything else is the server's answer and final.
PASSING = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED}
# A stream that broke may still hold the camera for a moment, until the server has noticed.
BUSY = grpc.StatusCode.FAILED_PRECONDITION, "CAMERA_BUSY"
_LONGEST_WAIT = 30.0
_PROBLEMS_KEPT = 1000


@dataclass(slots=True)
class FeedReport:
    """What became of the frames, over all connections."""

    frames_sent: int = 0
    """Sent again after a break counts again."""
    frames_processed: int = 0
    frames_dropped: int = 0
    frames_rejected: int = 0
    faces_seen: int = 0
    alerts: list[str] = field(default_factory=list)
    problems: list[tuple[int, str, str]] = field(default_factory=list)
    """(sequence, reason, message) of single frames."""
    reconnections: int = 0
    seconds: float = 0.0
    model: str = ""
    notice: str = ""
    provider: str = ""
    done: bool = False
    """Whether the server confirmed the end: everything sent was processed, dropped or rejected."""


class Sender:
    """Sends one source as one camera."""

    def __init__(
        self,
        stub: LiveServiceStub,
        deployment: str,
        camera: str,
        *,
        reason_of: Callable[[grpc.RpcError], str] = lambda _: "",
        on_alert: Callable[[str], None] = lambda _: None,
        on_progress: Callable[[FeedReport], None] = lambda _: None,
        tell: Tell = tell_nobody,
        attempts: int = 8,
        first_wait: float = 0.5,
    ) -> None:
        """Set up.

        ``reason_of`` names the catalogue reason of a refusal. ``attempts`` connections in a row that achieve nothing
        end the feed of a recording; the wait between them begins at ``first_wait`` seconds and doubles.
        """
        self._stub = stub
        self._deployment = deployment
        self._camera = camera
        self._reason_of = reason_of
        self._on_alert = on_alert
        self._on_progress = on_progress
        self._tell = tell
        self._attempts = attempts
        self._first_wait = first_wait
        self.report = FeedReport()
        self._lossless = True
        self._stopped = threading.Event()
        self._source: Source | None = None
        self._failure: FrsError | None = None
        """Why the source could not be read to its end."""
        self._change = threading.Condition()
        self._sequence = 0
        self._acknowledged = 0
        self._credit = 0
        self._pending: deque[tuple[int, Shot]] = deque()
        """Sent and not yet acknowledged; kept in lossless feeds only."""
        self._returned: deque[Shot] = deque()
        """Taken from the source and to be sent (again) first."""
        self._pull = threading.Lock()
        """Held from taking a frame until it is handed on, so that a connection that broke cannot overtake the next."""
        self._connection = 0
        self._broken = False
        self._answered = False
        """Whether the server ever said a word."""
        self._before = pb.StreamProgress()

    def send(self, source: Source) -> FeedReport:
        """Send everything.

        Raises the final ``grpc.RpcError`` when the server refuses, and the source's own FrsError, after what was read
        before it has been processed, when the source cannot be read to its end.
        """
        started = time.monotonic()
        self._source = source
        self._lossless = not source.live
        shots = source.shots()
        vain = 0
        try:
            while not self.report.done:
                seen = self._handled
                try:
                    self._run(shots)
                    break
                except grpc.RpcError as error:
                    vain = 0 if self._handled > seen else vain + 1
                    if self._stopped.is_set() or not self._is_passing(error, vain):
                        raise
                    wait = min(self._first_wait * 2.0**vain, _LONGEST_WAIT)
                    call: Any = error  # what a stub raises is a call too
                    self.report.reconnections += 1
                    self._tell(
                        f"the stream broke ({call.details() or call.code().name}); connecting again in {wait:.1f} s"
                    )
                    self._stopped.wait(wait)
        finally:
            source.close()
            self.report.seconds = time.monotonic() - started
        if self._failure is not None:
            raise self._failure
        return self.report

    def stop(self) -> None:
        """End the feed in the ordinary way, from any thread: what was sent is processed, then :meth:`send` returns."""
        self._stopped.set()
        if self._source is not None:
            self._source.close()

    def _is_passing(self, error: grpc.RpcError, vain: int) -> bool:
        """Tell whether a new connection may succeed."""
        call: Any = error
        code, reason = call.code(), self._reason_of(error)
        if (code, reason) == BUSY:
            return self._connection > 1 and vain < self._attempts
        return code in PASSING and (not self._lossless or (self._answered and vain < self._attempts))

    def _run(self, shots: Iterator[Shot]) -> None:
        """One connection, from its opening to its end."""
        if self._pending:  # lossless: the source never blocks for long, so the lock comes soon
            with self._pull:
                self._returned.extendleft(shot for _, shot in reversed(self._pending))
                self._pending.clear()
        with self._change:
            self._connection += 1
            self._broken = False
            self._credit = 0
            self._acknowledged = self._sequence
        self._before = pb.StreamProgress()
        answers = self._stub.Stream(self._requests(shots, self._connection))
        try:
            for answer in answers:
                self._receive(answer)
            # A server that stops sends its last counts too, but ends the stream with an error.
            self.report.done = self._before.done
        finally:
            with self._change:
                self._broken = True
                self._change.notify_all()

    def _requests(self, shots: Iterator[Shot], connection: int) -> Iterator[pb.StreamRequest]:
        yield pb.StreamRequest(
            open=pb.StreamOpen(deployment=self._deployment, camera_id=self._camera, lossless=self._lossless)
        )
        while (request := self._next(shots, connection)) is not None:
            yield request

    def _next(self, shots: Iterator[Shot], connection: int) -> pb.StreamRequest | None:
        """Take a frame, wait for credit where the feed is lossless; None at the end or when the connection broke."""
        with self._pull:
            shot = self._returned.popleft() if self._returned else self._take(shots)
            if shot is None:
                return None
            with self._change:
                if self._lossless:
                    self._change.wait_for(lambda: self._is_over(connection) or self._has_credit)
                if self._is_over(connection):
                    if self._lossless:
                        self._returned.appendleft(shot)
                    return None
                self._sequence += 1
                if self._lossless:
                    self._pending.append((self._sequence, shot))
                frame = pb.Frame(data=shot.data, camera_id=self._camera, sequence=self._sequence)
                self.report.frames_sent = self._sequence
        frame.capture_time.FromDatetime(shot.captured_at.astimezone(UTC))
        return pb.StreamRequest(frame=frame)

    def _take(self, shots: Iterator[Shot]) -> Shot | None:
        try:
            return next(shots, None)
        except FrsError as error:  # on gRPC's thread, which would hide it: raised again by send
            self._failure = error
            return None

    @property
    def _handled(self) -> int:
        return self.report.frames_processed + self.report.frames_dropped + self.report.frames_rejected

    def _is_over(self, connection: int) -> bool:
        return self._broken or connection != self._connection

    @property
    def _has_credit(self) -> bool:
        return self._sequence < self._acknowledged + self._credit

    def _receive(self, answer: pb.StreamResponse) -> None:
        self._answered = True
        kind = answer.WhichOneof("message")
        if kind == "state":
            state = answer.state
            self.report.model, self.report.notice, self.report.provider = state.model, state.notice, state.provider
        elif kind == "problem":
            problem = answer.problem
            if len(self.report.problems) < _PROBLEMS_KEPT:
                self.report.problems.append((problem.sequence, problem.reason, problem.message))
            self._tell(f"frame {problem.sequence}: {problem.message} [{problem.reason}]")
        elif kind == "alert":
            self.report.alerts.append(answer.alert.alert)
            self._on_alert(answer.alert.alert)
        elif kind == "progress":
            self._count(answer.progress)

    def _count(self, progress: pb.StreamProgress) -> None:
        """Take credit and add what the counts grew by; they begin at 0 with each connection."""
        with self._change:
            self._acknowledged = max(self._acknowledged, progress.acknowledged_sequence)
            self._credit = progress.credit
            while self._pending and self._pending[0][0] <= self._acknowledged:
                self._pending.popleft()
            self._change.notify_all()
        report, before = self.report, self._before
        report.frames_processed += progress.frames_processed - before.frames_processed
        report.frames_dropped += progress.frames_dropped - before.frames_dropped
        report.frames_rejected += progress.frames_rejected - before.frames_rejected
        report.faces_seen += progress.faces_seen - before.faces_seen
        self._before = progress
        self._on_progress(report)
