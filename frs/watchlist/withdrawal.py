"""Withdrawal: people and images leave a watchlist, in any of its states, and their biometrics are destroyed.

At once means at once: when the caller is answered, running deployments no longer match the subject, the key that
opened the templates and crops is destroyed, and their bytes are in no file of the database. The nominal stays on the
record with its dates, so that people can later learn that they were listed.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from frs.access.scoping import watchlists_within
from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.index.galleries import Galleries
from frs.store.database import Database, Transaction
from frs.store.schema import reference_image, subject, watchlist
from frs.store.vault import Vault
from frs.types import Actor, Event, Json, ListVersion, References, Scope
from frs.watchlist import states
from frs.watchlist.model import Subject, SubjectState, Watchlist, WatchlistState
from frs.watchlist.policy import check_text
from frs.watchlist.rebuilding import Indexing, owner
from frs.watchlist.records import UNLIMITED, read_subject, read_watchlist
from frs.watchlist.standing import Standings


class Withdrawals:
    """The acts that take biometrics away. Thread-safe; callers hold the role that the method table asks for."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: AuditLog,
        galleries: Galleries,
        standings: Standings,
        indexing: Indexing,
        clock: Clock,
    ) -> None:
        self._database, self._vault, self._audit, self._galleries = database, vault, audit, galleries
        self._standings, self._indexing, self._clock = standings, indexing, clock

    def withdraw(self, actor: Actor, subject_id: str, reason: str) -> Subject:
        """Take a person off a list and destroy their biometrics.

        FrsError SUBJECT_NOT_FOUND, SUBJECT_WITHDRAWN, INVALID_FIELD without a reason.
        """
        check_text("reason", reason)

        def act(tx: Transaction) -> tuple[Subject, Watchlist, int]:
            person = _enrolled(tx.connection, subject_id, actor.scope)
            now = self._clock.now()
            tx.connection.execute(reference_image.delete().where(reference_image.c.subject_id == subject_id))
            self._vault.destroy(owner(subject_id))
            values = {
                "state": str(SubjectState.WITHDRAWN),
                "withdrawn_at": now,
                "withdrawn_by": actor.name,
                "withdrawn_reason": reason.strip(),
            }
            tx.connection.execute(subject.update().where(subject.c.id == subject_id).values(values))
            payload: dict[str, Json] = {
                "subject": subject_id,
                "reason": reason.strip(),
                "images": [image.id for image in person.images],
            }
            found = self._narrow(tx, actor, Action.SUBJECT_WITHDRAWN, person, payload, now)

            def indexed(revision: int) -> None:
                self._standings.forget_subject(found.id, subject_id)
                if found.state is not WatchlistState.RETIRED:
                    self._galleries.remove_subject(found.id, revision, subject_id)

            return read_subject(tx.connection, subject_id), found, self._indexing.follow(tx, found.id, indexed)

        return self._settled(*self._database.write(act))

    def remove_image(self, actor: Actor, image_id: str, reason: str) -> Subject:
        """Remove one image of a subject, its template and its crop; the subject stays on the list.

        FrsError IMAGE_NOT_FOUND, INVALID_FIELD without a reason.
        """
        check_text("reason", reason)

        def act(tx: Transaction) -> tuple[Subject, Watchlist, int]:
            image = reference_image.c
            named = sa.and_(image.id == image_id, watchlists_within(actor.scope, image.watchlist_id))
            row = tx.connection.execute(sa.select(image.subject_id, image.sha256).where(named)).first()
            if row is None:
                raise FrsError(Reason.IMAGE_NOT_FOUND, f"There is no reference image {image_id}.", image=image_id[:64])
            person = _enrolled(tx.connection, row.subject_id)
            tx.connection.execute(reference_image.delete().where(image.id == image_id))
            tx.erases = True  # the key stays for the subject's other images: the bytes themselves must go
            payload: dict[str, Json] = {
                "subject": person.id,
                "reason": reason.strip(),
                "image": image_id,
                "sha256": row.sha256,
            }
            found = self._narrow(tx, actor, Action.SUBJECT_IMAGE_REMOVED, person, payload, self._clock.now())

            def indexed(revision: int) -> None:
                self._standings.forget_reference(found.id, image_id)
                if found.state is not WatchlistState.RETIRED:
                    self._galleries.remove_reference(found.id, revision, image_id)

            return read_subject(tx.connection, person.id), found, self._indexing.follow(tx, found.id, indexed)

        return self._settled(*self._database.write(act))

    def _narrow(
        self,
        tx: Transaction,
        actor: Actor,
        action: Action,
        person: Subject,
        payload: dict[str, Json],
        now: datetime,
    ) -> Watchlist:
        """Move the list's version and revision and log the act; returns the list as it was found."""
        found = read_watchlist(tx.connection, person.watchlist)
        values: dict[str, Any] = states.narrowed(found) | {"revision": found.revision + 1, "updated_at": now}
        tx.connection.execute(watchlist.update().where(watchlist.c.id == found.id).values(values))
        references = References(watchlists=(ListVersion(found.id, values["version"]),), subjects=(person.nominal,))
        self._audit.append(tx, Event(action, actor, references, payload))
        return found

    def _settled(self, person: Subject, found: Watchlist, revision: int) -> Subject:
        if found.state is not WatchlistState.RETIRED:
            self._indexing.settle(found.id, revision)
        return person


def _enrolled(connection: sa.Connection, subject_id: str, scope: Scope = UNLIMITED) -> Subject:
    person = read_subject(connection, subject_id, scope)
    if person.state is not SubjectState.ENROLLED:
        message = f"Subject {subject_id} has been {person.state}."
        raise FrsError(Reason.SUBJECT_WITHDRAWN, message, subject=subject_id)
    return person
