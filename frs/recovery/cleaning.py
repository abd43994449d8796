"""What a restored database must not hold: rows sealed under keys that are gone, and people who were erased since.

A backup was made before some erasures. The keys of what they destroyed are gone, so the sealed bytes open for nobody;
but rows that cannot be opened would stop the index, and what names a person in plain text is still there. So every
row whose key is not in the keyring goes as retention or an erasure would have let it go, and everything on a person
who was erased after the backup goes as their erasure did; ``subject.erased`` says so in their own log. What fell due
by its age alone, the next retention run takes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.index.galleries import Galleries
from frs.match.bell import Bell
from frs.match.candidate_records import probe_owner
from frs.match.uploads import Uploads
from frs.retention.erasers import Erasers
from frs.retention.erasure import ErasureState
from frs.retention.hold_scope import NOMINAL, in_force
from frs.retention.holds import Holds
from frs.retention.person import PersonErasing, person_mark
from frs.retention.run_record import log_people
from frs.review.alerts import Alerts
from frs.review.assignments import Assignments
from frs.review.cases import Cases
from frs.review.pictures import CasePictures
from frs.review.vigilance_pair import pair_owner, removed_pair
from frs.settings import Settings
from frs.store.database import Database, Transaction
from frs.store.keyring import Keyring
from frs.store.schema import (
    alert,
    audit_payload,
    erasure,
    hold,
    job_candidate,
    job_probe,
    operator_search,
    reference_image,
    upload,
    vigilance_pair,
)
from frs.store.schema import subject as subject_table
from frs.store.vault import Vault, is_pseudonym
from frs.types import Actor, Event, Json, ModelInfo, References
from frs.watchlist.erasing import SubjectErasing
from frs.watchlist.rebuilding import Indexing
from frs.watchlist.standing import Standings

T = TypeVar("T")
_AT_ONCE = 500
LOGGED_AT_ONCE = 100
"""Most people to whom one event refers."""


@dataclass(slots=True)
class Dead:
    """What must go: ids by kind, events by index."""

    ids: dict[str, list[str]] = field(default_factory=dict)
    payloads: list[int] = field(default_factory=list)
    people: list[str] = field(default_factory=list)
    """Nominals of people erased since the backup."""
    lost: int = 0
    """Owners whose key nobody destroyed, but which is not in the keyring: it is older than the backup."""
    absent: int = 0
    """Uploads whose files are not there."""

    def counts(self) -> dict[str, int]:
        """Return how much of each kind."""
        kinds = {kind: len(ids) for kind, ids in self.ids.items()}
        more = {"payloads": len(self.payloads), "people": len(self.people), "keys_lost": self.lost}
        return kinds | more | {"uploads_absent": self.absent}


def find_dead(
    connection: sa.Connection, keyring: Keyring, vault: Vault, audit: AuditLog, uploads: Path, erased: Collection[str]
) -> Dead:
    """Look through everything sealed; ``erased`` are the owners of the erasure journal and the keyring's record."""
    dead = Dead()

    def gone(kind: str, query: sa.Select[tuple[str]], owner: Callable[[str], str]) -> None:
        ids: list[str] = [str(each) for each in connection.scalars(query)]
        dead.ids[kind] = [each for each, _ in _without_key(keyring, ids, owner, dead)]

    pictures = sa.or_(alert.c.probe_sealed.is_not(None), alert.c.reference_sealed.is_not(None))
    gone("subjects", sa.select(reference_image.c.subject_id).distinct(), lambda each: f"subject:{each}")
    gone("alerts", sa.select(alert.c.id).where(pictures), lambda each: f"alert:{each}")
    gone("job_crops", sa.select(job_probe.c.id), probe_owner)
    kept = operator_search.c.probe_sealed.is_not(None)
    gone("searches", sa.select(operator_search.c.id).where(kept), lambda each: f"search:{each}")
    held = sa.select(upload.c.id).where(upload.c.state != "destroyed", upload.c.stored > 0)
    in_the_set = sa.select(vigilance_pair.c.id).where(vigilance_pair.c.removed_at.is_(None))
    gone("pairs", in_the_set, pair_owner)
    gone("uploads", held, lambda each: f"upload:{each}")
    dead.ids["uploads"] += _absent(connection, uploads, dead)
    seqs = list(connection.scalars(sa.select(audit_payload.c.seq).order_by(audit_payload.c.seq)))
    dead.payloads = [seq for seq, _ in _without_key(keyring, seqs, audit.origins.payload_owner, dead)]
    dead.people = [n for n in _nominals(connection) if person_mark(vault.pseudonym("subject", n)) in erased]
    return dead


