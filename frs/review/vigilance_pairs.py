"""The set of known pairs: added, listed and removed by those in charge, never by those who review.

Promises: the pictures are sealed under the pair's own key (owner ``pair:<id>``) before the commit that stores them;
each act and its event are one transaction; a removed pair's pictures are gone with the commit, and what reviewers
decided on it still counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.embed.blurring import Box, bystanders, portrait
from frs.embed.decoding import encode_jpeg
from frs.embed.engine import Analysis, FaceEngine
from frs.errors import FrsError, Reason
from frs.match.alerting import FRAME, PROBE, REFERENCE
from frs.match.frames import FrameKeeping, KeptFrame, Scene
from frs.match.newest import newest_first
from frs.review.vigilance_pair import PairDraft, VigilancePair, pair_digest, pair_owner, removed_pair
from frs.settings import Settings
from frs.store.database import Database, Transaction
from frs.store.schema import review_case, subject, vigilance_pair
from frs.store.vault import Vault, is_pseudonym
from frs.types import Actor, Event, Face, Json, Page, References, new_id
from frs.watchlist.faces import choose_face

__all__ = ["PairDraft", "VigilancePair", "VigilancePairs"]

OnRemoved: TypeAlias = Callable[[Transaction, str], None]

_FACTS = (
    *("id", "matching", "nominal", "source", "score", "model", "profile", "created_at", "created_by"),
    "removed_at",
)


@dataclass(frozen=True, slots=True, eq=False)
class _Compared:
    """Both pictures, looked at and compared."""

    probe: Analysis
    face: Face
    reference: Analysis
    reference_face: Face
    score: float
    frame: KeptFrame
    """The whole photograph, as an alert's frame is kept."""


