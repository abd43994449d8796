"""Frames into a deployment: one stream, flow control by the server's credit, and reconnection.

A source that can wait (a file, a folder) is sent lossless: a frame leaves only when the server has credit for it, and
those that were not acknowledged when a connection broke are sent again on the next. A camera waits for nobody.
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

from frs.feed.shots import Shot, Source
from frs.v1 import live_pb2 as pb
from frs.v1.live_pb2_grpc import LiveServiceStub

# After these a new connection may succeed; anything else is the server's answer and final.
PASSING = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED}
_LONGEST_WAIT = 30.0


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
        lossless: bool,
        on_alert: Callable[[str], None] = lambda _: None,
        on_progress: Callable[[FeedReport], None] = lambda _: None,
        attempts: int = 10,
    ) -> None:
        """Set up; ``attempts`` connections in a row that achieve nothing end the feed."""
        self._stub = stub
        self._deployment = deployment
        self._camera = camera
        self._lossless = lossless
        self._on_alert = on_alert
        self._on_progress = on_progress
        self._attempts = attempts
        self.report = FeedReport()
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
        self._before = pb.StreamProgress()

    def send(self, source: Source) -> FeedReport:
        """Send everything; raises the final ``grpc.RpcError`` when the server refuses."""
        started = time.monotonic()
        shots = source.shots()
        vain = 0
        try:
            while not self.report.done:
                seen = self._acknowledged
                try:
                    self._run(shots)
                    break
                except grpc.RpcError as error:
                    vain = 0 if self._acknowledged > seen else vain + 1
                    call: Any = error  # what a stub raises is a call too
                    if call.code() not in PASSING or vain >= self._attempts:
                        raise
                    self.report.reconnections += 1
                    time.sleep(min(0.5 * 2.0**vain, _LONGEST_WAIT))
        finally:
            self.report.seconds = time.monotonic() - started
        return self.report

    def _run(self, shots: Iterator[Shot]) -> None:
        """One connection, from its opening to its end."""
        if self._pending:  # lossless: the source never blocks, so the lock comes soon
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
            shot = self._returned.popleft() if self._returned else next(shots, None)
            if shot is None:
                return None
            with self._change:
                if self._lossless:
                    self._change.wait_for(lambda: self._broken or self._sequence < self._acknowledged + self._credit)
                if self._broken or connection != self._connection:
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

    def _receive(self, answer: pb.StreamResponse) -> None:
        kind = answer.WhichOneof("message")
        if kind == "state":
            state = answer.state
            self.report.model, self.report.notice, self.report.provider = state.model, state.notice, state.provider
        elif kind == "problem":
            problem = answer.problem
            self.report.problems.append((problem.sequence, problem.reason, problem.message))
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
        report.done = report.done or progress.done
        self._before = progress
        self._on_progress(report)