class Cleaning:
    """Takes out of an open restored database what :func:`find_dead` found."""

    def __init__(
        self, database: Database, keyring: Keyring, vault: Vault, audit: AuditLog, settings: Settings, clock: Clock
    ) -> None:
        """Take the rooms that erase; ``settings`` say where the restored uploads lie."""
        self._database, self._keyring, self._vault, self._audit = database, keyring, vault, audit
        galleries, standings = Galleries(1), Standings()  # empty: the index is built when the service starts
        model = ModelInfo("none", "none", 1, "plain", "none")
        indexing = Indexing(database, vault, galleries, model, standings)
        people = SubjectErasing(vault, galleries, standings, indexing, clock)
        self._uploads = Uploads(database, vault, audit, settings, clock)
        pictures = CasePictures(vault, _NoReferences())
        cases = Cases(database, vault, audit, pictures, settings, clock, lambda: 0)  # nobody decides meanwhile
        rooms = (database, vault, audit, galleries, people, self._uploads, settings, clock)
        self._erasers = Erasers(*rooms, cases=cases)
        alerts = Alerts(database, vault, audit, Bell(), clock)
        assignments = Assignments(database, vault, audit, alerts, clock)
        self._erasers.heed_alerts(lambda tx, alert_id: assignments.withdraw(tx, alert_id, "erased"))
        self._people = PersonErasing(vault, audit, self._erasers)
        self._holds = Holds(database, vault, audit, clock)
        self._clock = clock

    def run(self, actor: Actor, dead: Dead, report: Callable[[int, int], None]) -> dict[str, int]:
        """Do it in bounded acts; returns how much of each kind went. ``report`` gets what is done and the whole."""
        whole = sum(len(ids) for ids in dead.ids.values()) + len(dead.payloads) + len(dead.people)
        done, counts = 0, Counter[str]()
        steps: dict[str, Callable[[Transaction, Sequence[str]], None]] = {
            "subjects": lambda tx, ids: self._subjects(tx, actor, ids),
            "alerts": self._alerts,
            "job_crops": self._probes,
            "searches": self._searches,
            "pairs": self._pairs,
            "uploads": lambda tx, ids: self._uploads.destroy(tx, actor, ids, "gone since the backup"),
        }
        for kind, act in steps.items():
            for ids in _parts(dead.ids.get(kind, [])):
                self._database.write(lambda tx, act=act, ids=ids: act(tx, ids))  # type: ignore[misc]  # bound now
                counts[kind] += len(ids)
                report(done := done + len(ids), whole)
        for seqs in _parts(dead.payloads):
            self._database.write(lambda tx, seqs=seqs: self._erasers.payload(tx, seqs))  # type: ignore[misc]
            counts["payloads"] += len(seqs)
            report(done := done + len(seqs), whole)
        for nominal in dead.people:  # after the payloads: it reads those that are left
            self._database.write(lambda tx, name=nominal: self._person(tx, actor, name))  # type: ignore[misc]
            counts["people"] += 1
            report(done := done + 1, whole)
        return dict(counts)

    def _subjects(self, tx: Transaction, actor: Actor, ids: Sequence[str]) -> None:
        gone = [each for each in ids if self._erasers.subject(tx, each, "restoration")]
        for start in range(0, len(gone), LOGGED_AT_ONCE):
            log_people(tx, self._audit, actor, "restoration", gone[start : start + LOGGED_AT_ONCE])

    def _person(self, tx: Transaction, actor: Actor, nominal: str) -> None:
        done = self._people.erase(tx, nominal, self._clock.now())
        pseudonym = self._vault.pseudonym("subject", nominal)
        theirs = sa.select(hold.c.id).where(hold.c.kind == NOMINAL, hold.c.target == pseudonym)
        for each in tx.connection.scalars(theirs.where(in_force(self._clock.now())).order_by(hold.c.id)).all():
            self._holds.release_in(tx, actor, each, "The person was erased after the backup was made.")
        # The events of their erasure are lost; without this one their log would not say that they were erased.
        concerns = References(done.versions, (pseudonym,))
        said: dict[str, Json] = {"kind": "restoration", "asked_for": True, "destroyed": {**done.counts}}
        self._audit.append(tx, Event(Action.SUBJECT_ERASED, actor, concerns, said))
        # A request that waited for a decision was answered by the erasure, whose record is lost with the old database.
        answered = erasure.update().where(erasure.c.nominal == nominal)
        tx.connection.execute(answered.values(nominal=None, state=str(ErasureState.DONE)))

    def _alerts(self, tx: Transaction, ids: Sequence[str]) -> None:
        sealed = dict.fromkeys(("probe_sealed", "reference_sealed", "frame_sealed"))
        values = {**sealed, "frame_faces": sa.null(), "pictures_erased_at": self._clock.now()}
        tx.connection.execute(alert.update().where(alert.c.id.in_(ids)).values(values))
        self._destroy(tx, [f"alert:{each}" for each in ids])

    def _probes(self, tx: Transaction, ids: Sequence[str]) -> None:
        tx.connection.execute(job_candidate.delete().where(job_candidate.c.probe_id.in_(ids)))
        tx.connection.execute(job_probe.delete().where(job_probe.c.id.in_(ids)))
        self._destroy(tx, [probe_owner(each) for each in ids])

    def _searches(self, tx: Transaction, ids: Sequence[str]) -> None:
        values = {"probe_sealed": None}
        tx.connection.execute(operator_search.update().where(operator_search.c.id.in_(ids)).values(values))
        self._destroy(tx, [f"search:{each}" for each in ids])

    def _pairs(self, tx: Transaction, ids: Sequence[str]) -> None:
        emptied = removed_pair(self._clock.now())
        tx.connection.execute(vigilance_pair.update().where(vigilance_pair.c.id.in_(ids)).values(emptied))
        self._destroy(tx, [pair_owner(each) for each in ids])

    def _destroy(self, tx: Transaction, owners: Sequence[str]) -> None:
        """Have lost keys recorded as destroyed, so that nobody makes them again."""
        destroyed = self._vault.destroyed_among(owners)
        self._erasers.destroy_key(tx, *(owner for owner in owners if owner not in destroyed))


