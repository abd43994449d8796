"""Retrospective search of one still, answered at once.

Every usable face is embedded in one batch and searched in one call; faces that cannot be used are returned with the
reasons. The search's event is committed before the answer: a search that cannot be logged gives no candidates. The
picture and its templates are overwritten when the answer is ready.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.embed.engine import FaceEngine
from frs.errors import FrsError
from frs.index.galleries import Galleries
from frs.match.authority import authority_json, log_refusal, require_authority
from frs.match.candidate_records import candidate_json, nominals, versions
from frs.match.probe_search import ProbeSearch, overwrite
from frs.match.standing import standing
from frs.settings import Settings
from frs.store.database import Database
from frs.store.transaction import Transaction
from frs.types import (
    Actor,
    Candidate,
    Event,
    Face,
    Json,
    ListVersion,
    Mode,
    Quality,
    References,
    SearchAuthority,
    new_id,
)
from frs.watchlist.registry import Watchlists
from frs.watchlist.searchable import SearchableList


@dataclass(frozen=True, slots=True)
class StillFace:
    """One face of a searched still."""

    number: int
    """From 1, largest first."""
    box: tuple[float, float, float, float]
    quality: Quality
    """With reasons when the face was not searched."""
    candidates: tuple[Candidate, ...]
    """Ranked; empty is an explicit "no match"."""


@dataclass(frozen=True, slots=True)
class StillResult:
    """The answer to an investigator."""

    search: str
    faces: tuple[StillFace, ...]
    references: Mapping[str, bytes]
    """JPEG of each candidate's reference face, by reference id."""
    searched: tuple[ListVersion, ...]
    notice: str

    @property
    def matched(self) -> bool:
        """Whether any face has a candidate."""
        return any(face.candidates for face in self.faces)


class StillSearches:
    """Searches stills; safe in threads."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        galleries: Galleries,
        watchlists: Watchlists,
        engine: FaceEngine,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._database, self._audit, self._clock = database, audit, clock
        self._watchlists, self._engine = watchlists, engine
        self._probes = ProbeSearch(galleries, watchlists, engine)
        self._most = settings.retrospective.max_candidates

    def search(
        self,
        actor: Actor,
        image: bytes,
        authority: SearchAuthority,
        watchlists: Sequence[str],
        max_candidates: int,
    ) -> StillResult:
        """Search every usable face; a picture without one is answered with no match.

        ``max_candidates`` 0 is the setting, which is also the most. Raises FrsError: AUTHORISATION_EXPIRED, what keeps
        a list from being searched, what decoding raises, OVERLOADED, INDEX_UNAVAILABLE, LOG_UNAVAILABLE, STORAGE_*.
        """
        try:
            return self._search(actor, image, authority, watchlists, min(max_candidates or self._most, self._most))
        except FrsError as error:
            log_refusal(self._database, self._audit, actor, authority, watchlists, error)
            raise

    def _search(
        self, actor: Actor, image: bytes, authority: SearchAuthority, watchlists: Sequence[str], limit: int
    ) -> StillResult:
        require_authority(authority, self._clock)
        lists = self._watchlists.searchable(watchlists, Mode.RETROSPECTIVE, actor.scope)
        analysis = self._engine.analyse(image)
        try:
            usable = [face for face in analysis.faces if face.quality.usable]
            found = self._probes.faces(usable, lists, limit)
        finally:
            overwrite(analysis)
        references = found.references()
        search = new_id()

        def act(tx: Transaction) -> tuple[StillFace, ...]:
            faces = _faces(analysis.faces, standing(tx.connection, found.candidates, self._clock.now()))
            self._audit.append(tx, self._event(actor, search, authority, lists, faces))
            return faces

        faces = self._database.write(act)
        shown = {candidate.reference for face in faces for candidate in face.candidates}
        held = {reference: crop for reference, crop in references.items() if reference in shown}
        return StillResult(search, faces, held, versions(lists), self._engine.model.notice)

    def _event(
        self,
        actor: Actor,
        search: str,
        authority: SearchAuthority,
        lists: Sequence[SearchableList],
        faces: Sequence[StillFace],
    ) -> Event:
        payload: dict[str, Json] = {
            **authority_json(authority),
            "searched": self._probes.searched(lists),
            "model": self._engine.model.id,
            "profile": self._engine.model.profile,
            "faces": [
                {
                    "number": face.number,
                    "quality": face.quality.as_json(),
                    "candidates": [candidate_json(candidate) for candidate in face.candidates],
                }
                for face in faces
            ],
        }
        people = nominals(candidate for face in faces for candidate in face.candidates)
        return Event(Action.SEARCH_STILL, actor, References(versions(lists), people, search=search), payload)


def _faces(faces: Sequence[Face], candidates: Sequence[tuple[Candidate, ...]]) -> tuple[StillFace, ...]:
    """Return all faces in order, the usable ones with what was found for them."""
    results = iter(candidates)
    return tuple(
        StillFace(number, face.box, face.quality, next(results) if face.quality.usable else ())
        for number, face in enumerate(faces, 1)
    )
