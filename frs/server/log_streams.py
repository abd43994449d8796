"""Streams of the log: exports, which prove what they give, and watching, which gives what is new as it comes.

Both go at the client's pace: the next batch is read when gRPC has taken the last one, and between two batches nothing
is held. An export that is cut short by the server's stop says with which index and tree to go on. A watch is logged
when it begins and when it ends, never for what it gives: it would log about its own events for ever.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence

from frs.audit.actions import Action
from frs.audit.export import Export, ExportedEvent, ExportRequest, LogExports
from frs.audit.log import AuditLog, EventFilter, StoredEvent
from frs.errors import FrsError, Reason
from frs.server.conversions.oversight import checkpoint_message, event_message
from frs.server.journal import Journal
from frs.server.log_reading import whom
from frs.server.ringing import listening
from frs.server.waiting import Stopping
from frs.server.workers import Workers
from frs.types import Actor, Json
from frs.v1 import oversight_pb2

WATCH_BATCH = 200


class LogStreams:
    """What ExportEvents and WatchEvents send."""

    def __init__(
        self, exports: LogExports, audit: AuditLog, journal: Journal, waiting: Workers, stopping: Stopping
    ) -> None:
        self._exports = exports
        self._audit = audit
        self._journal = journal
        self._waiting = waiting
        self._stopping = stopping
        self._bell = _LogBell(audit)

    async def export(
        self, actor: Actor, asked: ExportRequest
    ) -> AsyncGenerator[oversight_pb2.ExportEventsResponse, None]:
        """Send the checkpoint, then the events.

        Raises FrsError: EXPORT_INTERRUPTED when the server stops, and what
        :class:`frs.audit.export.LogExports` raises.
        """
        begun = await self._waiting.run(self._exports.begin, actor, asked)
        checkpoint = self._audit.read(begun.note)
        said = checkpoint_message(checkpoint, begun.note, self._audit.vkey_of(checkpoint.origin))
        yield oversight_pb2.ExportEventsResponse(checkpoint=said)
        position = asked.first_index
        while True:
            self._go_on(begun, position)
            batch = await self._waiting.run(self._exports.batch, begun, position)
            if not batch:
                return
            yield oversight_pb2.ExportEventsResponse(events=[_exported(item) for item in batch])
            position = batch[-1].event.seq + 1

    async def watch(
        self, actor: Actor, wanted: EventFilter, from_index: int | None
    ) -> AsyncGenerator[oversight_pb2.Event, None]:
        """Send the events from an index on, then each as it is appended, until the client leaves.

        Raises FrsError: INVALID_FIELD for an index beyond the log, SHUTTING_DOWN when the server stops.
        """
        first = await self._waiting.run(self._first, from_index)
        opened: dict[str, Json] = {"watch": "opened", "from": first, "filter": wanted.given()}
        await self._waiting.run(self._journal.record, actor, Action.LOG_WATCHED, opened, whom(wanted))
        position, sent = first, 0
        try:
            with listening(self._bell) as bell:
                while True:
                    self._stopping.require()
                    events, position = await self._waiting.run(self._read, wanted, position)
                    for event in events:
                        yield event_message(event)
                        sent += 1
                    if len(events) < WATCH_BATCH:
                        await self._stopping.wait_for(bell)
        finally:
            closed: dict[str, Json] = {"watch": "closed", "from": first, "until": position, "events": sent}
            await self._waiting.run(self._journal.record, actor, Action.LOG_WATCHED, closed, whom(wanted))

    def _go_on(self, export: Export, position: int) -> None:
        try:
            self._stopping.require()
        except FrsError as error:
            raise FrsError(
                Reason.EXPORT_INTERRUPTED,
                f"{error.message}: go on from event {position} of the tree of {export.proofs.size}",
                first_index=str(position),
                tree_size=str(export.proofs.size),
            ) from None

    def _first(self, from_index: int | None) -> int:
        size = self._audit.size()
        if from_index is not None and from_index > size:
            message = f"from_index must not be beyond the log, which has {size} events"
            raise FrsError(Reason.INVALID_FIELD, message, field="from_index")
        return size if from_index is None else from_index

    def _read(self, wanted: EventFilter, position: int) -> tuple[Sequence[StoredEvent], int]:
        """Return the next events and the index to go on from; everything before it has been looked at."""
        return self._exports.following(wanted, position, WATCH_BATCH)


class _LogBell:
    """The log as something that rings (:class:`frs.server.ringing.Ringing`)."""

    def __init__(self, audit: AuditLog) -> None:
        self._audit = audit

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        return self._audit.on_append(callback)


def _exported(item: ExportedEvent) -> oversight_pb2.Event:
    message = event_message(item.event)
    message.inclusion_proof.extend(item.proof)
    message.payload_json = item.payload.decode("utf-8")
    message.payload_nonce = item.nonce
    return message
