"""The index follows the database: rebuilt at start, changed after each commit, loaded again when it fell behind.

Words: a change is *committed*, then *indexed*, then its caller is *answered*. If the process dies before the commit
nothing happened; after it, the next start rebuilds the index from the database. If indexing fails the gallery is
stale, refuses to be searched, and is loaded again on the writer's thread, where no other commit can come between
what is read and what is loaded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.index.galleries import Galleries, GalleryRow
from frs.store.database import Database, Transaction
from frs.store.schema import reference_image, subject, watchlist
from frs.store.vault import Vault
from frs.types import ModelInfo, Template
from frs.watchlist.model import SubjectState, WatchlistState
from frs.watchlist.standing import Standing, Standings, read_standings

TEMPLATE, CROP = b"template", b"crop"
"""Contexts under which a reference's template and crop are sealed for the owner ``subject:<id>``."""
Progress = Callable[[int, int], None]
"""Told how many templates are loaded and how many there are."""
_TOLD_EVERY = 1000
_LOADABLE = (
    sa.select(sa.func.count())
    .select_from(reference_image)
    .join(watchlist, watchlist.c.id == reference_image.c.watchlist_id)
    .where(watchlist.c.state != str(WatchlistState.RETIRED))
)


def owner(subject_id: str) -> str:
    """Return whose key seals a subject's biometrics."""
    return f"subject:{subject_id}"


def seal_template(vault: Vault, subject_id: str, template: Template) -> bytes:
    """Seal a template: float32, little-endian."""
    return vault.seal(owner(subject_id), template.astype("<f4").tobytes(), TEMPLATE)


def open_template(vault: Vault, subject_id: str, sealed: bytes) -> Template:
    """Open a sealed template. FrsError KEY_MISSING, KEY_WRONG."""
    return np.frombuffer(vault.open(owner(subject_id), sealed, TEMPLATE), "<f4").astype(np.float32)


@dataclass(frozen=True, slots=True)
class RebuildReport:
    """What a rebuild found."""

    templates: int
    watchlists: int
    seconds: float
    other_model: int = 0
    """Templates of another model or profile, left out; their lists refuse to be searched."""
    unreadable: int = 0
    """Templates whose key is destroyed, left out for ever: erased, though an old copy of the database has them."""


@dataclass(slots=True)
class _Loading:
    """Counts while the templates of a watchlist pass by."""

    templates: int = 0
    unreadable: int = 0
    foreign: dict[str, str] = field(default_factory=dict)


class Indexing:
    """Keeps galleries and standings in agreement with the database. Thread-safe."""

    def __init__(
        self, database: Database, vault: Vault, galleries: Galleries, model: ModelInfo, standings: Standings
    ) -> None:
        self._database, self._vault, self._galleries = database, vault, galleries
        self._model, self._standings = model, standings

    def rebuild(self, progress: Progress | None = None) -> RebuildReport:
        """Load every watchlist that is not retired. FrsError KEY_WRONG, STORAGE_FAILED."""
        started = time.monotonic()
        templates = other_model = unreadable = lists = 0
        with self._database.read() as connection:
            total = connection.scalar(_LOADABLE) or 0
            for standing in read_standings(connection):
                self._standings.put(standing)
                if standing.state is WatchlistState.RETIRED:
                    continue
                loading = _Loading()
                rows = self._rows(connection, standing.id, loading, partial(_tell, progress, templates, total))
                self._galleries.load(standing.id, standing.revision, rows)
                self._standings.set_foreign(standing.id, loading.foreign)
                templates, lists = templates + loading.templates, lists + 1
                other_model, unreadable = other_model + len(loading.foreign), unreadable + loading.unreadable
        _tell(progress, 0, total, templates)
        return RebuildReport(templates, lists, time.monotonic() - started, other_model, unreadable)

    def follow(self, tx: Transaction, watchlist_id: str, change: Callable[[int], None] | None = None) -> int:
        """At the end of an act: have its change indexed after the commit; returns the revision it leads to.

        ``change`` is given that revision and changes the gallery; None when the act leaves the templates alone.
        """
        (standing,) = read_standings(tx.connection, watchlist_id)

        def index() -> None:
            # the standing first: whoever compares it with the gallery meanwhile finds them apart, and waits
            self._standings.put(standing)
            if change is not None:
                # the gallery that cannot follow is stale by then, and settle() loads it again
                with suppress(ValueError, KeyError, MemoryError):
                    change(standing.revision)

        tx.after_commit(index)
        return standing.revision

    def settle(self, watchlist_id: str, revision: int) -> None:
        """Before the caller of an act is answered: make sure that the gallery has followed.

        FrsError INDEX_UNAVAILABLE when it cannot: the act has happened, and searches of the list are refused.
        """
        present = self._galleries.revision(watchlist_id)
        if present is None or present < revision:
            self.recover(watchlist_id)

    def catch_up(self, watchlist_id: str) -> None:
        """Wait for the commits that are being indexed, and load the gallery again if it did not follow."""
        self._database.write(lambda _: None)  # the writer's thread runs the hooks before it takes another act
        if self._galleries.revision(watchlist_id) is None:
            self.recover(watchlist_id)

    def recover(self, watchlist_id: str) -> None:
        """Load a watchlist's gallery again from the database. FrsError INDEX_UNAVAILABLE when that fails."""

        def act(tx: Transaction) -> None:
            found = read_standings(tx.connection, watchlist_id)
            if not found:
                return
            standing, loading = found[0], _Loading()
            rows = list(self._rows(tx.connection, watchlist_id, loading, partial(_tell, None, 0, 0)))
            tx.after_commit(lambda: self._load(standing, rows, loading))

        try:
            self._database.write(act)
        except (FrsError, ValueError, MemoryError) as error:
            message = f"The index of watchlist {watchlist_id} could not be loaded; what was committed stands ({error})."
            raise FrsError(Reason.INDEX_UNAVAILABLE, message, watchlist=watchlist_id) from error

    def _load(self, standing: Standing, rows: list[GalleryRow], loading: _Loading) -> None:
        if standing.state is WatchlistState.RETIRED:
            self._galleries.drop(standing.id)
        else:
            self._galleries.load(standing.id, standing.revision, rows)
        self._standings.set_foreign(standing.id, loading.foreign)
        self._standings.put(standing)

    def _rows(
        self, connection: sa.Connection, watchlist_id: str, loading: _Loading, tell: Callable[[int], None]
    ) -> Iterator[GalleryRow]:
        """Give the templates that can be searched, opened one by one; count those that cannot."""
        table = reference_image.c
        query = (
            sa.select(table.key, table.id, table.subject_id, table.model, table.profile, table.template_sealed)
            .join(subject, subject.c.id == table.subject_id)
            .where(table.watchlist_id == watchlist_id, subject.c.state == str(SubjectState.ENROLLED))
            .order_by(table.key)
        )
        for row in connection.execute(query.execution_options(yield_per=1000)):
            if (row.model, row.profile) != (self._model.id, self._model.profile):
                loading.foreign[row.id] = row.subject_id
                continue
            try:
                template = open_template(self._vault, row.subject_id, row.template_sealed)
            except FrsError as error:
                if error.reason is not Reason.KEY_MISSING:
                    raise
                loading.unreadable += 1
                continue
            loading.templates += 1
            if loading.templates % _TOLD_EVERY == 0:
                tell(loading.templates)
            yield GalleryRow(row.key, row.subject_id, row.id, template)


def _tell(progress: Progress | None, before: int, total: int, loaded: int) -> None:
    if progress is not None:
        progress(before + loaded, total)
