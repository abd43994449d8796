"""A watchlist's life: drafted, changed, approved, activated, reviewed, retired.

Each act and its event are one commit. What an approval or a review covers is said by the rules in states.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any

import sqlalchemy as sa

from frs.access.scoping import require_may_create
from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.index.galleries import Galleries
from frs.settings import WatchlistSettings
from frs.store.database import Database, Transaction
from frs.store.schema import watchlist
from frs.types import Actor, Event, Json, ListVersion, ModelInfo, References, Threshold
from frs.watchlist import states, thresholds
from frs.watchlist.drafters import note_drafter, require_another
from frs.watchlist.model import Watchlist, WatchlistChanges, WatchlistDraft, WatchlistState
from frs.watchlist.policy import check_changes, check_draft, check_text
from frs.watchlist.rebuilding import Indexing
from frs.watchlist.records import read_watchlist, write_thresholds


class Lifecycle:
    """The acts on watchlists as such. Thread-safe; callers hold the role that the method table asks for."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        galleries: Galleries,
        indexing: Indexing,
        model: ModelInfo,
        policy: WatchlistSettings,
        clock: Clock,
    ) -> None:
        self._database, self._audit, self._galleries = database, audit, galleries
        self._indexing, self._model, self._policy, self._clock = indexing, model, policy, clock

    def create(self, actor: Actor, draft: WatchlistDraft) -> Watchlist:
        """Make a draft.

        FrsError WATCHLIST_EXISTS, CATEGORY_NOT_ALLOWED, THRESHOLD_MISSING, INVALID_FIELD; PERMISSION_DENIED for a name
        outside the actor's scope.
        """
        require_may_create(actor, draft.id)
        now = self._clock.now()
        check_draft(draft, self._policy, now)
        resolved = thresholds.resolve(draft.thresholds, self._model)

        def act(tx: Transaction) -> Watchlist:
            if tx.connection.execute(sa.select(watchlist.c.id).where(watchlist.c.id == draft.id)).first() is not None:
                message = f"A watchlist {draft.id} exists already, or did."
                raise FrsError(Reason.WATCHLIST_EXISTS, message, watchlist=draft.id)
            values = {
                "id": draft.id,
                "purpose": draft.purpose.strip(),
                "category": draft.category,
                "legal_basis": draft.legal_basis.strip(),
                "authorising_officer": draft.authorising_officer.strip(),
                "grading": str(draft.grading),
                "expires_at": draft.expires_at,
                "state": str(WatchlistState.DRAFT),
                "version": 1,
                "revision": 0,
                "created_at": now,
                "created_by": actor.name,
                "updated_at": now,
            }
            tx.connection.execute(watchlist.insert().values(values))
            write_thresholds(tx.connection, draft.id, resolved)
            made = read_watchlist(tx.connection, draft.id)
            note_drafter(tx.connection, made, actor)
            self._record(tx, actor, Action.WATCHLIST_CREATED, made, {"definition": definition_json(made)})
            self._indexing.follow(tx, draft.id, lambda revision: self._galleries.load(draft.id, revision, ()))
            return made

        made = self._database.write(act)
        self._indexing.settle(made.id, made.revision)
        return made

    def update(
        self, actor: Actor, watchlist_id: str, changes: WatchlistChanges, expected_version: int | None = None
    ) -> Watchlist:
        """Change a definition. An approved list becomes a draft again; of an active one only the expiry comes forward.

        Nothing is changed and nothing logged when the list is so already. FrsError WATCHLIST_NOT_FOUND,
        WATCHLIST_CHANGED, WATCHLIST_WRONG_STATE, CATEGORY_NOT_ALLOWED, THRESHOLD_MISSING, INVALID_FIELD.
        """
        now = self._clock.now()
        check_changes(changes, self._policy, now)
        resolved = None if changes.thresholds is None else thresholds.resolve(changes.thresholds, self._model)

        def act(tx: Transaction) -> Watchlist:
            found = read_watchlist(tx.connection, watchlist_id, actor.scope)
            states.require_version(found, expected_version)
            states.require_state(found, WatchlistState.DRAFT, WatchlistState.APPROVED, WatchlistState.ACTIVE)
            new = _changed(found, changes, resolved)
            if new == found:
                return found
            values = _columns(new) | {"updated_at": now}
            if found.state is WatchlistState.ACTIVE:
                if new.expires_at > found.expires_at or replace(new, expires_at=found.expires_at) != found:
                    message = (
                        f"Watchlist {found.id} is active: of its definition only the expiry can be brought forward."
                    )
                    raise FrsError(Reason.WATCHLIST_WRONG_STATE, message, watchlist=found.id, state=found.state)
                values |= states.narrowed(found)
            else:
                values |= states.widened(found)
            tx.connection.execute(watchlist.update().where(watchlist.c.id == found.id).values(values))
            note_drafter(tx.connection, found, actor)
            if new.thresholds != found.thresholds:
                write_thresholds(tx.connection, found.id, new.thresholds)
            made = read_watchlist(tx.connection, found.id)
            before, after = definition_json(found), definition_json(made)
            differs: Json = {
                key: {"before": before[key], "after": value} for key, value in after.items() if before[key] != value
            }
            self._record(tx, actor, Action.WATCHLIST_UPDATED, made, {"changes": differs, "state": made.state})
            self._indexing.follow(tx, found.id)
            return made

        return self._database.write(act)

    def approve(self, actor: Actor, watchlist_id: str, version: int | None = None) -> Watchlist:
        """Approve a draft.

        FrsError WATCHLIST_WRONG_STATE, WATCHLIST_CHANGED, WATCHLIST_EMPTY, WATCHLIST_EXPIRED; SEPARATION_OF_DUTIES for
        whoever created it, changed it or enrolled into it since it was last approved.
        """

        def approved(found: Watchlist, now: datetime) -> dict[str, Any]:
            states.require_state(found, WatchlistState.DRAFT)
            states.require_version(found, version)
            states.require_entries(found)
            states.require_unexpired(found, now)
            return {"state": str(WatchlistState.APPROVED), "approved_at": now, "approved_by": actor.name}

        return self._move(actor, watchlist_id, Action.WATCHLIST_APPROVED, approved, separate=True)

    def activate(self, actor: Actor, watchlist_id: str) -> Watchlist:
        """Let an approved list be searched; the pack's defaults are taken anew (a new version if they differ).

        FrsError WATCHLIST_WRONG_STATE, WATCHLIST_EMPTY, WATCHLIST_EXPIRED, THRESHOLD_MISSING when no mode has a
        threshold, THRESHOLD_OTHER_MODEL when one was set for another model or profile than the one in use.
        """

        def activated(found: Watchlist, now: datetime) -> dict[str, Any]:
            states.require_state(found, WatchlistState.APPROVED)
            states.require_entries(found)
            states.require_unexpired(found, now)
            return {"state": str(WatchlistState.ACTIVE), "activated_at": now}

        return self._move(actor, watchlist_id, Action.WATCHLIST_ACTIVATED, activated, refresh=True)

    def review(self, actor: Actor, watchlist_id: str, version: int | None = None) -> Watchlist:
        """Record that the present version was reviewed. FrsError WATCHLIST_WRONG_STATE, WATCHLIST_CHANGED."""

        def reviewed(found: Watchlist, now: datetime) -> dict[str, Any]:
            states.require_state(found, WatchlistState.DRAFT, WatchlistState.APPROVED, WatchlistState.ACTIVE)
            states.require_version(found, version)
            return {"reviewed_at": now, "reviewed_by": actor.name, "reviewed_version": found.version}

        return self._move(actor, watchlist_id, Action.WATCHLIST_REVIEWED, reviewed)

    def retire(self, actor: Actor, watchlist_id: str, reason: str) -> Watchlist:
        """End a list at once and for good: nobody is matched by it from now on.

        Its templates leave the index; sealed, they stay in the database until retention destroys them.
        FrsError WATCHLIST_WRONG_STATE when it is retired already, INVALID_FIELD without a reason.
        """
        check_text("reason", reason)

        def retired(found: Watchlist, now: datetime) -> dict[str, Any]:
            states.require_state(found, WatchlistState.DRAFT, WatchlistState.APPROVED, WatchlistState.ACTIVE)
            return {"state": str(WatchlistState.RETIRED), "retired_at": now}

        dropped = partial(_drop, self._galleries, watchlist_id)
        return self._move(actor, watchlist_id, Action.WATCHLIST_RETIRED, retired, {"reason": reason}, dropped)

    def _move(
        self,
        actor: Actor,
        watchlist_id: str,
        action: Action,
        rule: Callable[[Watchlist, datetime], dict[str, Any]],
        payload: dict[str, Json] | None = None,
        indexed: Callable[[int], None] | None = None,
        *,
        refresh: bool = False,
        separate: bool = False,
    ) -> Watchlist:
        """Change a list's state by a rule that gives the columns or refuses; ``separate``: by none of its drafters."""

        def act(tx: Transaction) -> Watchlist:
            now = self._clock.now()
            found = read_watchlist(tx.connection, watchlist_id, actor.scope)
            values = rule(found, now) | {"updated_at": now}
            if separate:
                require_another(tx.connection, found, actor)
            current = found.thresholds
            if refresh:
                current = thresholds.refreshed(found.thresholds, self._model)
                thresholds.require_usable(found.id, current, self._model)
            if current != found.thresholds:
                write_thresholds(tx.connection, found.id, current)
                values["version"] = found.version + 1
            tx.connection.execute(watchlist.update().where(watchlist.c.id == found.id).values(values))
            made = read_watchlist(tx.connection, found.id)
            said: dict[str, Json] = {"from": found.state, "definition": definition_json(made), **(payload or {})}
            self._record(tx, actor, action, made, said)
            self._indexing.follow(tx, found.id, indexed)
            return made

        return self._database.write(act)

    def _record(self, tx: Transaction, actor: Actor, action: Action, made: Watchlist, payload: dict[str, Json]) -> None:
        counts: dict[str, Json] = {"subjects": made.subject_count, "images": made.image_count}
        references = References(watchlists=(ListVersion(made.id, made.version),))
        self._audit.append(tx, Event(action, actor, references, payload | counts))


