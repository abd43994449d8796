"""A reviewer's stream of work: cases as they come, as many as the reviewer says they can take.

Promises: a case is claimed for the reviewer before it is sent, so nobody else is sent it; no more are claimed than
there is credit for; one who reconnects is sent what they still hold before anything new; who disconnects loses nothing:
their claims end by themselves; what they gave back comes again only when nothing else waits. Memory is one case,
however many wait.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager

from frs.audit.actions import Action
from frs.errors import FrsError, Reason
from frs.review.case import CaseKind, ShownCase
from frs.review.cases import Cases
from frs.server import names
from frs.server.conversions.cases import case_kind, shown_message
from frs.server.journal import Journal
from frs.server.ringing import Listener, listening
from frs.server.waiting import Stopping
from frs.server.workers import Workers
from frs.types import Actor, Json, References
from frs.v1 import review_pb2

MOST_CREDIT = 8
MOST_HELD = 100
"""Cases that one who reconnects is sent again; a stream gives out eight at a time."""
MOST_REMEMBERED = 500
"""Cases that a stream remembers to have sent, so that one that was given back does not come before others."""
_GONE = frozenset(
    {
        Reason.CASE_NOT_FOUND,
        Reason.CASE_TAKEN,
        Reason.CASE_CLOSED,
        Reason.CASE_DECIDED,
        Reason.NOT_INDEPENDENT,
        Reason.ERASED,
    }
)
"""Of a case that was held: it has meanwhile ended, or somebody else has it."""


class _Credit:
    """How many cases the reviewer can take; read from their messages while cases are sent."""

    def __init__(self, first: review_pb2.WorkRequest) -> None:
        self.left = min(first.credit, MOST_CREDIT)
        self._failure: BaseException | None = None
        self._ended = False

    async def read(self, requests: AsyncIterator[review_pb2.WorkRequest], bell: Listener) -> None:
        """Add what comes until the reviewer sends no more; each message rings."""
        try:
            async for request in requests:
                if request.deployment or request.kind:
                    raise FrsError(Reason.STREAM_PROTOCOL, "the first message chooses; later ones carry credit alone")
                self.left = min(self.left + request.credit, MOST_CREDIT)
                bell.ring()
        except Exception as error:  # noqa: BLE001  # told where the answers are made
            self._failure = error
        finally:
            self._ended = True
            bell.ring()

    @property
    def used_up(self) -> bool:
        """Whether nothing is left and nothing will come. Raises what was wrong with a message."""
        if self._failure is not None:
            raise self._failure
        return self._ended and self.left == 0


class ReviewWork:
    """Gives out work."""

    def __init__(self, cases: Cases, journal: Journal, waiting: Workers, stopping: Stopping) -> None:
        self._cases, self._journal = cases, journal
        self._waiting, self._stopping = waiting, stopping

    async def serve(
        self, actor: Actor, requests: AsyncIterator[review_pb2.WorkRequest]
    ) -> AsyncGenerator[review_pb2.WorkResponse]:
        """Yield each case that the reviewer takes on; the stream's beginning and end are logged."""
        first = await anext(requests, None)
        if first is None:
            raise FrsError(Reason.STREAM_PROTOCOL, "the first message says which work is asked for")
        deployment, kind = names.optional_id(names.DEPLOYMENT, first.deployment), case_kind(first.kind)
        references = References(deployment=deployment)
        opened: dict[str, Json] = {"kind": kind, "credit": first.credit}
        await self._waiting.run(self._journal.record, actor, Action.REVIEW_WORK_OPENED, opened, references)
        sent = 0
        try:
            with listening(self._cases.bell) as bell:
                async with (
                    _reading(_Credit(first), requests, bell) as credit,
                    aclosing(self._work(actor, deployment, kind, credit, bell)) as work,
                ):
                    async for shown in work:
                        pending = await self._waiting.run(self._cases.pending, actor, deployment, kind)
                        sent += 1
                        yield review_pb2.WorkResponse(case=shown_message(shown), pending_count=pending)
        finally:
            closed: dict[str, Json] = {"cases": sent}
            await self._waiting.run(self._journal.record, actor, Action.REVIEW_WORK_CLOSED, closed, references)

    async def _work(
        self, actor: Actor, deployment: str | None, kind: CaseKind | None, credit: _Credit, bell: Listener
    ) -> AsyncGenerator[ShownCase]:
        held = deque(await self._waiting.run(self._held, actor, deployment, kind))
        sent: deque[str] = deque(maxlen=MOST_REMEMBERED)
        while not credit.used_up:
            self._stopping.require()
            shown = None
            if credit.left > 0:
                shown = await self._again(actor, held)
                if shown is None:
                    shown = await self._waiting.run(self._take, actor, deployment, kind, tuple(sent))
            if shown is None:
                await self._stopping.wait_for(bell)
                continue
            credit.left -= 1
            sent.append(shown.case.id)
            yield shown

    def _held(self, actor: Actor, deployment: str | None, kind: CaseKind | None) -> list[str]:
        """Return the cases of this work that the reviewer holds, the most urgent first.

        Whom they show is logged as each is sent.
        """
        page, _ = self._cases.list(actor, deployment=deployment, kind=kind, mine=True, page_size=MOST_HELD)
        return [case.id for case in page.items]

    async def _again(self, actor: Actor, held: deque[str]) -> ShownCase | None:
        """Return the next case that the reviewer held when the stream began and holds still, its claim extended."""
        while held:
            try:
                return await self._waiting.run(self._cases.claim, actor, held.popleft())
            except FrsError as error:
                if error.reason not in _GONE:
                    raise
        return None

    def _take(
        self, actor: Actor, deployment: str | None, kind: CaseKind | None, sent: tuple[str, ...]
    ) -> ShownCase | None:
        return self._cases.take(actor, deployment=deployment, kind=kind, behind=sent)


@asynccontextmanager
async def _reading(
    credit: _Credit, requests: AsyncIterator[review_pb2.WorkRequest], bell: Listener
) -> AsyncIterator[_Credit]:
    reader = asyncio.create_task(credit.read(requests, bell))
    try:
        yield credit
    finally:
        reader.cancel()
        await asyncio.wait({reader})
