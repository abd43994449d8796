"""Operator-initiated searches: one photograph of one person, answered at once.

The answer is ranked candidates with their explanation, or an explicit "no match"; the officer reviews them and owes
an outcome (:mod:`frs.match.outcomes`). The event and the record of the search are committed in one transaction
before the answer is given: a search that cannot be logged does not answer. A search that was refused (no face, no
list that may be searched, ...) is logged as a refusal.

The photograph, its pixels and the template are overwritten or let go when the answer is ready. Only where policy says
so (``operator.keep_matched_probe``) is the face of a *matched* probe kept, as a sealed crop, until the outcome is
recorded. Of a search without candidates nothing about the face remains but its quality.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from frs.access.scoping import watchlists_within
from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.embed.decoding import encode_jpeg
from frs.embed.engine import Analysis, FaceEngine
from frs.errors import FrsError, Reason
from frs.index.galleries import Galleries
from frs.match.candidate_records import candidate_json, nominals, versions
from frs.match.outcomes import OperatorSearch, Outcomes, OutcomeState
from frs.match.probe_search import ProbeSearch, overwrite
from frs.match.standing import standing
from frs.settings import Settings
from frs.store.database import Database
from frs.store.schema import operator_search, watchlist
from frs.store.transaction import Transaction
from frs.store.vault import Vault
from frs.types import Actor, Candidate, Event, Face, Json, ListVersion, Mode, Page, Quality, References, Scope, new_id
from frs.watchlist.registry import Watchlists
from frs.watchlist.searchable import SearchableList

# What keeps one list out of a search of all of them: it has no authority, or nothing to search with this model.
_LEFT_OUT = frozenset(
    {
        Reason.WATCHLIST_NOT_ACTIVE,
        Reason.WATCHLIST_NOT_FOUND,
        Reason.WATCHLIST_EXPIRED,
        Reason.WATCHLIST_EMPTY,
        Reason.THRESHOLD_MISSING,
        Reason.THRESHOLD_OTHER_MODEL,
        Reason.TEMPLATES_OTHER_MODEL,
    }
)

_OTHER_MODEL = frozenset({Reason.THRESHOLD_OTHER_MODEL, Reason.TEMPLATES_OTHER_MODEL})


@dataclass(frozen=True, slots=True)
class IdentifyResult:
    """The answer to an officer."""

    search: str
    box: tuple[float, float, float, float]
    """The face that was searched, pixels of the upright picture."""
    quality: Quality
    candidates: tuple[Candidate, ...]
    """Ranked; empty is an explicit "no match"."""
    references: Mapping[str, bytes]
    """JPEG of each candidate's reference face, by reference id."""
    searched: tuple[ListVersion, ...]
    left_out: Mapping[str, Reason]
    """Why other active lists were not searched, by list; empty when lists were named."""
    outcome_owed: bool
    outcomes_owed: int
    """The officer's searches without their owed outcome, this one included."""
    notice: str

    @property
    def matched(self) -> bool:
        """Whether anybody was found."""
        return bool(self.candidates)


@dataclass(frozen=True, slots=True)
class _Request:
    """Who asks, why, on what power, with what."""

    search: str
    actor: Actor
    reason: str
    legal_power: str
    device: str

    def payload(self) -> dict[str, Json]:
        return {"reason": self.reason, "legal_power": self.legal_power, "device": self.device}