def definition_json(found: Watchlist) -> dict[str, Json]:
    """Return a definition as events record it."""
    return {
        "purpose": found.purpose,
        "category": found.category,
        "legal_basis": found.legal_basis,
        "authorising_officer": found.authorising_officer,
        "grading": str(found.grading),
        "expires_at": found.expires_at.isoformat(),
        "thresholds": [
            {"mode": str(t.mode), "score": t.score, "model": t.model, "profile": t.profile, "source": t.source}
            for t in found.thresholds
        ],
    }


def _changed(found: Watchlist, changes: WatchlistChanges, resolved: tuple[Threshold, ...] | None) -> Watchlist:
    given = {
        field.name: value
        for field in fields(changes)
        if field.name != "thresholds" and (value := getattr(changes, field.name)) is not None
    }
    given = {name: value.strip() if type(value) is str else value for name, value in given.items()}
    return replace(found, **given, thresholds=found.thresholds if resolved is None else resolved)


def _columns(found: Watchlist) -> dict[str, Any]:
    names = ("purpose", "category", "legal_basis", "authorising_officer", "grading", "expires_at")
    values = {name: getattr(found, name) for name in names}
    return {name: str(value) if isinstance(value, StrEnum) else value for name, value in values.items()}


def _drop(galleries: Galleries, watchlist_id: str, _: int) -> None:
    galleries.drop(watchlist_id)
