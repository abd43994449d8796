"""Erasing people from watchlists: what names or shows them goes, that somebody was listed and when stays.

Inside the caller's act: the key of the biometrics is destroyed, the images leave the database, the nominal becomes
its pseudonym and the texts about the person are emptied. After the commit the index follows: no copy of the templates
stays in its buffers. A gallery that cannot follow is refused to searches and loaded again by the next one, or by
:meth:`SubjectErasing.settle`.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from frs.clock import Clock
from frs.index.galleries import Galleries
from frs.store.schema import reference_image, subject, watchlist
from frs.store.transaction import Transaction
from frs.store.vault import Vault
from frs.watchlist.model import SubjectState, WatchlistState
from frs.watchlist.rebuilding import Indexing, owner
from frs.watchlist.standing import Standings


class SubjectErasing:
    """Erases subjects. Thread-safe; the caller logs the act."""

    def __init__(
        self, vault: Vault, galleries: Galleries, standings: Standings, indexing: Indexing, clock: Clock
    ) -> None:
        self._vault, self._galleries, self._clock = vault, galleries, clock
        self._standings, self._indexing = standings, indexing

    def erase_in(self, tx: Transaction, subject_id: str) -> bool:
        """Erase a subject, enrolled or withdrawn; False when there is none or it is erased already."""
        row = tx.connection.execute(sa.select(subject).where(subject.c.id == subject_id)).one_or_none()
        if row is None or row.state == str(SubjectState.ERASED):
            return False
        tx.erases = True
        tx.connection.execute(reference_image.delete().where(reference_image.c.subject_id == subject_id))
        tx.connection.execute(
            subject.update()
            .where(subject.c.id == subject_id)
            .values(
                state=str(SubjectState.ERASED),
                nominal=self._vault.pseudonym("subject", row.nominal),
                justification="",
                under_18_rationale="",
                withdrawn_reason=None,
                erased_at=self._clock.now(),
            )
        )
        if not self._vault.destroyed(owner(subject_id)):
            self._vault.destroy(owner(subject_id))
        if row.state == str(SubjectState.ENROLLED):
            self._narrow(tx, row.watchlist_id, subject_id)
        return True

    def settle(self, *watchlists: str) -> None:
        """After the act: make sure that the galleries have followed. FrsError INDEX_UNAVAILABLE when one cannot."""
        for name in watchlists:
            standing = self._standings.get(name)
            if standing is not None and standing.state is not WatchlistState.RETIRED:
                self._indexing.settle(name, standing.revision)

    def _narrow(self, tx: Transaction, watchlist_id: str, subject_id: str) -> None:
        """Move the list's version and revision, as a withdrawal does, and have the index follow."""
        table = watchlist.c
        state: str = tx.connection.execute(sa.select(table.state).where(table.id == watchlist_id)).scalar_one()
        values: dict[str, Any] = {
            "version": table.version + 1,
            "revision": table.revision + 1,
            # a review of what was more still covers it
            "reviewed_version": sa.case(
                (table.reviewed_version == table.version, table.version + 1), else_=table.reviewed_version
            ),
            "updated_at": self._clock.now(),
        }
        tx.connection.execute(watchlist.update().where(table.id == watchlist_id).values(values))

        def indexed(revision: int) -> None:
            self._standings.forget_subject(watchlist_id, subject_id)
            if state != str(WatchlistState.RETIRED):
                self._galleries.remove_subject(watchlist_id, revision, subject_id)

        self._indexing.follow(tx, watchlist_id, indexed)
