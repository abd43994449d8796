"""Destroying what is held: one thing at a time, inside the act of whoever decided it.

Each primitive destroys the keys of the pictures, takes the sealed bytes out of the database and empties what names a
person: nominals become pseudonyms (:meth:`frs.store.vault.Vault.pseudonym`), so that what is held under one and what
the log says still find each other; reasons, notes and justifications become empty. What is counted stays: ids, times,
states, scores, thresholds, lists, deployment, camera, and who decided.

Each returns whether, or how often, there was something to destroy: again is harmless. None logs: the act that calls
does, once, for all it destroyed. After the commit the keys are gone from the keyring, the deleted bytes from the
database's files and the templates from the index.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

import sqlalchemy as sa

from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.index.galleries import Galleries
from frs.match.bell import Bell
from frs.match.candidate_records import probe_owner
from frs.match.job_records import OPEN_STATES
from frs.match.uploads import Uploads
from frs.review.alert import AlertState
from frs.review.cases import Cases
from frs.settings import Settings
from frs.store.database import Database, Transaction
from frs.store.schema import (
    alert,
    alert_feed,
    audit_payload,
    job,
    job_candidate,
    job_item,
    job_probe,
    operator_search,
    upload,
)
from frs.store.vault import Vault
from frs.types import Actor, Json
from frs.watchlist.erasing import SubjectErasing


class Erasers:
    """The primitives. Every method runs inside an act, on the writer's thread."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: AuditLog,
        galleries: Galleries,
        people: SubjectErasing,
        uploads: Uploads,
        settings: Settings,
        clock: Clock,
        bell: Bell | None = None,
        cases: Cases | None = None,
    ) -> None:
        """``people`` erases entries of watchlists; ``bell`` is the one that reviewers listen to.

        ``cases`` closes what is erased undecided, and empties what reviewers wrote about it.
        """
        self._database, self._vault, self._audit, self._galleries = database, vault, audit, galleries
        self._people, self._uploads, self._settings, self._clock = people, uploads, settings, clock
        self._bell, self._cases = bell, cases
        self._on_alert: tuple[Callable[[Transaction, str], None], ...] = ()

    def heed_alerts(self, listener: Callable[[Transaction, str], None]) -> None:
        """Have every alert that is about to be erased told to ``listener``, by its id and within the act."""
        self._on_alert = (*self._on_alert, listener)

    def alert_pictures(self, tx: Transaction, alert_id: str) -> bool:
        """Destroy the pictures of an alert: both faces, and the frame with where the others are in it."""
        changed = tx.connection.execute(
            alert.update()
            .where(alert.c.id == alert_id, alert.c.pictures_erased_at.is_(None))
            .values(
                probe_sealed=None,
                reference_sealed=None,
                frame_sealed=None,
                frame_faces=sa.null(),
                pictures_erased_at=self._clock.now(),
            )
        )
        if not changed.rowcount:
            return False
        self.destroy_key(tx, f"alert:{alert_id}")
        return True

    def alert(self, tx: Transaction, alert_id: str) -> bool:
        """Erase an alert: pictures, name and texts. One that nobody decided is ``unreviewed`` from now on."""
        row = tx.connection.execute(
            sa.select(alert.c.nominal, alert.c.adjudicated_at, alert.c.engagement_at).where(
                alert.c.id == alert_id, alert.c.erased_at.is_(None)
            )
        ).one_or_none()
        if row is None:
            return False
        for listener in self._on_alert:
            listener(tx, alert_id)
        if self._cases is not None:  # while the alert still says whom it concerns
            self._cases.close_unreviewed(tx, alert_id=alert_id)
        self.alert_pictures(tx, alert_id)
        tx.erases = True
        now = self._clock.now()
        pending = alert.c.state == str(AlertState.PENDING)
        tx.connection.execute(
            alert.update()
            .where(alert.c.id == alert_id)
            .values(
                nominal=self._vault.pseudonym("subject", row.nominal),
                adjudication_reason=None if row.adjudicated_at is None else "",
                engagement_note=None if row.engagement_at is None else "",
                state=sa.case((pending, str(AlertState.UNREVIEWED)), else_=alert.c.state),
                erased_at=now,
            )
        )
        tx.connection.execute(alert_feed.insert().values(alert_id=alert_id, kind="erased", created_at=now))
        if self._bell is not None:
            tx.after_commit(self._bell.ring)
        return True

    def upload(self, tx: Transaction, upload_id: str, why: str) -> bool:
        """Destroy an upload that no open job needs; logged as ``upload.destroyed``. Its size and checksum stay."""
        state = tx.connection.scalar(sa.select(upload.c.state).where(upload.c.id == upload_id))
        if state in {None, "destroyed"} or self._uploads.in_use(tx.connection, [upload_id]):
            return False
        tx.erases = True
        self._uploads.destroy(tx, Actor.system(), [upload_id], why)
        return True

    def job(self, tx: Transaction, job_id: str) -> bool:
        """Erase what a finished job found, and its texts; its counts stay. False for one that is still open."""
        row = tx.connection.execute(
            sa.select(job.c.state).where(job.c.id == job_id, job.c.erased_at.is_(None))
        ).one_or_none()
        if row is None or row.state in OPEN_STATES:
            return False
        probes = tx.connection.scalars(sa.select(job_probe.c.id).where(job_probe.c.job_id == job_id)).all()
        if self._cases is not None:
            self._cases.close_unreviewed(tx, job_id=job_id)
        tx.connection.execute(job_candidate.delete().where(job_candidate.c.job_id == job_id))
        self._probes(tx, probes)
        tx.erases = True
        cleared = {"reason": "", "incident": "", "authorisation": "", "error_message": None}
        values = {**cleared, "probes_matched": len(probes), "erased_at": self._clock.now()}
        tx.connection.execute(job.update().where(job.c.id == job_id).values(values))
        tx.connection.execute(job_item.update().where(job_item.c.job_id == job_id).values(error_message=None))
        self._file_names(tx, job_id)
        return True

    def job_person(self, tx: Transaction, job_id: str, nominal: str) -> tuple[int, int]:
        """Erase one person from what a job found: every candidate that is them, and the crops of nobody else.

        Returns how many candidates and how many crops.
        """
        table = job_candidate.c
        theirs = sa.and_(table.job_id == job_id, table.nominal == nominal)
        probes = set(tx.connection.scalars(sa.select(table.probe_id).where(theirs)))
        self._close_probes(tx, probes, nominal)
        gone = tx.connection.execute(job_candidate.delete().where(theirs)).rowcount
        if gone:
            tx.erases = True
        shared = set(tx.connection.scalars(sa.select(table.probe_id).where(table.probe_id.in_(probes))))
        alone = sorted(probes - shared)
        if alone:
            found = sa.select(sa.func.count()).select_from(job_probe).where(job_probe.c.job_id == job_id)
            held = sa.func.coalesce(job.c.probes_matched, found.scalar_subquery())
            ended = sa.and_(job.c.id == job_id, job.c.state.not_in(OPEN_STATES))
            tx.connection.execute(job.update().where(ended).values(probes_matched=held))
            self._probes(tx, alone)
        return gone, len(alone)

    def search(self, tx: Transaction, search_id: str) -> bool:
        """Erase an operator search: its kept probe, its texts, and the names of those it found."""
        return self._search(tx, search_id, None)

    def search_person(self, tx: Transaction, search_id: str, nominal: str) -> bool:
        """Erase one person from an operator search.

        Its probe and texts go with them: it was one photograph of one person, who may be they. Other candidates stay.
        """
        return self._search(tx, search_id, nominal)

    def subject(self, tx: Transaction, subject_id: str, why: str) -> bool:  # noqa: ARG002  # for those who log by subject
        """Erase a person from a watchlist, enrolled or withdrawn; the index follows after the commit."""
        return self._people.erase_in(tx, subject_id)

    def payload(self, tx: Transaction, seqs: Sequence[int]) -> int:
        """Destroy the payloads of these events; their leaves stay and verify. Returns how many were held."""
        gone = 0
        for start in range(0, len(seqs), _AT_ONCE):
            part = seqs[start : start + _AT_ONCE]
            owners = [self._audit.origins.payload_owner(seq) for seq in part]
            destroyed = self._vault.destroyed_among(owners)
            held = [owner for owner in owners if owner not in destroyed]
            self.destroy_key(tx, *held)
            gone += len(held)
            tx.connection.execute(audit_payload.delete().where(audit_payload.c.seq.in_(part)))
        tx.erases = tx.erases or bool(seqs)
        return gone

    def destroy_key(self, tx: Transaction, *owners: str) -> None:
        """Destroy the owners' keys with the act."""
        tx.erases = True
        self._vault.destroy(*owners)

    # --- inside ---

    def _probes(self, tx: Transaction, probes: Sequence[str]) -> None:
        self.destroy_key(tx, *map(probe_owner, probes))
        for start in range(0, len(probes), _AT_ONCE):
            tx.connection.execute(job_probe.delete().where(job_probe.c.id.in_(probes[start : start + _AT_ONCE])))

    def _close_probes(self, tx: Transaction, probes: set[str], nominal: str) -> None:
        """Close the cases that show nobody but this person; of the others empty what reviewers wrote."""
        if self._cases is None:
            return
        others = sa.select(job_candidate.c.probe_id).where(
            job_candidate.c.probe_id.in_(probes), job_candidate.c.nominal != nominal
        )
        shared = set(tx.connection.scalars(others))
        for probe in sorted(probes):
            if probe in shared:
                self._cases.empty_texts(tx, probe_id=probe)
            else:
                self._cases.close_unreviewed(tx, probe_id=probe)

    def _file_names(self, tx: Transaction, job_id: str) -> None:
        """Empty the names of the job's media that no other job's record shows."""
        media = sa.select(job_item.c.upload_id).where(job_item.c.job_id == job_id)
        others = (
            sa.select(job_item.c.upload_id)
            .join(job, job.c.id == job_item.c.job_id)
            .where(job_item.c.job_id != job_id, job.c.erased_at.is_(None))
        )
        unneeded = sa.and_(upload.c.id.in_(media), upload.c.id.not_in(others), upload.c.state == "destroyed")
        tx.connection.execute(upload.update().where(unneeded).values(file_name=""))

    def _search(self, tx: Transaction, search_id: str, nominal: str | None) -> bool:
        table = operator_search.c
        columns = (table.candidates, table.outcome_reason, table.probe_sealed.is_not(None).label("kept"))
        query = sa.select(*columns).where(table.id == search_id, table.erased_at.is_(None))
        row = tx.connection.execute(query).one_or_none()
        if row is None or (nominal is not None and all(found["nominal"] != nominal for found in row.candidates)):
            return False
        tx.erases = True
        candidates = [self._unnamed(found, nominal) for found in row.candidates]
        alone = nominal is None or all(found["nominal"] == nominal for found in row.candidates)
        erased_at: datetime | None = self._clock.now() if alone else None
        values = {
            "candidates": candidates,
            "reason": "",
            "outcome_reason": None if row.outcome_reason is None else "",
            "probe_sealed": None,
            "erased_at": erased_at,
        }
        tx.connection.execute(operator_search.update().where(table.id == search_id).values(values))
        if row.kept:
            self.destroy_key(tx, f"search:{search_id}")
        return True

    def _unnamed(self, found: dict[str, Json], nominal: str | None) -> dict[str, Json]:
        if nominal is not None and found["nominal"] != nominal:
            return found
        return {**found, "nominal": self._vault.pseudonym("subject", str(found["nominal"]))}


_AT_ONCE = 500
