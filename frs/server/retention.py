"""``RetentionService``: periods, the plan, runs and holds. What it reads out of the records is logged first."""

from __future__ import annotations

from typing import Any

from frs.audit.actions import Action
from frs.clock import Clock
from frs.retention.holds import Hold, Holds
from frs.retention.periods import periods
from frs.retention.plan import Plan, Planning
from frs.retention.policy_book import PolicyBook
from frs.retention.runs import RetentionRuns
from frs.server import names
from frs.server.caller import caller
from frs.server.conversions.retention import hold_message, period_message, plan_message, run_message
from frs.server.erasure import ErasureMethods, PersonRights
from frs.server.instants import instant, optional_instant, stamp
from frs.server.journal import Journal
from frs.server.paging import page_size
from frs.server.waiting import Stopping
from frs.server.workers import Workers
from frs.settings import RetentionSettings
from frs.types import Actor, Json, Page, References
from frs.v1 import retention_pb2 as pb
from frs.v1 import retention_pb2_grpc


class RetentionServicer(ErasureMethods, retention_pb2_grpc.RetentionServiceServicer):
    """Shows what is kept for how long, destroys what is due, and keeps holds."""

    def __init__(
        self,
        settings: RetentionSettings,
        policy: PolicyBook,
        planning: Planning,
        runs: RetentionRuns,
        holds: Holds,
        rights: PersonRights,
        journal: Journal,
        workers: Workers,
        waiting: Workers,
        stopping: Stopping,
        clock: Clock,
    ) -> None:
        self._settings, self._policy, self._planning, self._runs = settings, policy, planning, runs
        self._holds, self._rights, self._journal, self._clock = holds, rights, journal, clock
        self._workers, self._waiting, self._stopping = workers, waiting, stopping

    async def GetRetentionPolicy(self, request: pb.GetRetentionPolicyRequest, context: Any) -> pb.RetentionPolicy:
        """Return the periods in force; nothing of it is about anybody."""
        return pb.RetentionPolicy(
            version=self._policy.version,
            since=stamp(self._policy.since),
            periods=[period_message(period) for period in periods(self._settings)],
        )

    async def PlanRetention(self, request: pb.PlanRetentionRequest, context: Any) -> pb.PlanRetentionResponse:
        """Return what will go and when."""
        return plan_message(await self._workers.run(self._plan, caller(), request))

    async def RunRetention(self, request: pb.RunRetentionRequest, context: Any) -> pb.RetentionRun:
        """Destroy what is due; a run that takes long ends early when the service stops."""
        return run_message(await self._waiting.run(self._runs.run, caller(), lambda: self._stopping.begun))

    async def PlaceHold(self, request: pb.PlaceHoldRequest, context: Any) -> pb.Hold:
        """Keep something beyond its period."""
        placed = await self._workers.run(
            self._holds.place,
            caller(),
            request.target.strip(),
            request.reason.strip(),
            request.owner.strip(),
            instant(request.end_time),
        )
        return hold_message(placed, self._clock.now())

    async def ReleaseHold(self, request: pb.ReleaseHoldRequest, context: Any) -> pb.Hold:
        """End a hold before its end."""
        name = names.last_id(names.HOLD, request.name)
        released = await self._workers.run(self._holds.release, caller(), name, request.reason.strip())
        return hold_message(released, self._clock.now())

    async def ListHolds(self, request: pb.ListHoldsRequest, context: Any) -> pb.ListHoldsResponse:
        """Return a page of holds, newest first."""
        page = await self._workers.run(self._list_holds, caller(), request)
        now = self._clock.now()
        return pb.ListHoldsResponse(
            holds=[hold_message(each, now) for each in page.items], next_page_token=page.next_token
        )

    def _plan(self, actor: Actor, request: pb.PlanRetentionRequest) -> Plan:
        until = optional_instant(request.until, request.HasField("until"))
        plan = self._planning.plan(until, page_size(request.page_size), request.page_token)
        said: dict[str, Json] = {
            "asked": "plan",
            "until": plan.until.isoformat(),
            "shown": len(plan.page.items),
        }
        self._journal.record(actor, Action.RETENTION_READ, said)
        return plan

    def _list_holds(self, actor: Actor, request: pb.ListHoldsRequest) -> Page[Hold]:
        page = self._holds.list(request.all, page_size(request.page_size), request.page_token)
        said: dict[str, Json] = {"asked": "holds", "all": request.all, "shown": len(page.items)}
        people = tuple(each.target for each in page.items if each.names_a_person)
        self._journal.record(actor, Action.RETENTION_READ, said, References(subjects=people))
        return page
