"""What may be searched now, and who was found: the questions that the three modes ask.

``searchable`` and ``matchable`` are asked for every search and every batch of a live stream: they read memory alone,
and compare the expiry with the clock each time, so an expired list stops matching at its instant.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.index.galleries import Galleries
from frs.store.database import Database
from frs.store.schema import reference_image, subject
from frs.store.vault import Vault
from frs.types import Hit, Mode, ModelInfo, Quality, Scope, Threshold
from frs.watchlist.model import SubjectState, WatchlistState
from frs.watchlist.rebuilding import CROP, Indexing, owner
from frs.watchlist.records import UNLIMITED, unknown_watchlist
from frs.watchlist.standing import Standing, Standings
from frs.watchlist.thresholds import required

_REFERENCES_AT_ONCE = 1000
_ATTEMPTS = 5
_OVER = frozenset({Reason.WATCHLIST_NOT_ACTIVE, Reason.WATCHLIST_EXPIRED})


@dataclass(frozen=True, slots=True)
class SearchableList:
    """A watchlist that may be searched, as it stands at that moment."""

    id: str
    version: int
    threshold: Threshold
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Described:
    """Whose reference a hit is."""

    nominal: str
    grading: str
    reference_quality: Quality
    reference_crop_loader: Callable[[], bytes]
    """Opens the reference's sealed crop (JPEG) when called. FrsError IMAGE_NOT_FOUND once it was withdrawn."""


class Searching:
    """Answers for searches. Thread-safe."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        galleries: Galleries,
        model: ModelInfo,
        standings: Standings,
        indexing: Indexing,
        clock: Clock,
    ) -> None:
        self._database, self._vault, self._galleries = database, vault, galleries
        self._model, self._standings, self._indexing, self._clock = model, standings, indexing, clock

    def searchable(self, ids: Sequence[str], mode: Mode, scope: Scope = UNLIMITED) -> tuple[SearchableList, ...]:
        """Return the lists, each once and in the order given, if every one may be searched in the mode now.

        One outside the scope of who asks does not exist.

        FrsError WATCHLIST_NOT_FOUND, WATCHLIST_NOT_ACTIVE, WATCHLIST_EXPIRED, TEMPLATES_OTHER_MODEL,
        THRESHOLD_MISSING, THRESHOLD_OTHER_MODEL, INDEX_UNAVAILABLE.
        """
        now = self._clock.now()
        return tuple(self._found(name, mode, now, scope) for name in dict.fromkeys(ids))

    def matchable(self, ids: Sequence[str], mode: Mode) -> tuple[SearchableList, ...]:
        """As :meth:`searchable`, but lists that are not active or have expired are left out: for what already runs."""
        now = self._clock.now()
        found = []
        for name in dict.fromkeys(ids):
            try:
                found.append(self._found(name, mode, now))
            except FrsError as error:
                if error.reason not in _OVER:
                    raise
        return tuple(found)

    def describe(self, hits: Sequence[Hit]) -> dict[str, Described]:
        """Return who the hits are, by reference id, in one query; those withdrawn since the search are left out."""
        references = list(dict.fromkeys(hit.reference for hit in hits))
        if not references:
            return {}
        found: dict[str, Described] = {}
        with self._database.read() as connection:
            for start in range(0, len(references), _REFERENCES_AT_ONCE):
                rows = connection.execute(_description(references[start : start + _REFERENCES_AT_ONCE]))
                for row in rows:
                    found[row.id] = Described(
                        row.nominal, row.grading, Quality.from_json(row.quality), self._crop_loader(row.id)
                    )
        return found

    def reference_crop(self, connection: sa.Connection, reference: str) -> bytes:
        """Open a reference's face crop, JPEG. FrsError IMAGE_NOT_FOUND, KEY_MISSING, KEY_WRONG."""
        row = connection.execute(
            sa.select(reference_image.c.subject_id, reference_image.c.crop_sealed).where(
                reference_image.c.id == reference
            )
        ).first()
        if row is None:
            raise FrsError(Reason.IMAGE_NOT_FOUND, f"There is no reference image {reference}.", image=reference[:64])
        return self._vault.open(owner(row.subject_id), row.crop_sealed, CROP)

    def _crop_loader(self, reference: str) -> Callable[[], bytes]:
        def load() -> bytes:
            with self._database.read() as connection:
                return self.reference_crop(connection, reference)

        return load

    def _found(self, name: str, mode: Mode, now: datetime, scope: Scope = UNLIMITED) -> SearchableList:
        if not scope.has_watchlist(name):
            raise unknown_watchlist(name)
        for _ in range(_ATTEMPTS):
            standing = self._standing(name, now)
            self._standings.require_own(name, self._model)
            threshold = required(name, standing.thresholds, mode, self._model)
            if self._galleries.revision(name) == standing.revision:
                return SearchableList(name, standing.version, threshold, standing.expires_at)
            self._indexing.catch_up(name)
        raise FrsError(Reason.INDEX_UNAVAILABLE, f"The index of watchlist {name} keeps changing.", watchlist=name)

    def _standing(self, name: str, now: datetime) -> Standing:
        standing = self._standings.get(name)
        if standing is None:
            raise unknown_watchlist(name)
        if standing.state is not WatchlistState.ACTIVE:
            raise FrsError(Reason.WATCHLIST_NOT_ACTIVE, f"Watchlist {name} is {standing.state}.", watchlist=name)
        if standing.expired(now):
            message = f"Watchlist {name} expired at {standing.expires_at.isoformat()}."
            raise FrsError(Reason.WATCHLIST_EXPIRED, message, watchlist=name)
        return standing


def _description(references: Sequence[str]) -> sa.Select[tuple[str, str, str, object]]:
    return (
        sa.select(reference_image.c.id, subject.c.nominal, subject.c.grading, reference_image.c.quality)
        .join(subject, subject.c.id == reference_image.c.subject_id)
        .where(reference_image.c.id.in_(references), subject.c.state == str(SubjectState.ENROLLED))
    )
