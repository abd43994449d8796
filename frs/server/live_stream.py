"""One camera's stream: takes frames in, has one processed at a time, and sends back counts, credit and problems.

Three tasks share it on the event loop. The *reader* checks the protocol and fills the mailbox. The *worker* gives one
frame at a time to the live pool, ticks every second, and alone ends the session: it finishes what is held first, so
that a client that half-closes, vanishes, or a server that stops loses no frame that was taken. The *answers* are what
the client reads, as fast as it likes: progress that it does not read in time is replaced by newer progress.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import datetime

from frs.errors import FrsError, Reason
from frs.match.deployments import Deployments
from frs.match.live import LiveFrame, LiveSession
from frs.match.tally import StreamCounts
from frs.server.conversions.live import alert_message, problem_message, progress_message, state_message
from frs.server.instants import instant
from frs.server.mailbox import Mailbox, Outbox
from frs.server.metrics import Metrics
from frs.server.workers import Workers
from frs.types import ModelInfo
from frs.v1 import live_pb2

TICK_SECONDS = 1.0
VANISH_SECONDS = 0.02

CLOSED = "closed by the client"
VANISHED = "client vanished"
STOPPING = "server stopping"


class LiveStream:
    """An open stream. :meth:`start` its tasks, read :meth:`answers`, and :meth:`vanish` when the client has gone."""

    def __init__(
        self,
        session: LiveSession,
        opening: live_pb2.StreamOpen,
        deployments: Deployments,
        pool: Workers,
        metrics: Metrics,
        model: ModelInfo,
        capacity: int,
    ) -> None:
        self._session = session
        self._opening = opening
        self._deployment = session.deployment
        self._deployments = deployments
        self._pool = pool
        self._metrics = metrics
        self._model = model
        self._capacity = capacity
        self._mailbox: Mailbox[live_pb2.Frame] = Mailbox(capacity, lossless=opening.lossless)
        self._outbox = Outbox()
        self._acknowledged = 0
        self._counted = StreamCounts()
        self._reason = CLOSED
        self._failure: Exception | None = None
        self._ticked = time.monotonic()
        self._reader: asyncio.Task[None] | None = None
        self._worker: asyncio.Task[None] | None = None

    def start(self, requests: AsyncIterator[live_pb2.StreamRequest]) -> asyncio.Task[None]:
        """Begin; returns the task that ends when the session is finished and logged."""
        self._outbox.say(state_message(self._deployment, self._model))
        self._report()
        self._reader = asyncio.create_task(self._read(requests))
        self._worker = asyncio.create_task(self._work())
        return self._worker

    async def answers(self) -> AsyncIterator[live_pb2.StreamResponse]:
        """Yield what the client is told; at the end raise what ended the stream, if it failed."""
        while (answer := await self._outbox.next()) is not None:
            yield answer
        if self._failure is not None:
            raise self._failure

    def drain(self) -> None:
        """Take no more frames, finish those held, and tell the client to come back later."""
        self._end(STOPPING, FrsError(Reason.SHUTTING_DOWN, "the service is stopping"))

    def refuse(self, refusal: FrsError) -> None:
        """Take no more frames, finish those held, and tell the client why no request is answered."""
        self._fail(FrsError(refusal.reason, refusal.message, **refusal.metadata))

    def vanish(self) -> None:
        """Note that the client has gone: finish what is held; nobody reads the answers."""
        self._end(VANISHED, None)

    def _end(self, reason: str, failure: Exception | None) -> None:
        if self._worker is not None and self._worker.done():
            return
        if self._reason == CLOSED:
            self._reason = reason
        self._failure = self._failure or failure
        if self._reader is not None:
            self._reader.cancel()
        self._mailbox.close()

    # --- reader ---

    async def _read(self, requests: AsyncIterator[live_pb2.StreamRequest]) -> None:
        sequence, captured = 0, None
        try:
            async for request in requests:
                if request.WhichOneof("message") != "frame":
                    raise FrsError(Reason.STREAM_PROTOCOL, "after the first message every message is a frame")
                frame = request.frame
                captured = self._in_order(frame, sequence, captured)
                sequence = frame.sequence
                gone = await self._mailbox.put(frame)
                self._session.received()
                if gone:
                    self._session.dropped(len(gone))
                    self._acknowledge(gone[-1].sequence)
        except Exception as error:  # noqa: BLE001  # carried to the answers, where the interceptor translates it
            self._fail(error)
        finally:
            self._mailbox.close()

    def _fail(self, error: Exception) -> None:
        self._end(f"failed: {error.reason}" if isinstance(error, FrsError) else "failed", error)

    def _in_order(self, frame: live_pb2.Frame, sequence: int, captured: datetime | None) -> datetime:
        if frame.sequence <= sequence:
            raise FrsError(
                Reason.STREAM_PROTOCOL, f"sequence {frame.sequence} came after {sequence}", sequence=str(frame.sequence)
            )
        if frame.camera_id not in {"", self._opening.camera_id}:
            raise FrsError(
                Reason.STREAM_PROTOCOL, "a frame names another camera than the stream", sequence=str(frame.sequence)
            )
        now = instant(frame.capture_time)
        if captured is not None and now < captured:
            raise FrsError(
                Reason.STREAM_PROTOCOL,
                f"frame {frame.sequence} was captured before the frame before it",
                sequence=str(frame.sequence),
            )
        return now

    # --- worker ---

    async def _work(self) -> None:
        try:
            while not self._mailbox.finished:
                await self._tick()
                frame = await self._mailbox.take(max(0.0, self._ticked + TICK_SECONDS - time.monotonic()))
                if frame is not None:
                    await self._process(frame)
        except Exception as error:  # noqa: BLE001  # carried to the answers, where the interceptor translates it
            self._fail(error)
        try:
            await self._finish()
        except Exception as error:  # noqa: BLE001  # the same: the last counts could not be logged
            self._failure = self._failure or error
        finally:
            if self._reader is not None:
                self._reader.cancel()
            self._outbox.report(self._progress(done=True))
            self._outbox.close()

    async def _process(self, frame: live_pb2.Frame) -> None:
        outcome = await self._pool.run(
            self._session.process, LiveFrame(frame.data, instant(frame.capture_time), frame.sequence)
        )
        self._acknowledge(frame.sequence)
        if outcome.problem is not None:
            self._outbox.say(problem_message(frame.sequence, outcome.problem))
        for alert in outcome.alerts:
            self._outbox.say(alert_message(alert))
        self._report()

    async def _tick(self) -> None:
        if time.monotonic() - self._ticked < TICK_SECONDS:
            return
        self._ticked = time.monotonic()
        await self._pool.run(self._session.tick)  # raises DEPLOYMENT_ENDED for a camera that sends nothing, too

    async def _finish(self) -> None:
        if self._reason == CLOSED:
            # A client that vanishes looks like one that half-closes until gRPC has told of both.
            await asyncio.sleep(VANISH_SECONDS)
        ended = isinstance(self._failure, FrsError) and self._failure.reason is Reason.DEPLOYMENT_ENDED
        try:
            if ended:
                now = await self._pool.run(self._deployments.get, self._deployment.id)
                self._reason = f"deployment {now.state}"
                self._outbox.say(state_message(now, self._model))
        finally:
            await self._pool.run(self._session.finish, self._reason)
            self._count()

    # --- counts ---

    def _acknowledge(self, sequence: int) -> None:
        self._acknowledged = max(self._acknowledged, sequence)

    def _report(self) -> None:
        self._count()
        self._outbox.report(self._progress(done=False))

    def _progress(self, *, done: bool) -> live_pb2.StreamProgress:
        # A client that never has more than this many frames unacknowledged loses none: they fit the mailbox.
        credit = 0 if done or self._mailbox.closed else self._capacity
        return progress_message(self._session.counts, self._acknowledged, credit, done=done)

    def _count(self) -> None:
        now = self._session.counts
        self._metrics.count_live(self._counted, now)
        self._counted = now
