"""Enrolment and withdrawal: people and their images come onto a watchlist and leave it.

Promises: the model runs before the act, never while the writer waits; subject, sealed biometrics and event are one
commit, or nothing is kept; the index has followed before the caller is answered. If the process dies before the
commit nothing happened; after it, the next start rebuilds the index with what was enrolled.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import sqlalchemy as sa

from frs.access.scoping import require_watchlist
from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.embed.engine import FaceEngine
from frs.errors import FrsError, Reason
from frs.index.galleries import Galleries, GalleryRow
from frs.settings import Settings
from frs.store.database import Database, Transaction
from frs.store.schema import reference_image, subject, watchlist
from frs.store.vault import Vault
from frs.types import Actor, Event, Json, ListVersion, References, new_id
from frs.watchlist import states
from frs.watchlist.drafters import note_drafter
from frs.watchlist.faces import Portrait, digest, portraits
from frs.watchlist.likeness import Likeness
from frs.watchlist.model import Enrolment, ImageDraft, Subject, SubjectDraft, SubjectState, WatchlistState
from frs.watchlist.policy import check_images, check_subject, too_many_images
from frs.watchlist.rebuilding import CROP, Indexing, open_template, owner, seal_template
from frs.watchlist.records import read_subject, unknown_watchlist
from frs.watchlist.refusals import Refusals
from frs.watchlist.standing import Standing, Standings, read_standings


class Enrolments:
    """The acts that add biometrics. Thread-safe; callers hold the role that the method table asks for."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: AuditLog,
        galleries: Galleries,
        engine: FaceEngine,
        standings: Standings,
        indexing: Indexing,
        refusals: Refusals,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._database, self._vault, self._audit, self._galleries = database, vault, audit, galleries
        self._engine, self._standings, self._indexing = engine, standings, indexing
        self._refusals, self._settings, self._clock = refusals, settings, clock
        self._likeness = Likeness(galleries, engine.model)

    def enrol(self, actor: Actor, watchlist_id: str, draft: SubjectDraft, images: Sequence[ImageDraft]) -> Enrolment:
        """Enrol a person with one or more pictures; an approved list becomes a draft again.

        While the list is active, only an authorising officer may: the act is then the entry's approval.

        FrsError INVALID_FIELD, IMAGE_NOT_LAWFUL, RATIONALE_REQUIRED, TOO_MANY_IMAGES, IMAGE_EXISTS,
        WATCHLIST_NOT_FOUND, WATCHLIST_WRONG_STATE, WATCHLIST_EXPIRED, TEMPLATES_OTHER_MODEL, SUBJECT_EXISTS, or a
        picture's (see :func:`portraits`): each refusal is logged, and nothing of the enrolment is kept.
        """
        with self._refusals.recorded(actor, watchlist_id, draft.nominal, images):
            check_subject(draft)
            check_images(images, self._settings.watchlist, self._clock.now())
            _refuse_repeated(images)
            with self._database.read() as connection:  # before the model's time is spent; the act asks again
                found = self._open_list(connection, actor, watchlist_id)
                _refuse_listed(connection, watchlist_id, draft.nominal.strip())
            added = portraits(self._engine, images, self._settings.quality)
            name = new_id()
            warnings = self._warnings(found, name, added, np.empty((0, self._engine.model.dimension), np.float32))

            def act(tx: Transaction) -> tuple[Subject, int]:
                now = self._clock.now()
                current = self._open_list(tx.connection, actor, watchlist_id)
                _refuse_listed(tx.connection, watchlist_id, draft.nominal.strip())
                tx.connection.execute(subject.insert().values(_subject_row(name, current, draft, actor, now)))
                payload: dict[str, Json] = {
                    "justification": draft.justification.strip(),
                    "grading": str(draft.grading or current.grading),
                    "under_18": draft.under_18,
                    "under_18_rationale": draft.under_18_rationale.strip(),
                    "lawfully_held": draft.lawfully_held,
                }
                revision = self._store(tx, actor, Action.SUBJECT_ENROLLED, current, name, added, warnings, payload)
                return read_subject(tx.connection, name), revision

            made, revision = self._database.write(act)
        self._indexing.settle(watchlist_id, revision)
        return Enrolment(made, warnings)

    def add_image(self, actor: Actor, subject_id: str, image: ImageDraft) -> Enrolment:
        """Add a picture of an enrolled subject; an approved list becomes a draft again.

        FrsError as :meth:`enrol`, and SUBJECT_NOT_FOUND, SUBJECT_WITHDRAWN.
        """
        with self._database.read() as connection:
            person = read_subject(connection, subject_id, actor.scope)
        with self._refusals.recorded(actor, person.watchlist, person.nominal, (image,)):
            check_images((image,), self._settings.watchlist, self._clock.now())
            with self._database.read() as connection:
                found = self._open_list(connection, actor, person.watchlist)
                self._refuse_image(read_subject(connection, subject_id), image)
            added = portraits(self._engine, (image,), self._settings.quality)
            warnings = self._warnings(found, subject_id, added, self._templates(subject_id))

            def act(tx: Transaction) -> tuple[Subject, int]:
                current = self._open_list(tx.connection, actor, person.watchlist)
                self._refuse_image(read_subject(tx.connection, subject_id), image)
                revision = self._store(tx, actor, Action.SUBJECT_IMAGE_ADDED, current, subject_id, added, warnings, {})
                return read_subject(tx.connection, subject_id), revision

            made, revision = self._database.write(act)
        self._indexing.settle(person.watchlist, revision)
        return Enrolment(made, warnings)

    def _open_list(self, connection: sa.Connection, actor: Actor, watchlist_id: str) -> Standing:
        """Return a list that may take entries from the actor.

        It is not retired and, since it grants no authority then, not expired; an active one takes them from an
        authorising officer alone. Its templates are all of the model and profile in use: a list of two models could be
        searched under neither.
        """
        require_watchlist(actor.scope, watchlist_id)
        standings = read_standings(connection, watchlist_id)
        if not standings:
            raise unknown_watchlist(watchlist_id)
        (found,) = standings
        states.require_state(found, WatchlistState.DRAFT, WatchlistState.APPROVED, WatchlistState.ACTIVE)
        states.require_unexpired(found, self._clock.now())
        states.require_authority(found, actor)
        self._standings.require_own(watchlist_id, self._engine.model)
        return found

    def _refuse_image(self, person: Subject, image: ImageDraft) -> None:
        if person.state is not SubjectState.ENROLLED:
            message = f"Subject {person.id} has been {person.state}."
            raise FrsError(Reason.SUBJECT_WITHDRAWN, message, subject=person.id)
        most = self._settings.watchlist.max_images
        if len(person.images) >= most:
            raise too_many_images(len(person.images) + 1, most)
        sha256 = digest(image)
        same = next((held for held in person.images if held.sha256 == sha256), None)
        if same is not None:
            message = f"The picture is enrolled for subject {person.id} already."
            raise FrsError(Reason.IMAGE_EXISTS, message, subject=person.id, existing=same.id)

    def _warnings(
        self, found: Standing, subject_id: str, added: Sequence[Portrait], own: npt.NDArray[np.float32]
    ) -> tuple[str, ...]:
        if self._galleries.revision(found.id) is None:
            self._indexing.catch_up(found.id)
        closer = self._likeness.warnings(found.id, subject_id, added, own, tuple(found.thresholds.values()))
        return (*closer, *(portrait.note for portrait in added if portrait.note))

    def _templates(self, subject_id: str) -> npt.NDArray[np.float32]:
        """Return a subject's templates of the model in use, (n, dimension)."""
        table, model = reference_image.c, self._engine.model
        query = sa.select(table.template_sealed).where(
            table.subject_id == subject_id, table.model == model.id, table.profile == model.profile
        )
        with self._database.read() as connection:
            sealed = connection.scalars(query).all()
        opened = [open_template(self._vault, subject_id, one) for one in sealed]
        return np.stack(opened) if opened else np.empty((0, model.dimension), np.float32)

    def _store(
        self,
        tx: Transaction,
        actor: Actor,
        action: Action,
        found: Standing,
        subject_id: str,
        added: Sequence[Portrait],
        warnings: Sequence[str],
        payload: dict[str, Json],
    ) -> int:
        """Store a subject's images, seal their biometrics, log the act and have it indexed; returns the revision."""
        now = self._clock.now()
        rows = [self._insert(tx, found.id, subject_id, portrait, actor, now) for portrait in added]
        values = states.widened(found) | {"revision": found.revision + 1, "updated_at": now}
        tx.connection.execute(watchlist.update().where(watchlist.c.id == found.id).values(values))
        note_drafter(tx.connection, found, actor)
        nominal = tx.connection.execute(sa.select(subject.c.nominal).where(subject.c.id == subject_id)).scalar_one()
        model = self._engine.model
        payload |= {
            "subject": subject_id,
            "images": [_image_json(portrait) for portrait in added],
            "approves": found.state is WatchlistState.ACTIVE,
            "model": model.id,
            "profile": model.profile,
            "warnings": [*warnings],
        }
        references = References(watchlists=(ListVersion(found.id, values["version"]),), subjects=(nominal,))
        self._audit.append(tx, Event(action, actor, references, payload))
        return self._indexing.follow(tx, found.id, lambda revision: self._galleries.add(found.id, revision, rows))

    def _insert(
        self, tx: Transaction, watchlist_id: str, subject_id: str, portrait: Portrait, actor: Actor, now: datetime
    ) -> GalleryRow:
        values = {
            "id": portrait.id,
            "subject_id": subject_id,
            "watchlist_id": watchlist_id,
            "source": portrait.draft.source.strip(),
            "taken_on": portrait.draft.taken_on,
            "sha256": portrait.sha256,
            "quality": portrait.face.quality.as_json(),
            "model": self._engine.model.id,
            "profile": self._engine.model.profile,
            "template_sealed": seal_template(self._vault, subject_id, portrait.template),
            "crop_sealed": self._vault.seal(owner(subject_id), portrait.crop, CROP),
            "created_at": now,
            "created_by": actor.name,
        }
        inserted = tx.connection.execute(reference_image.insert().values(values)).inserted_primary_key
        assert inserted is not None
        return GalleryRow(int(inserted[0]), subject_id, portrait.id, portrait.template)


