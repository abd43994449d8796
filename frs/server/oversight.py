"""``OversightService``."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from frs.audit.export import ExportRequest
from frs.audit.log import AuditLog
from frs.errors import FrsError, Reason
from frs.oversight.statistics import Statistics
from frs.server import names
from frs.server.caller import caller
from frs.server.conversions.oversight import checkpoint_message, event_filter, event_message
from frs.server.conversions.statistics import statistics_message
from frs.server.instants import instant
from frs.server.log_reading import LogReading, Signed
from frs.server.log_streams import LogStreams
from frs.server.paging import page_size
from frs.server.workers import Workers
from frs.v1 import oversight_pb2, oversight_pb2_grpc
from frs.watchlist.registry import Watchlists

LEAVES_AT_ONCE = 500
"""A leaf is under 4 KiB unless a search concerned very many people; a message stays well under its limit."""


class OversightServicer(oversight_pb2_grpc.OversightServiceServicer):
    """Reads and proves the log."""

    def __init__(
        self,
        reading: LogReading,
        streams: LogStreams,
        audit: AuditLog,
        watchlists: Watchlists,
        statistics: Statistics,
        workers: Workers,
        waiting: Workers,
    ) -> None:
        self._reading = reading
        self._streams = streams
        self._statistics = statistics
        self._audit = audit
        self._watchlists = watchlists
        self._workers = workers
        self._waiting = waiting

    async def ListEvents(
        self, request: oversight_pb2.ListEventsRequest, context: Any
    ) -> oversight_pb2.ListEventsResponse:
        """Return a page of events that pass every filter."""
        subject = await self._workers.run(self._nominal, request.subject.strip())
        page = await self._workers.run(
            self._reading.events,
            caller(),
            event_filter(request, subject),
            page_size(request.page_size),
            request.page_token,
            request.newest_first,
        )
        return oversight_pb2.ListEventsResponse(
            events=[event_message(item) for item in page.items], next_page_token=page.next_token
        )

    async def GetEvent(self, request: oversight_pb2.GetEventRequest, context: Any) -> oversight_pb2.Event:
        """Return one event with its payload and its proof."""
        proven = await self._workers.run(self._reading.get, caller(), _index(request.name))
        message = event_message(proven.event)
        message.inclusion_proof.extend(proven.proof)
        message.checkpoint.CopyFrom(_checkpoint(proven.signed))
        return message

    async def GetCheckpoint(
        self, request: oversight_pb2.GetCheckpointRequest, context: Any
    ) -> oversight_pb2.Checkpoint:
        """Sign the log as it is."""
        return _checkpoint(await self._workers.run(self._reading.checkpoint, caller()))

    async def GetConsistencyProof(
        self, request: oversight_pb2.GetConsistencyProofRequest, context: Any
    ) -> oversight_pb2.ConsistencyProof:
        """Prove that one tree begins another."""
        found = await self._workers.run(self._reading.consistency, caller(), request.old_size, request.new_size)
        return oversight_pb2.ConsistencyProof(hashes=found.proof, old_root=found.old_root, new_root=found.new_root)

    async def StreamLeaves(
        self, request: oversight_pb2.StreamLeavesRequest, context: Any
    ) -> AsyncIterator[oversight_pb2.StreamLeavesResponse]:
        """Send the leaves in order, a bounded number at a time."""
        first, end = await self._waiting.run(self._reading.leaves, caller(), request.first_index, request.end_index)
        for start in range(first, end, LEAVES_AT_ONCE):
            stop = min(start + LEAVES_AT_ONCE, end)
            leaves = await self._waiting.run(self._leaves, start, stop)
            yield oversight_pb2.StreamLeavesResponse(first_index=start, leaves=leaves)

    async def WatchEvents(
        self, request: oversight_pb2.WatchEventsRequest, context: Any
    ) -> AsyncIterator[oversight_pb2.Event]:
        """Send new events as they are appended."""
        subject = await self._workers.run(self._nominal, request.filter.subject.strip())
        from_index = request.from_index if request.HasField("from_index") else None
        watched = self._streams.watch(caller(), event_filter(request.filter, subject), from_index)
        async with aclosing(watched) as events:
            async for event in events:
                yield event

    async def ExportEvents(
        self, request: oversight_pb2.ExportEventsRequest, context: Any
    ) -> AsyncIterator[oversight_pb2.ExportEventsResponse]:
        """Send proven events of one signed tree."""
        asked = ExportRequest(
            event_filter(request.filter, await self._workers.run(self._nominal, request.filter.subject.strip())),
            request.recipient.strip(),
            request.reason.strip(),
            request.with_payloads,
            request.first_index,
            request.tree_size,
        )
        async with aclosing(self._streams.export(caller(), asked)) as answers:
            async for answer in answers:
                yield answer

    async def Statistics(
        self, request: oversight_pb2.StatisticsRequest, context: Any
    ) -> oversight_pb2.StatisticsResponse:
        """Return the figures of a period."""
        found = await self._waiting.run(
            self._statistics.read,
            caller(),
            instant(request.since),
            instant(request.until),
            names.optional_id(names.DEPLOYMENT, request.deployment),
        )
        return statistics_message(found)

    def _leaves(self, start: int, stop: int) -> list[bytes]:
        return list(self._audit.leaves(start, stop))

    def _nominal(self, subject: str) -> str | None:
        if not names.matches(names.SUBJECT, subject):
            return subject or None
        nominal: str = self._watchlists.get_subject(names.last_id(names.SUBJECT, subject)).nominal
        return nominal


def _checkpoint(signed: Signed) -> oversight_pb2.Checkpoint:
    return checkpoint_message(signed.checkpoint, signed.note, signed.vkey)


def _index(name: str) -> int:
    value = names.last_id(names.EVENT, name)
    # An event has one name, without leading zeros; beyond 18 digits no index fits the database.
    if not value.isdecimal() or (value[0] == "0" and value != "0") or len(value) > 18:
        raise FrsError(Reason.EVENT_NOT_FOUND, "There is no such event: an index is a number from 0, as 7 and not 007.")
    return int(value)
