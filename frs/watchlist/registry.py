"""Watchlists as the rooms above see them: one object for every use case, each done in a module of its own."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.embed.engine import FaceEngine
from frs.index.galleries import Galleries
from frs.settings import Settings
from frs.store.database import Database
from frs.store.vault import Vault
from frs.types import Actor, Hit, Mode, Page, Scope
from frs.watchlist.enrolment import Enrolments
from frs.watchlist.erasing import SubjectErasing
from frs.watchlist.lifecycle import Lifecycle
from frs.watchlist.model import (
    Enrolment,
    ImageDraft,
    Subject,
    SubjectDraft,
    SubjectState,
    Watchlist,
    WatchlistChanges,
    WatchlistDraft,
    WatchlistState,
)
from frs.watchlist.rebuilding import Indexing, Progress, RebuildReport
from frs.watchlist.records import UNLIMITED, read_subject, read_watchlist, subject_page, watchlist_page
from frs.watchlist.refusals import Refusals
from frs.watchlist.searchable import Described, SearchableList, Searching
from frs.watchlist.standing import Standings
from frs.watchlist.withdrawal import Withdrawals


class Watchlists:
    """The watchlists of this installation. Thread-safe; :meth:`rebuild` comes first.

    To whoever acts or asks with a scope, a list outside it does not exist.
    Each method's errors are documented where it is done: :mod:`frs.watchlist.lifecycle`,
    :mod:`frs.watchlist.enrolment`, :mod:`frs.watchlist.withdrawal`, :mod:`frs.watchlist.searchable`.
    """

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: AuditLog,
        galleries: Galleries,
        engine: FaceEngine,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._database = database
        standings = Standings()
        model = engine.model
        self._indexing = Indexing(database, vault, galleries, model, standings)
        self._lifecycle = Lifecycle(database, audit, galleries, self._indexing, model, settings.watchlist, clock)
        refusals = Refusals(database, audit, standings)
        self._enrolments = Enrolments(
            database, vault, audit, galleries, engine, standings, self._indexing, refusals, settings, clock
        )
        self._withdrawals = Withdrawals(database, vault, audit, galleries, standings, self._indexing, clock)
        self.erasing = SubjectErasing(vault, galleries, standings, self._indexing, clock)
        """Erases subjects inside the act of who decided it."""
        self._searching = Searching(database, vault, galleries, model, standings, self._indexing, clock)

    def rebuild(self, progress: Progress | None = None) -> RebuildReport:
        """Load the index from the database; once, at start. ``progress`` is told (loaded, all) templates."""
        return self._indexing.rebuild(progress)

    # --- watchlists ---

    def create(self, actor: Actor, definition: WatchlistDraft) -> Watchlist:
        """Make a draft."""
        return self._lifecycle.create(actor, definition)

    def update(
        self, actor: Actor, watchlist_id: str, changes: WatchlistChanges, expected_version: int | None = None
    ) -> Watchlist:
        """Change a definition."""
        return self._lifecycle.update(actor, watchlist_id, changes, expected_version)

    def get(self, watchlist_id: str, scope: Scope = UNLIMITED) -> Watchlist:
        """Return a watchlist. FrsError WATCHLIST_NOT_FOUND."""
        with self._database.read() as connection:
            return read_watchlist(connection, watchlist_id, scope)

    def list(
        self,
        page_size: int = 50,
        page_token: str = "",
        state: WatchlistState | None = None,
        scope: Scope = UNLIMITED,
    ) -> Page[Watchlist]:
        """Return watchlists by name. FrsError INVALID_PAGE_TOKEN."""
        with self._database.read() as connection:
            return watchlist_page(connection, page_size, page_token, state, scope)

    def approve(self, actor: Actor, watchlist_id: str, version: int | None = None) -> Watchlist:
        """Approve a draft; ``version``, unless None or 0, must be its present one."""
        return self._lifecycle.approve(actor, watchlist_id, version)

    def activate(self, actor: Actor, watchlist_id: str) -> Watchlist:
        """Let an approved list be searched."""
        return self._lifecycle.activate(actor, watchlist_id)

    def review(self, actor: Actor, watchlist_id: str, version: int | None = None) -> Watchlist:
        """Record that the present version was reviewed; ``version``, unless None or 0, must be it."""
        return self._lifecycle.review(actor, watchlist_id, version)

    def retire(self, actor: Actor, watchlist_id: str, reason: str) -> Watchlist:
        """End a list at once and for good."""
        return self._lifecycle.retire(actor, watchlist_id, reason)

    # --- subjects ---

    def enrol(self, actor: Actor, watchlist_id: str, draft: SubjectDraft, images: Sequence[ImageDraft]) -> Enrolment:
        """Enrol a person with one or more pictures, or keep nothing."""
        return self._enrolments.enrol(actor, watchlist_id, draft, images)

    def add_image(self, actor: Actor, subject_id: str, image: ImageDraft) -> Enrolment:
        """Add a picture of an enrolled subject."""
        return self._enrolments.add_image(actor, subject_id, image)

    def remove_image(self, actor: Actor, image_id: str, reason: str) -> Subject:
        """Remove one image of a subject."""
        return self._withdrawals.remove_image(actor, image_id, reason)

    def withdraw(self, actor: Actor, subject_id: str, reason: str) -> Subject:
        """Take a person off a list at once and destroy their biometrics."""
        return self._withdrawals.withdraw(actor, subject_id, reason)

    def get_subject(self, subject_id: str, scope: Scope = UNLIMITED) -> Subject:
        """Return a subject. FrsError SUBJECT_NOT_FOUND."""
        with self._database.read() as connection:
            return read_subject(connection, subject_id, scope)

    def list_subjects(
        self,
        watchlist_id: str,
        page_size: int = 50,
        page_token: str = "",
        state: SubjectState | None = None,
        scope: Scope = UNLIMITED,
    ) -> Page[Subject]:
        """Return a list's subjects by nominal. FrsError WATCHLIST_NOT_FOUND, INVALID_PAGE_TOKEN."""
        with self._database.read() as connection:
            return subject_page(connection, watchlist_id, page_size, page_token, state, scope)

    # --- for searches ---

    def searchable(self, ids: Sequence[str], mode: Mode, scope: Scope = UNLIMITED) -> tuple[SearchableList, ...]:
        """Return the lists if every one may be searched in the mode now; no read of the database."""
        return self._searching.searchable(ids, mode, scope)

    def matchable(self, ids: Sequence[str], mode: Mode) -> tuple[SearchableList, ...]:
        """Return those lists that still are active and unexpired; no read of the database."""
        return self._searching.matchable(ids, mode)

    def describe(self, hits: Sequence[Hit]) -> dict[str, Described]:
        """Return who the hits are, by reference id."""
        return self._searching.describe(hits)

    def reference_crop(self, connection: sa.Connection, reference: str) -> bytes:
        """Open a reference's face crop, JPEG."""
        return self._searching.reference_crop(connection, reference)
