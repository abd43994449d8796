"""``VigilanceService``: the set of known pairs that enter the reviewers' queue, against rubber-stamping."""

from __future__ import annotations

from typing import Any

from frs.review.vigilance_pairs import VigilancePairs
from frs.server import names
from frs.server.caller import caller
from frs.server.conversions.vigilance import pair_draft, pair_message
from frs.server.paging import page_size
from frs.server.workers import Workers
from frs.v1 import vigilance_pb2, vigilance_pb2_grpc


class VigilanceServicer(vigilance_pb2_grpc.VigilanceServiceServicer):
    """Adds, lists and removes pairs."""

    def __init__(self, pairs: VigilancePairs, workers: Workers) -> None:
        self._pairs, self._workers = pairs, workers

    async def AddPair(self, request: vigilance_pb2.AddPairRequest, context: Any) -> vigilance_pb2.VigilancePair:
        """Add one."""
        added = await self._workers.run(
            self._pairs.add, caller(), pair_draft(request.pair), request.probe, request.reference
        )
        return pair_message(added)

    async def ListPairs(self, request: vigilance_pb2.ListPairsRequest, context: Any) -> vigilance_pb2.ListPairsResponse:
        """Return a page of them, newest first. Reading is logged."""
        page = await self._workers.run(self._pairs.list, caller(), page_size(request.page_size), request.page_token)
        return vigilance_pb2.ListPairsResponse(
            pairs=[pair_message(item) for item in page.items], next_page_token=page.next_token
        )

    async def RemovePair(self, request: vigilance_pb2.RemovePairRequest, context: Any) -> vigilance_pb2.VigilancePair:
        """Destroy both pictures."""
        name = names.last_id(names.PAIR, request.name)
        return pair_message(await self._workers.run(self._pairs.remove, caller(), name, request.reason.strip()))