class OperatorSearches:
    """Answers officers and keeps what they owe; safe in threads."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: AuditLog,
        galleries: Galleries,
        watchlists: Watchlists,
        engine: FaceEngine,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._database, self._vault, self._audit, self._clock = database, vault, audit, clock
        self._watchlists, self._engine, self._settings = watchlists, engine, settings
        self._probes = ProbeSearch(galleries, watchlists, engine)
        self._outcomes = Outcomes(database, vault, audit, clock)

    def identify(
        self,
        actor: Actor,
        photograph: bytes,
        reason: str,
        legal_power: str,
        device: str,
        watchlists: Sequence[str],
        max_candidates: int,
    ) -> IdentifyResult:
        """Search one photograph; no ``watchlists`` means every active list with a valid operator threshold.

        ``max_candidates`` 0 is the setting, which is also the most. Raises FrsError: what decoding raises, NO_FACE,
        SEVERAL_FACES, FACE_QUALITY_TOO_LOW, WATCHLIST_NOT_ACTIVE when no list is left to search (THRESHOLD_OTHER_MODEL,
        TEMPLATES_OTHER_MODEL when that is why) and what keeps a named list from being searched,
        OVERLOADED, INDEX_UNAVAILABLE, LOG_UNAVAILABLE, STORAGE_FULL, STORAGE_FAILED.
        """
        request = _Request(new_id(), actor, reason, legal_power, device)
        most = self._settings.operator.max_candidates
        try:
            lists, left_out = self._lists(actor.scope, watchlists)
            analysis = self._engine.analyse(photograph)
            try:
                face = self._one_face(analysis)
                found = self._probes.faces([face], lists, min(max_candidates or most, most))
                references = found.references()
                kept = self._crop(analysis, face) if found.all_candidates else None
            finally:
                overwrite(analysis)
        except FrsError as error:
            self._log_refusal(request, watchlists, error)
            raise
        payload = self._payload(request, lists, left_out, face.quality)
        if found.all_candidates:
            # Commits to the input that led to a match; keyed, so that nobody can test a picture against the log.
            payload["probe"] = self._vault.pseudonym("probe", hashlib.sha256(photograph).hexdigest())
        proposed = found.all_candidates
        candidates, owed = self._database.write(lambda tx: self._commit(tx, request, lists, proposed, payload, kept))
        return IdentifyResult(
            search=request.search,
            box=face.box,
            quality=face.quality,
            candidates=candidates,
            references={e.reference: references[e.reference] for e in candidates if e.reference in references},
            searched=versions(lists),
            left_out=left_out,
            outcome_owed=bool(candidates),
            outcomes_owed=owed,
            notice=self._engine.model.notice,
        )

    def record_outcome(self, actor: Actor, search: str, outcome: str, reason: str) -> OperatorSearch:
        """Record what the officer decided; see :meth:`frs.match.outcomes.Outcomes.record`."""
        return self._outcomes.record(actor, search, outcome, reason)

    def list(
        self, actor: Actor, everyone: bool, page_size: int, page_token: str, state: str | None = None
    ) -> tuple[Page[OperatorSearch], int]:
        """List searches, newest first; see :meth:`frs.match.outcomes.Outcomes.list`."""
        return self._outcomes.list(actor, everyone, page_size, page_token, state)

    def _lists(self, scope: Scope, named: Sequence[str]) -> tuple[tuple[SearchableList, ...], dict[str, Reason]]:
        """Return the lists within the scope to search and, when none was named, why others were left out."""
        if named:
            return self._watchlists.searchable(named, Mode.OPERATOR, scope), {}
        within = sa.and_(watchlist.c.state == "active", watchlists_within(scope, watchlist.c.id))
        with self._database.read() as connection:
            active = connection.scalars(sa.select(watchlist.c.id).where(within).order_by(watchlist.c.id)).all()
        lists: list[SearchableList] = []
        left_out: dict[str, Reason] = {}
        other_model: FrsError | None = None
        for name in active:
            try:
                lists += self._watchlists.searchable([name], Mode.OPERATOR)
            except FrsError as error:
                if error.reason not in _LEFT_OUT:
                    raise
                left_out[name] = error.reason
                if error.reason in _OTHER_MODEL:
                    other_model = other_model or error
        if not lists and other_model is not None:
            raise other_model
        if not lists:
            raise FrsError(Reason.WATCHLIST_NOT_ACTIVE, "No active watchlist may be searched in operator mode.")
        return tuple(lists), left_out

    def _one_face(self, analysis: Analysis) -> Face:
        """Return the face the photograph is of: the only one, or one that dominates the others."""
        faces = analysis.faces
        if not faces:
            raise FrsError(Reason.NO_FACE, "No face was found in the photograph.")
        if len(faces) > 1 and _area(faces[0]) < self._settings.operator.dominant_face_ratio * _area(faces[1]):
            raise FrsError(Reason.SEVERAL_FACES, f"The photograph shows {len(faces)} faces.", faces=str(len(faces)))
        if not faces[0].quality.usable:
            reasons = ", ".join(faces[0].quality.reasons)
            raise FrsError(Reason.FACE_QUALITY_TOO_LOW, f"The face cannot be searched: {reasons}.", reasons=reasons)
        return faces[0]

    def _crop(self, analysis: Analysis, face: Face) -> bytes | None:
        if not self._settings.operator.keep_matched_probe:
            return None
        return encode_jpeg(analysis.portrait(face))

    def _payload(
        self, request: _Request, lists: Sequence[SearchableList], left_out: Mapping[str, Reason], quality: Quality
    ) -> dict[str, Json]:
        return {
            **request.payload(),
            "searched": self._probes.searched(lists),
            "left_out": {**left_out},
            "model": self._engine.model.id,
            "profile": self._engine.model.profile,
            "quality": quality.as_json(),
        }

    def _commit(
        self,
        tx: Transaction,
        request: _Request,
        lists: Sequence[SearchableList],
        proposed: Sequence[Candidate],
        payload: dict[str, Json],
        kept: bytes | None,
    ) -> tuple[tuple[Candidate, ...], int]:
        """Record and log the search; returns who may be shown and how many outcomes the officer owes."""
        (candidates,) = standing(tx.connection, [proposed], self._clock.now())
        if not candidates:
            kept = None
            payload = {key: value for key, value in payload.items() if key != "probe"}
        written = [candidate_json(candidate) for candidate in candidates]
        tx.connection.execute(
            operator_search.insert().values(
                id=request.search,
                officer=request.actor.name,
                reason=request.reason,
                legal_power=request.legal_power,
                device=request.device,
                created_at=self._clock.now(),
                candidates=written,
                outcome=OutcomeState.OWED if candidates else OutcomeState.NONE_OWED,
                probe_sealed=None if kept is None else self._vault.seal(f"search:{request.search}", kept),
            )
        )
        references = References(versions(lists), nominals(candidates), search=request.search)
        payload = {**payload, "candidates": [*written]}
        self._audit.append(tx, Event(Action.OPERATOR_SEARCH, request.actor, references, payload))
        return candidates, self._outcomes.owed(tx.connection, request.actor.name)

    def _log_refusal(self, request: _Request, watchlists: Sequence[str], error: FrsError) -> None:
        payload: dict[str, Json] = {**request.payload(), "watchlists": [*watchlists], "refused": error.reason}
        event = Event(Action.OPERATOR_REFUSED, request.actor, References(search=request.search), payload)
        self._database.write(lambda tx: self._audit.append(tx, event))


def _area(face: Face) -> float:
    x1, y1, x2, y2 = face.box
    return (x2 - x1) * (y2 - y1)
