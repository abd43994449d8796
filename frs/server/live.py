"""``LiveService``: opens sessions, runs their streams, and drains them when the server stops."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from frs.errors import FrsError, Reason
from frs.match.deployments import Deployments
from frs.match.live import LiveMatching, LiveSession
from frs.server import names
from frs.server.caller import caller
from frs.server.live_stream import VANISHED, LiveStream
from frs.server.metrics import Metrics
from frs.server.workers import Workers
from frs.settings import LiveSettings
from frs.types import Actor, ModelInfo
from frs.v1 import live_pb2, live_pb2_grpc


class LiveServicer(live_pb2_grpc.LiveServiceServicer):
    """The servicer; keeps its open streams so that they can be drained."""

    def __init__(
        self,
        matching: LiveMatching,
        deployments: Deployments,
        model: ModelInfo,
        opening: Workers,
        pool: Workers,
        metrics: Metrics,
        settings: LiveSettings,
    ) -> None:
        self._matching = matching
        self._deployments = deployments
        self._model = model
        self._opening = opening
        self._pool = pool
        self._metrics = metrics
        self._settings = settings
        self._streams: set[LiveStream] = set()
        self._ending: set[asyncio.Task[None]] = set()
        self._draining = False

    async def Stream(
        self,
        request_iterator: AsyncIterator[live_pb2.StreamRequest],
        context: Any,
    ) -> AsyncIterator[live_pb2.StreamResponse]:
        """Serve one camera."""
        opening = await _opening(request_iterator)
        session = await self._open(caller(), opening)
        stream = LiveStream(
            session,
            opening,
            self._deployments,
            self._pool,
            self._metrics,
            self._model,
            self._settings.queue_frames,
        )
        task = stream.start(request_iterator)
        self._streams.add(stream)
        self._keep(task)
        if self._draining:  # the stop came while the session was being opened
            stream.drain()
        try:
            async for answer in stream.answers():
                yield answer
        finally:
            # Reached by a client that has gone, too; the worker then ends by itself.
            stream.vanish()
            self._streams.discard(stream)

    async def _open(self, actor: Actor, opening: live_pb2.StreamOpen) -> LiveSession:
        deployment = names.last_id(names.DEPLOYMENT, opening.deployment)
        opened = asyncio.ensure_future(
            self._opening.run(self._matching.open_stream, actor, deployment, opening.camera_id)
        )
        try:
            return await asyncio.shield(opened)
        except asyncio.CancelledError:
            # The client left while its session was being opened: it is closed again as soon as it is there.
            self._keep(asyncio.create_task(self._abandon(opened)))
            raise

    async def _abandon(self, opened: asyncio.Future[LiveSession]) -> None:
        # Where it was never opened, or its end could not be logged, nobody is left to tell.
        with contextlib.suppress(FrsError):
            await self._pool.run((await opened).finish, VANISHED)

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    def drain(self) -> None:
        """Ask every stream to finish what it holds and end."""
        self._draining = True
        for stream in self._streams:
            stream.drain()

    def heed(self, refusal: FrsError | None) -> None:
        """End every stream when the service may answer nobody: frames that were taken are finished and counted."""
        if refusal is not None:
            for stream in self._streams:
                stream.refuse(refusal)

    async def settled(self) -> None:
        """Return when every session has been finished and logged."""
        while self._ending:
            await asyncio.wait(self._ending)


async def _opening(requests: AsyncIterator[live_pb2.StreamRequest]) -> live_pb2.StreamOpen:
    async for request in requests:
        if request.WhichOneof("message") == "open":
            return request.open
        break
    raise FrsError(Reason.STREAM_PROTOCOL, "the first message opens the stream")
