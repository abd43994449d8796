"""``OperatorService``."""

from __future__ import annotations

from typing import Any

from frs.match.operator import OperatorSearches
from frs.match.outcomes import OperatorSearch, OutcomeState
from frs.server import names
from frs.server.caller import caller
from frs.server.consultations import Consultations
from frs.server.conversions.common import watchlist_ids
from frs.server.conversions.operator import identify_message, outcome, outcome_state, search_message
from frs.server.paging import page_size
from frs.server.workers import Workers
from frs.types import Actor, Json, Page, Role
from frs.v1 import operator_pb2, operator_pb2_grpc


class OperatorServicer(operator_pb2_grpc.OperatorServiceServicer):
    """Answers officers and takes the outcomes they owe."""

    def __init__(self, searches: OperatorSearches, consultations: Consultations, workers: Workers) -> None:
        self._searches = searches
        self._consultations = consultations
        self._workers = workers

    async def Identify(self, request: operator_pb2.IdentifyRequest, context: Any) -> operator_pb2.IdentifyResponse:
        """Search one photograph."""
        result = await self._workers.run(
            self._searches.identify,
            caller(),
            request.photograph,
            request.reason.strip(),
            request.legal_power.strip(),
            request.device.strip(),
            watchlist_ids(request.watchlists),
            request.max_candidates,
        )
        return identify_message(result)

    async def RecordOutcome(
        self, request: operator_pb2.RecordOutcomeRequest, context: Any
    ) -> operator_pb2.OperatorSearch:
        """Record what the officer decided."""
        recorded = await self._workers.run(
            self._searches.record_outcome,
            caller(),
            names.last_id(names.SEARCH, request.name),
            str(outcome(request.outcome)),
            request.reason.strip(),
        )
        return search_message(recorded)

    async def ListSearches(
        self, request: operator_pb2.ListSearchesRequest, context: Any
    ) -> operator_pb2.ListSearchesResponse:
        """Return the caller's own; oversight sees all, unless it is limited. Reading is logged."""
        page, owed = await self._workers.run(
            self._read,
            caller(),
            page_size(request.page_size),
            request.page_token,
            outcome_state(request.outcome_state),
        )
        return operator_pb2.ListSearchesResponse(
            searches=[search_message(item) for item in page.items], next_page_token=page.next_token, owed_count=owed
        )

    def _read(
        self, actor: Actor, size: int, token: str, state: OutcomeState | None
    ) -> tuple[Page[OperatorSearch], int]:
        everyone = Role.OVERSIGHT in actor.roles and actor.scope.unlimited
        page, owed = self._searches.list(actor, everyone, size, token, state)
        asked: dict[str, Json] = {"state": state, "everyone": everyone, "first_page": not token}
        self._consultations.searches(actor, page.items, asked)
        return page, owed
