"""Closer looks at a case: why the system proposes somebody, and the frame in which nobody is hidden."""

from __future__ import annotations

from frs.review.explanations import Explanations
from frs.review.unblurring import Unblurring
from frs.server import names
from frs.server.caller import caller
from frs.server.conversions.cases import explanation_message
from frs.server.workers import Workers
from frs.v1 import review_pb2


class CaseLooking:
    """Explains and unblurs; both rooms log it before it is answered.

    A map of regions takes the time of many faces, and so runs on threads apart from those of requests.
    """

    def __init__(self, explanations: Explanations, unblurring: Unblurring, workers: Workers, maps: Workers) -> None:
        self._explanations, self._unblurring = explanations, unblurring
        self._workers, self._maps = workers, maps

    async def explain(self, request: review_pb2.ExplainCaseRequest) -> review_pb2.Explanation:
        """Return figures and sentences, with the map when it was asked for."""
        case, subject = names.last_id(names.CASE, request.name), names.optional_id(names.SUBJECT, request.subject)
        pool = self._maps if request.with_saliency else self._workers
        made = await pool.run(self._explanations.explain, caller(), case, subject, request.with_saliency)
        return explanation_message(made)

    async def unblur(self, request: review_pb2.UnblurFrameRequest) -> review_pb2.UnblurFrameResponse:
        """Return the frame."""
        case = names.last_id(names.CASE, request.name)
        frame = await self._workers.run(self._unblurring.frame, caller(), case, request.reason.strip())
        return review_pb2.UnblurFrameResponse(frame_image_jpeg=frame)