class VigilancePairs:
    """The set. Thread-safe; callers hold the roles that the method table asks for."""

    def __init__(
        self, database: Database, vault: Vault, audit: AuditLog, engine: FaceEngine, settings: Settings, clock: Clock
    ) -> None:
        self._database, self._vault, self._audit, self._engine = database, vault, audit, engine
        self._settings, self._clock = settings, clock
        # Whether a check shows its frame is for the policy of its day to say.
        self._frames = FrameKeeping(engine, settings.review.model_copy(update={"keep_frame": True}))
        self._on_removed: tuple[OnRemoved, ...] = ()

    def heed_removals(self, listener: OnRemoved) -> None:
        """Have every removal told to ``listener`` within its transaction."""
        self._on_removed = (*self._on_removed, listener)

    def add(self, actor: Actor, draft: PairDraft, probe: bytes, reference: bytes) -> VigilancePair:
        """Add a pair, each picture with one face, logged as ``vigilance.pair-added``.

        FrsError INVALID_FIELD, PAIR_EXISTS, NO_FACE, SEVERAL_FACES, FACE_QUALITY_TOO_LOW (``image`` in the metadata is
        ``probe`` or ``reference``) or what decoding raises.
        """
        if is_pseudonym(draft.nominal):
            raise FrsError(Reason.INVALID_FIELD, "A pseudonym is no nominal.", field="pair.nominal")
        digest = pair_digest(probe, reference)
        with self._database.read() as connection:  # before the model's time is spent; the act asks again
            _refuse(connection, draft, digest)
        compared = self._compare(probe, reference)
        name = new_id()

        def act(tx: Transaction) -> VigilancePair:
            _refuse(tx.connection, draft, digest)
            row = self._row(name, actor, draft, digest, compared)
            tx.connection.execute(sa.insert(vigilance_pair).values(row))
            payload: dict[str, Json] = {
                "pair": name,
                "matching": draft.matching,
                "nominal": draft.nominal,
                "source": draft.source,
                "score": row["score"],
                "model": row["model"],
                "profile": row["profile"],
                "probe_sha256": hashlib.sha256(probe).hexdigest(),
                "reference_sha256": hashlib.sha256(reference).hexdigest(),
            }
            self._audit.append(tx, Event(Action.VIGILANCE_PAIR_ADDED, actor, References(), payload))
            return self._get(tx.connection, name)

        return self._database.write(act)

    def list(self, actor: Actor, page_size: int = 50, page_token: str = "") -> Page[VigilancePair]:
        """Return the pairs that are held, newest first, logged as ``vigilance.listed``."""
        with self._database.read() as connection:
            columns = (vigilance_pair.c.created_at, vigilance_pair.c.id)
            query = held_pairs()
            rows, token = newest_first(connection, query, columns, "pairs", page_size, page_token)
            page = Page(tuple(pair_from(row) for row in rows), token)
        said: dict[str, Json] = {"shown": len(page.items)}
        event = Event(Action.VIGILANCE_LISTED, actor, References(), said)
        self._database.write(lambda tx: self._audit.append(tx, event))
        return page

    def remove(self, actor: Actor, pair_id: str, reason: str) -> VigilancePair:
        """Destroy both pictures, logged as ``vigilance.pair-removed``. FrsError PAIR_NOT_FOUND, again too."""

        def act(tx: Transaction) -> VigilancePair:
            found = self._get(tx.connection, pair_id)
            tx.erases = True
            emptied = removed_pair(self._clock.now())
            tx.connection.execute(sa.update(vigilance_pair).where(vigilance_pair.c.id == pair_id).values(emptied))
            self._vault.destroy(pair_owner(pair_id))
            for listener in self._on_removed:
                listener(tx, pair_id)
            said: dict[str, Json] = {"pair": pair_id, "reason": reason, "shown": found.shown}
            self._audit.append(tx, Event(Action.VIGILANCE_PAIR_REMOVED, actor, References(), said))
            return found

        return self._database.write(act)

    # --- inside ---

    def _compare(self, probe: bytes, reference: bytes) -> _Compared:
        least = self._settings.quality
        seen, face = self._look(probe, "probe", least.model_copy(update={"min_face_enrol": least.min_face}))
        held, reference_face = self._look(reference, "reference", least)
        templates = self._engine.embed([face, reference_face])
        score = float(np.dot(templates[0], templates[1]))
        frame = self._frames.keep(Scene(probe, face.box, _others(seen, face)))
        assert frame is not None  # there is a scene, and it is to be kept
        return _Compared(seen, face, held, reference_face, score, frame)

    def _look(self, data: bytes, which: str, least: Any) -> tuple[Analysis, Face]:
        try:
            found = self._engine.analyse(data)
            return found, choose_face(found.faces, least)[0]
        except FrsError as error:
            said = {**error.metadata, "image": which}
            raise FrsError(error.reason, f"The {which}: {error.message}", **said) from error

    def _row(self, name: str, actor: Actor, draft: PairDraft, digest: str, found: _Compared) -> dict[str, Any]:
        owner, seal, model = pair_owner(name), self._vault.seal, self._engine.model
        return {
            "id": name,
            "matching": draft.matching,
            "nominal": draft.nominal,
            "source": draft.source,
            "sha256": digest,
            "score": round(found.score, 6),
            "model": model.id,
            "profile": model.profile,
            "probe_quality": found.face.quality.as_json(),
            "reference_quality": found.reference_face.quality.as_json(),
            "probe_sealed": seal(owner, _portrait(found.probe, found.face), PROBE),
            "reference_sealed": seal(owner, _portrait(found.reference, found.reference_face), REFERENCE),
            "frame_sealed": seal(owner, found.frame.jpeg, FRAME),
            "frame_faces": found.frame.faces_json(),
            "created_at": self._clock.now(),
            "created_by": actor.name,
        }

    def _get(self, connection: sa.Connection, pair_id: str) -> VigilancePair:
        row = connection.execute(held_pairs().where(vigilance_pair.c.id == pair_id)).one_or_none()
        if row is None:
            raise FrsError(Reason.PAIR_NOT_FOUND, f"There is no pair {pair_id}.", pair=pair_id)
        return pair_from(row)


def _portrait(found: Analysis, face: Face) -> bytes:
    return encode_jpeg(portrait(found.picture, face.box, _others(found, face)))


def _others(found: Analysis, face: Face) -> tuple[Box, ...]:
    return bystanders(face.box, [each.box for each in found.faces], found.faint)


def held_pairs() -> sa.Select[Any]:
    """Return the query of the pairs whose pictures are held, for :func:`pair_from`."""
    shown = sa.select(sa.func.count()).where(review_case.c.pair_id == vigilance_pair.c.id).scalar_subquery()
    facts = [vigilance_pair.c[name] for name in _FACTS]
    return sa.select(*facts, shown.label("shown")).where(vigilance_pair.c.removed_at.is_(None))


def pair_from(row: sa.Row[Any]) -> VigilancePair:
    """Make a pair of a row of :func:`held_pairs`."""
    values = row._mapping
    return VigilancePair(**{name: values[name] for name in VigilancePair.__slots__})


def _refuse(connection: sa.Connection, draft: PairDraft, digest: str) -> None:
    held = connection.scalar(sa.select(vigilance_pair.c.id).where(vigilance_pair.c.sha256 == digest))
    if held is not None:
        raise FrsError(Reason.PAIR_EXISTS, f"The two pictures are pair {held} already.", pair=held)
    listed = sa.select(subject.c.id).where(subject.c.nominal == draft.nominal, subject.c.state == "enrolled").limit(1)
    if connection.scalar(listed) is not None:
        message = "The nominal is on a watchlist: a check shows one that belongs to nobody."
        raise FrsError(Reason.INVALID_FIELD, message, field="pair.nominal")
