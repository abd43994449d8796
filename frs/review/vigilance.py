"""Vigilance checks: known pairs in the reviewers' queue, so that it shows whether people look.

For each alert a check is due with the probability ``vigilance_rate`` of its deployment. It enters the queue on its own
a random while later (``review.vigilance_delay_seconds``), so that its time says nothing: two cases at one instant would
say which is which. Promises:

- nothing that a reviewer sees before, while or after deciding tells it from an alert (:mod:`frs.review.vigilance_facts`
  and, as time goes on, :meth:`Vigilance.age`);
- it never delays a red alert: it is never red itself, none enters while a red one is open, and none is handed out while
  a red one waits (:mod:`frs.review.queue`);
- it is no alert: no officer, feed, count, cooldown or figure of the system's use hears of it.

Checks that are due are remembered in memory alone: a restart forgets them, and makes the rate a little lower.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.match.alerting import RaisedAlert
from frs.match.deployment import DeploymentState, state_of
from frs.review.case import OPEN, CaseKind
from frs.review.cases import Cases, Settled
from frs.review.queue import URGENCY
from frs.review.vigilance_facts import CheckFacts
from frs.settings import Settings
from frs.store.database import Database, Transaction
from frs.store.schema import deployment, deployment_watchlist, review_case, subject, vigilance_pair
from frs.store.schema import review_decision as work
from frs.types import Actor, Event, Json, Mode, ModelInfo, References
from frs.watchlist.registry import Watchlists
from frs.watchlist.searchable import SearchableList

_MOST_DUE = 1000
"""Checks that wait for their time at once; more are not drawn."""
_PAIR = ("id", "matching", "nominal", "score", "model", "profile", "probe_quality", "reference_quality")


@dataclass(frozen=True, slots=True)
class _Due:
    deployment: str
    at: datetime
    until: datetime
    """It is given up then: a red alert was open all the time."""


class Vigilance:
    """Draws checks, opens them, and says what was decided. Thread-safe."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        cases: Cases,
        watchlists: Watchlists,
        model: ModelInfo,
        settings: Settings,
        clock: Clock,
        chance: random.Random | None = None,
    ) -> None:
        """``chance`` is where all chance comes from; the machine's own by default."""
        self._database, self._audit, self._cases, self._watchlists = database, audit, cases, watchlists
        self._review, self._clock = settings.review, clock
        self._chance = chance or random.SystemRandom()
        self._facts = CheckFacts(model, settings.review.keep_frame, self._chance)
        self._lock = threading.Lock()
        self._due: list[_Due] = []
        self.on_due: Callable[[], None] = lambda: None
        """Called when another check has become due, so that whoever waits for the next looks at the time again."""

    def alert_raised(self, tx: Transaction, raised: RaisedAlert) -> None:
        """Draw whether a check is due; told of every alert within its transaction."""
        query = sa.select(deployment.c.vigilance_rate).where(deployment.c.id == raised.deployment)
        rate = tx.connection.scalar(query) or 0.0
        if rate > 0.0 and self._chance.random() < rate:
            tx.after_commit(lambda: self._plan(raised.deployment, raised.raised_at))

    @property
    def due(self) -> int:
        """How many checks wait for their time."""
        with self._lock:
            return len(self._due)

    def look(self) -> float | None:
        """Open the checks whose time has come. Returns seconds until the next, None when none is due.

        What fails is given up: raises FrsError LOG_UNAVAILABLE, STORAGE_FULL, STORAGE_FAILED.
        """
        now = self._clock.now()
        with self._lock:
            ripe = [each for each in self._due if each.at <= now]
            self._due = [each for each in self._due if each.at > now]
        for each in ripe:
            self._open(each, now)
        with self._lock:
            return min((each.at - now).total_seconds() for each in self._due) if self._due else None

    def decided(self, tx: Transaction, settled: Settled) -> None:
        """Log what reviewers decided on a check; told of every settled case within its transaction."""
        if settled.kind is CaseKind.VIGILANCE:
            self._log_decisions(tx, settled.case_id, str(settled.decision))

    def closed(self, tx: Transaction, case_id: str, kind: CaseKind, alert_id: str | None, why: str) -> None:  # noqa: ARG002  # as every listener
        """Log what one of two reviewers decided on a check that was closed before the other did."""
        if kind is CaseKind.VIGILANCE:
            self._log_decisions(tx, case_id, why)

    def pair_removed(self, tx: Transaction, pair_id: str) -> None:
        """Close the checks that show a pair whose pictures are destroyed, as an erased alert's case is."""
        case = review_case.c
        showing = sa.select(case.id).where(case.pair_id == pair_id, case.state.in_([str(state) for state in OPEN]))
        for name in tx.connection.scalars(showing).all():
            self._cases.close_unreviewed(tx, case_id=name)

    # --- inside ---

    def _plan(self, where: str, raised_at: datetime) -> None:
        due = _Due(where, self._later(raised_at), raised_at + timedelta(seconds=self._review.stale_seconds))
        with self._lock:
            if len(self._due) < _MOST_DUE:
                self._due.append(due)
        self.on_due()

    def _later(self, instant: datetime) -> datetime:
        return instant + timedelta(seconds=self._chance.uniform(0.0, self._review.vigilance_delay_seconds))

    def _open(self, due: _Due, now: datetime) -> None:
        with self._database.read() as connection:
            listed = deployment_watchlist.c
            names = connection.scalars(
                sa.select(listed.watchlist_id).where(listed.deployment_id == due.deployment)
            ).all()
        lists = self._watchlists.matchable(names, Mode.LIVE)
        if self._database.write(lambda tx: self._enter(tx, due.deployment, lists, now)):
            return
        again = self._later(max(now, due.at + timedelta(seconds=1)))
        if again < due.until:
            with self._lock:
                self._due.append(_Due(due.deployment, again, due.until))

    def _enter(self, tx: Transaction, where: str, lists: Sequence[SearchableList], now: datetime) -> bool:
        """Open a check; False when it must wait for a red alert, True when it was opened or never can be."""
        stands = tx.connection.execute(
            sa.select(deployment.c.state, deployment.c.starts_at, deployment.c.ends_at).where(deployment.c.id == where)
        ).one()
        if state_of(stands.state, stands.starts_at, stands.ends_at, now) is not DeploymentState.RUNNING:
            return True
        if _a_red_case_is_open(tx.connection):
            return False
        pair = self._choose(tx.connection)
        shown = None if pair is None else self._facts.draw(tx.connection, where, pair, lists, now)
        if pair is None or shown is None:
            return True
        candidate = shown.candidate
        case = self._cases.open_check(
            tx,
            pair_id=pair.id,
            deployment=where,
            watchlist=candidate.watchlist,
            grading=candidate.grading,
            shown=shown.as_json(),
            now=now,
        )
        said: dict[str, Json] = {
            "case": case,
            "pair": pair.id,
            "matching": pair.matching,
            "score": pair.score,
            "scored_by": pair.model,
            "shown": shown.as_json(),
        }
        self._audit.append(tx, Event(Action.VIGILANCE_RAISED, Actor.system(), References(deployment=where), said))
        return True

    def _choose(self, connection: sa.Connection) -> sa.Row[Any] | None:
        """Return one of the pairs that were shown least, at random; none that waits already or that a list names."""
        pair, case = vigilance_pair.c, review_case.c
        waiting = sa.select(case.pair_id).where(case.pair_id.is_not(None), case.state.in_([str(s) for s in OPEN]))
        listed = sa.select(subject.c.id).where(subject.c.nominal == pair.nominal, subject.c.state == "enrolled")
        shown = sa.select(sa.func.count()).where(case.pair_id == pair.id).scalar_subquery()
        usable = sa.and_(pair.removed_at.is_(None), pair.id.not_in(waiting), sa.not_(listed.exists()))
        counted = connection.execute(sa.select(pair.id, shown.label("shown")).where(usable).order_by(pair.id)).all()
        if not counted:
            return None
        least = min(each.shown for each in counted)
        chosen = self._chance.choice([each.id for each in counted if each.shown == least])
        query = sa.select(*(pair[name] for name in _PAIR)).where(pair.id == chosen)
        return connection.execute(query).one()

    def _log_decisions(self, tx: Transaction, case_id: str, ended: str) -> None:
        case = tx.connection.execute(sa.select(review_case).where(review_case.c.id == case_id)).one()
        matching = tx.connection.scalar(sa.select(vigilance_pair.c.matching).where(vigilance_pair.c.id == case.pair_id))
        made = sa.select(work).where(work.c.case_id == case_id, work.c.decided_at.is_not(None))
        decisions: list[Json] = [
            {
                "reviewer": each.reviewer,
                "decision": each.decision,
                "right": each.decision == ("true" if matching else "false"),
                "look_seconds": each.look_seconds,
            }
            for each in tx.connection.execute(made.order_by(work.c.decided_at, work.c.reviewer))
        ]
        if not decisions:
            return
        said: dict[str, Json] = {"case": case_id, "pair": case.pair_id, "matching": matching, "ended": ended}
        references = References(deployment=case.deployment_id)
        event = Event(Action.VIGILANCE_DECIDED, Actor.system(), references, {**said, "decisions": decisions})
        self._audit.append(tx, event)


def _a_red_case_is_open(connection: sa.Connection) -> bool:
    case = review_case.c
    red = sa.and_(case.urgency == URGENCY["red"], case.state.in_([str(state) for state in OPEN]))
    return connection.scalar(sa.select(case.id).where(red, case.kind == str(CaseKind.ALERT)).limit(1)) is not None
