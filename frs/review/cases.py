"""Cases: everything that people decide, from the moment it is found to its end.

Promises, each kept in one transaction with its event, or not at all:

- a case moves only along the arrows of :mod:`frs.review.case`; two people never hold one case, nobody decides twice;
- pictures are shown to who holds the case (and to oversight while it is under review), after it is logged;
- the score is withheld until the reviewer has recorded what they see (:mod:`frs.review.case_reading`);
- who had a part in how a case came about is never its only reviewer (:mod:`frs.review.independence`);
- an alert's row and feed follow its case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import sqlalchemy as sa

from frs.access.scoping import cases_within
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.match.alerting import RaisedAlert
from frs.match.bell import Bell
from frs.match.newest import LARGEST_PAGE, newest_first
from frs.review import queue
from frs.review.case import OPEN, Case, CaseKind, CaseState, Decision, Observation, ShownCase
from frs.review.case_closing import CaseClosing
from frs.review.case_desk import CaseDesk, OnClosed, OnSettled
from frs.review.case_opening import CaseOpening
from frs.review.case_reading import CaseReading
from frs.review.claims import Claims
from frs.review.deciding import Deciding
from frs.review.escalation import Escalation
from frs.review.pictures import CasePictures
from frs.review.settling import Settled
from frs.review.waiting import WaitingWork, read_waiting
from frs.settings import Settings
from frs.store.database import Database, Transaction
from frs.store.paging import page_token_decode, page_token_encode
from frs.store.schema import review_case
from frs.store.vault import Vault
from frs.types import Actor, Candidate, Json, ModelInfo, Page

__all__ = ["Cases", "Settled"]


class Cases:
    """The cases of this installation. Thread-safe.

    Every method that takes an actor raises CASE_NOT_FOUND for what is outside the actor's scope, and LOG_UNAVAILABLE,
    STORAGE_FULL or STORAGE_FAILED when what it does cannot be kept: then nothing of it happened.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: AuditLog,
        pictures: CasePictures,
        settings: Settings,
        clock: Clock,
        policy_version: Callable[[], int],
        model: ModelInfo | None = None,
    ) -> None:
        """Take the rooms below. ``model`` is the one in use: its notice goes with the candidates it found."""
        self.bell = Bell()
        """Rings after each change of a case has been committed."""
        reading = CaseReading(settings.review.withhold_score, model)
        desk = CaseDesk(database, audit, pictures, reading, settings.review, clock, policy_version, self.bell)
        self._desk, self._vault = desk, vault
        self._opening, self._claims, self._closing = CaseOpening(desk), Claims(desk), CaseClosing(desk)
        self._deciding = Deciding(desk, self._claims)
        self._escalation = Escalation(desk, self._closing, settings.operator)

    # --- what gives rise to cases -------------------------------------------------------------------------------------

    def open_alert(self, tx: Transaction, raised: RaisedAlert) -> str:
        """Open the case of an alert, in the transaction that raises it; returns its id."""
        return self._opening.alert(tx, raised)

    def open_candidates(self, tx: Transaction, job_id: str, probe_id: str, found: Sequence[Candidate]) -> str:
        """Open the case of a job's probe that found somebody, in the transaction that keeps it; returns its id."""
        return self._opening.candidates(tx, job_id, probe_id, found)

    def open_check(
        self,
        tx: Transaction,
        *,
        pair_id: str,
        deployment: str,
        watchlist: str,
        grading: str,
        shown: Mapping[str, Json],
        now: datetime,
    ) -> str:
        """Open a vigilance check; ``shown`` is what :meth:`frs.review.shown.ShownCheck.as_json` writes; returns its id.

        It escalates and goes stale as an alert does. It is not handed out while a red alert waits. What it comes to is
        told to :meth:`on_settled` and :meth:`on_closed`, and to no alert and no feed.
        """
        return self._opening.check(tx, pair_id, deployment, watchlist, grading, shown, now)

    def on_settled(self, listener: OnSettled) -> None:
        """Have every decided case told to ``listener`` in its transaction: what it raises, the decision fails with."""
        self._desk.on_settled.append(listener)

    def on_closed(self, listener: OnClosed) -> None:
        """Have every case that ends undecided told likewise: id, kind, alert id or None, ``expired``/``unreviewed``."""
        self._desk.on_closed.append(listener)

    # --- looking ------------------------------------------------------------------------------------------------------

    def list(
        self,
        actor: Actor,
        *,
        state: CaseState | None = None,
        deployment: str | None = None,
        kind: CaseKind | None = None,
        mine: bool = False,
        page_size: int = 50,
        page_token: str = "",
    ) -> tuple[Page[Case], int]:
        """Return cases without pictures, and how many wait of all that the actor may see.

        Without a state those that are open, the most urgent first; closed ones newest first. Whoever shows the page
        logs it (``review.listed``). FrsError INVALID_PAGE_TOKEN.
        """
        now = self._desk.clock.now()
        query = sa.select(review_case).where(cases_within(actor.scope), queue.of_kind(kind))
        if deployment is not None:
            query = query.where(review_case.c.deployment_id == deployment)
        if mine:
            query = query.where(queue.held_by(actor.name, now))
        fingerprint = f"cases {state or ''} {deployment or ''} {kind or ''} {actor.name if mine else ''}"
        with self._desk.database.read() as connection:
            if state is None or state in OPEN:
                query = query.where(_by_claim(now)[state])
                rows, token = _most_urgent_first(connection, query, fingerprint, page_size, page_token)
            else:
                query = query.where(review_case.c.state == str(state))
                order = (review_case.c.opened_at, review_case.c.id)
                rows, token = newest_first(connection, query, order, fingerprint, page_size, page_token)
            cases = self._desk.reading.cases(connection, rows, actor, now)
            return Page(cases, token), self._pending(connection, actor, now)

    def get(self, actor: Actor, case_id: str) -> ShownCase:
        """Return a case, logged as ``review.viewed``: with pictures for who holds it, and for oversight while open."""
        return self._claims.look_at(actor, case_id)

    def held(self, actor: Actor) -> tuple[ShownCase, ...]:
        """Return the cases that the actor holds, with pictures, the most urgent first; each logged as viewed."""
        return self._claims.held(actor)

    def pending(self, actor: Actor, deployment: str | None = None, kind: CaseKind | None = None) -> int:
        """Count the cases that wait, of all that the actor may see, or of one deployment or kind."""
        narrowed = sa.true() if deployment is None else review_case.c.deployment_id == deployment
        with self._desk.database.read() as connection:
            return self._pending(connection, actor, self._desk.clock.now(), narrowed, queue.of_kind(kind))

    def waiting(self) -> WaitingWork:
        """Count what waits for people, for whoever watches the service."""
        with self._desk.database.read() as connection:
            return read_waiting(connection, self._desk.clock.now())

    # --- working ------------------------------------------------------------------------------------------------------

    def claim(self, actor: Actor, case_id: str) -> ShownCase:
        """Take a case for ``review.claim_seconds``, or extend one's claim; logged as claimed and viewed.

        FrsError CASE_TAKEN, CASE_DECIDED by the actor, CASE_CLOSED, NOT_INDEPENDENT; ERASED without pictures.
        """
        return self._claims.claim(actor, case_id)

    def take(
        self,
        actor: Actor,
        *,
        deployment: str | None = None,
        kind: CaseKind | None = None,
        behind: Sequence[str] = (),
    ) -> ShownCase | None:
        """Claim the most urgent case that waits and that the actor may decide; None when there is none.

        Red first; within a grading what has escalated first, then the oldest; those named in ``behind`` after all
        others.
        """
        return self._claims.take(actor, deployment, kind, behind)

    def release(self, actor: Actor, case_id: str) -> Case:
        """Give a claim back without a decision; what was observed stays. FrsError CASE_NOT_CLAIMED."""
        return self._claims.release(actor, case_id)

    def observe(self, actor: Actor, case_id: str, seen: Observation) -> Case:
        """Record what the holder of a claim sees; the answer shows the score. Extends the claim.

        FrsError CASE_NOT_CLAIMED, CASE_CLOSED, OBSERVATION_RECORDED, INVALID_FIELD for fewer features than
        ``review.min_features`` or occlusions that contradict each other.
        """
        return self._deciding.observe(actor, case_id, seen)

    def decide(self, actor: Actor, case_id: str, decision: Decision, reason: str, subject: str | None = None) -> Case:
        """Record the decision of the holder of a claim; it settles the case when enough reviewers agree.

        ``subject`` is the bare id of the candidate who it is: of a candidate list decided true, and of nothing else.
        FrsError CASE_NOT_CLAIMED, CASE_DECIDED, CASE_CLOSED, OBSERVATION_REQUIRED, NOT_INDEPENDENT, INVALID_FIELD.
        """
        return self._deciding.decide(actor, case_id, decision, reason, subject)

    # --- what happens by itself ---------------------------------------------------------------------------------------

    def look(self) -> int:
        """Do what is due: end claims, expire stale alerts, escalate, tell of overdue outcomes. Returns how much."""
        return self._escalation.look()

    def close_unreviewed(
        self,
        tx: Transaction,
        *,
        alert_id: str | None = None,
        job_id: str | None = None,
        probe_id: str | None = None,
        case_id: str | None = None,
    ) -> int:
        """Close what is erased and undecided as unreviewed, and empty what reviewers wrote about any of it.

        Of an alert, of every probe of a job, of one probe, or one case (a vigilance check). Called by whoever erases,
        in that act; returns how many cases were closed.
        """
        return self._closing.unreviewed(tx, alert_id, job_id, probe_id, case_id)

    def empty_texts(self, tx: Transaction, *, probe_id: str) -> None:
        """Empty what reviewers wrote about a probe of which one person is erased: others are still to be decided."""
        self._closing.empty_texts(tx, probe_id)

    def _pending(
        self, connection: sa.Connection, actor: Actor, now: datetime, *narrowed: sa.ColumnElement[bool]
    ) -> int:
        waiting = sa.select(sa.func.count()).select_from(review_case)
        return connection.scalar(waiting.where(queue.waits(now), cases_within(actor.scope), *narrowed)) or 0


def _by_claim(now: datetime) -> dict[CaseState | None, sa.ColumnElement[bool]]:
    return {None: queue.is_open(), CaseState.PENDING: queue.waits(now), CaseState.CLAIMED: queue.held(now)}


def _most_urgent_first(
    connection: sa.Connection, query: sa.Select[tuple[object, ...]], fingerprint: str, page_size: int, page_token: str
) -> tuple[Sequence[sa.Row[tuple[object, ...]]], str]:
    last = page_token_decode(page_token, fingerprint, (int, str, str))
    if last is not None:
        place = (sa.literal(last[0]), sa.literal(_instant(str(last[1])), review_case.c.opened_at.type), str(last[2]))
        query = query.where(sa.tuple_(*queue.LISTED) > sa.tuple_(*place))
    size = max(1, min(page_size, LARGEST_PAGE))
    rows = connection.execute(query.order_by(*queue.LISTED).limit(size + 1)).all()
    if len(rows) <= size:
        return rows, ""
    end = rows[size - 1]._mapping
    return rows[:size], page_token_encode(fingerprint, [end["urgency"], end["opened_at"].isoformat(), end["id"]])


def _instant(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise FrsError(Reason.INVALID_PAGE_TOKEN, "The page token does not hold an instant.") from error
