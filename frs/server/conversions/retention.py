"""Periods, the plan, runs and holds."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from frs.retention.due import SOURCES
from frs.retention.holds import Hold
from frs.retention.periods import Period
from frs.retention.plan import Count, Item, Plan
from frs.retention.runs import Run
from frs.server import names
from frs.server.instants import stamp
from frs.v1 import retention_pb2 as pb


def period_message(period: Period) -> pb.RetentionPeriod:
    """Return how long a kind of thing is kept."""
    return pb.RetentionPeriod(
        kind=period.kind, hours=period.hours, runs_from=period.runs_from, what_happens=period.what_happens
    )


def plan_message(plan: Plan) -> pb.PlanRetentionResponse:
    """Return a page of the plan with the counts of all of it."""
    return pb.PlanRetentionResponse(
        items=[_item_message(item) for item in plan.page.items],
        next_page_token=plan.page.next_token,
        counts=[_count_message(count) for count in plan.counts],
    )


def run_message(run: Run) -> pb.RetentionRun:
    """Return what a run destroyed, by kind; what it counts beside the kinds follows them."""
    counts: Mapping[str, int] = {**{str(kind): run.counts.get(kind, 0) for kind in SOURCES}, **run.counts}
    return pb.RetentionRun(
        time=stamp(run.time),
        policy_version=run.policy,
        counts=[pb.RetentionCount(kind=kind, due=count) for kind, count in counts.items()],
        event="" if run.seq is None else names.make(names.EVENT, str(run.seq)),
    )


def hold_message(value: Hold, now: datetime) -> pb.Hold:
    """Return a hold as it stands at ``now``."""
    return pb.Hold(
        name=names.make(names.HOLD, value.id),
        target=value.target_name,
        reason=value.reason,
        owner=value.owner,
        end_time=stamp(value.ends_at),
        place_time=stamp(value.placed_at),
        placed_by=value.placed_by,
        release_time=stamp(value.released_at),
        released_by=value.released_by or "",
        release_reason=value.release_reason or "",
        in_force=value.in_force(now),
    )


def _item_message(item: Item) -> pb.RetentionItem:
    held = "" if item.hold is None else names.make(names.HOLD, item.hold)
    return pb.RetentionItem(kind=item.kind, name=item.name, due_time=stamp(item.due), hold=held)


def _count_message(count: Count) -> pb.RetentionCount:
    return pb.RetentionCount(kind=count.kind, due=count.due, held=count.held)