def _subject_row(name: str, found: Standing, draft: SubjectDraft, actor: Actor, now: datetime) -> dict[str, Any]:
    return {
        "id": name,
        "watchlist_id": found.id,
        "nominal": draft.nominal.strip(),
        "justification": draft.justification.strip(),
        "grading": str(draft.grading or found.grading),
        "under_18": draft.under_18,
        "under_18_rationale": draft.under_18_rationale.strip(),
        "lawfully_held": draft.lawfully_held,
        "state": str(SubjectState.ENROLLED),
        "created_at": now,
        "created_by": actor.name,
    }


def _refuse_repeated(images: Sequence[ImageDraft]) -> None:
    digests = [digest(image) for image in images]
    if len(set(digests)) != len(digests):
        raise FrsError(Reason.IMAGE_EXISTS, "The same picture is given twice.")


def _refuse_listed(connection: sa.Connection, watchlist_id: str, nominal: str) -> None:
    listed = connection.execute(
        sa.select(subject.c.id).where(
            subject.c.watchlist_id == watchlist_id,
            subject.c.nominal == nominal,
            subject.c.state == str(SubjectState.ENROLLED),
        )
    ).first()
    if listed is not None:
        message = f"The nominal is on watchlist {watchlist_id} already, as subject {listed.id}."
        raise FrsError(Reason.SUBJECT_EXISTS, message, watchlist=watchlist_id, subject=listed.id)


def _image_json(portrait: Portrait) -> dict[str, Json]:
    return {
        "image": portrait.id,
        "sha256": portrait.sha256,
        "source": portrait.draft.source.strip(),
        "taken_on": portrait.draft.taken_on,
        "quality": portrait.face.quality.as_json(),
    }