class _NoReferences:
    """No picture is opened while a database is cleaned."""

    def reference_crop(self, connection: sa.Connection, reference: str) -> bytes:  # noqa: ARG002  # the protocol's
        raise FrsError(Reason.ERASED, "Pictures are not opened here.")


def _without_key(keyring: Keyring, ids: Sequence[T], owner: Callable[[T], str], dead: Dead) -> Iterator[tuple[T, str]]:
    for part in _parts(ids):
        owners = [owner(each) for each in part]
        alive = keyring.alive(owners)
        for each, name in zip(part, owners, strict=True):
            if name not in alive:
                dead.lost += not keyring.destroyed(name)
                yield each, name


def _absent(connection: sa.Connection, folder: Path, dead: Dead) -> list[str]:
    """Return uploads whose file is not there or too short: it was destroyed while the backup was made."""
    found = []
    known = set(dead.ids["uploads"])
    query = sa.select(upload.c.id, upload.c.stored).where(upload.c.state != "destroyed", upload.c.stored > 0)
    for upload_id, stored in connection.execute(query):
        file = folder / upload_id
        if upload_id not in known and (not file.is_file() or file.stat().st_size < stored):
            found.append(upload_id)
    dead.absent = len(found)
    return found


def _nominals(connection: sa.Connection) -> list[str]:
    """Return every nominal that the database holds, once."""
    found: set[str] = set()
    for column in (subject_table.c.nominal, alert.c.nominal, job_candidate.c.nominal):
        found.update(connection.scalars(sa.select(column).distinct()))
    found.update(connection.scalars(sa.select(hold.c.target).where(hold.c.kind == NOMINAL)))
    found.update(connection.scalars(sa.select(erasure.c.nominal).where(erasure.c.nominal.is_not(None))))
    for candidates in connection.scalars(sa.select(operator_search.c.candidates)):
        found.update(str(each["nominal"]) for each in candidates)
    return sorted(each for each in found if not is_pseudonym(each))


def _parts(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), _AT_ONCE):
        yield items[start : start + _AT_ONCE]
