"""How each watchlist stands, in memory: what every search asks and must cost no read of the database.

Written from hooks that run after a commit, on the writer thread and in the order of commits; read from any thread.
Unlike a :class:`~frs.watchlist.model.Watchlist` it counts nobody, so an act on a long list does not read all of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.store.schema import watchlist
from frs.types import Mode, ModelInfo, Threshold
from frs.watchlist.model import Grading, WatchlistState
from frs.watchlist.records import read_thresholds


@dataclass(frozen=True, slots=True)
class Standing:
    """A watchlist at one commit."""

    id: str
    state: WatchlistState
    version: int
    revision: int
    expires_at: datetime
    grading: Grading
    thresholds: Mapping[Mode, Threshold]

    def expired(self, now: datetime) -> bool:
        """Whether its authority has ended; from that instant on it matches nobody."""
        return now >= self.expires_at


class Standings:
    """The present standing of every watchlist, and which references have templates of another model."""

    def __init__(self) -> None:
        self._standings: dict[str, Standing] = {}
        self._foreign: dict[str, dict[str, str]] = {}  # watchlist -> reference -> subject

    def get(self, watchlist_id: str) -> Standing | None:
        """Return a watchlist's standing, or None when there is no such list."""
        return self._standings.get(watchlist_id)

    def put(self, standing: Standing) -> None:
        """Take note of a commit."""
        self._standings[standing.id] = standing

    def set_foreign(self, watchlist_id: str, references: Mapping[str, str]) -> None:
        """Take note of the references (and whose they are) that the model in use cannot search."""
        self._foreign[watchlist_id] = dict(references)

    def require_own(self, watchlist_id: str, model: ModelInfo) -> None:
        """TEMPLATES_OTHER_MODEL when a watchlist has a template of another model or profile than the one in use."""
        if self._foreign.get(watchlist_id):
            message = f"Watchlist {watchlist_id} has templates of another model than {model.id}, {model.profile}."
            raise FrsError(Reason.TEMPLATES_OTHER_MODEL, message, watchlist=watchlist_id)

    def forget_subject(self, watchlist_id: str, subject_id: str) -> None:
        """Take note that a subject's references are gone."""
        kept = self._foreign.get(watchlist_id, {})
        self._foreign[watchlist_id] = {name: owner for name, owner in kept.items() if owner != subject_id}

    def forget_reference(self, watchlist_id: str, reference: str) -> None:
        """Take note that a reference is gone."""
        kept = self._foreign.get(watchlist_id, {})
        self._foreign[watchlist_id] = {name: owner for name, owner in kept.items() if name != reference}


def read_standings(connection: sa.Connection, *watchlists: str) -> list[Standing]:
    """Return the standing of the named watchlists, of all when none is named."""
    table = watchlist.c
    query = sa.select(table.id, table.state, table.version, table.revision, table.expires_at, table.grading)
    query = query.order_by(table.id)
    if watchlists:
        query = query.where(table.id.in_(watchlists))
    rows = connection.execute(query).all()
    thresholds = read_thresholds(connection, [row.id for row in rows])
    return [
        Standing(
            row.id,
            WatchlistState(row.state),
            row.version,
            row.revision,
            row.expires_at,
            Grading(row.grading),
            {threshold.mode: threshold for threshold in thresholds.get(row.id, ())},
        )
        for row in rows
    ]
