"""Everything held on one person, destroyed in one act: all of it or nothing.

What goes: their entries on every watchlist with templates, crops and texts; their alerts; the candidates that they are
in jobs, with the crops that show nobody else; in operator searches their name, the kept probe and the texts; the
payloads of every event that concerns them; the nominal itself wherever the database has it. What stays says nothing but
the pseudonym: that somebody was on which list from when to when, how often somebody was alerted for, and the leaves of
the log.

Uploads stay: media of a place show many people, are destroyed with the job that searches them, and nobody knows who
is in one that was not searched. The payloads of erasures stay: they name no nominal, and they prove the erasure.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.concerning import Concerning, concerning_within
from frs.audit.event import format_time
from frs.audit.log import AuditLog
from frs.audit.reading import read_event
from frs.audit.texts import texts_of
from frs.retention.erasers import Erasers
from frs.retention.mentions import mentions, replace_mentions
from frs.retention.outside import Outside, find_outside
from frs.store.schema import (
    alert,
    audit_reference,
    hold,
    job_candidate,
    key_destruction,
    reference_image,
    subject,
    watchlist,
)
from frs.store.transaction import Transaction
from frs.store.vault import Vault
from frs.types import Json, ListVersion


@dataclass(frozen=True, slots=True)
class Destroyed:
    """What an erasure destroyed."""

    counts: dict[str, int]
    """By kind, see docs/erasure.md."""
    listed: tuple[dict[str, Json], ...]
    """What stays known of each entry on a watchlist: ``watchlist``, ``subject``, ``since``, ``until``."""
    keys: tuple[tuple[int, str], ...]
    """Position in the erasure journal and owner of every key that was destroyed."""
    outside: Outside
    versions: tuple[ListVersion, ...]
    """The watchlists that changed, as they stand after it."""


class PersonErasing:
    """Destroys what is held on a person. Thread-safe; the caller logs the act."""

    def __init__(self, vault: Vault, audit: AuditLog, erasers: Erasers) -> None:
        self._vault, self._audit, self._erasers = vault, audit, erasers

    def erase(self, tx: Transaction, nominal: str, now: datetime) -> Destroyed:
        """Destroy everything in the caller's act; with nothing left to destroy every count is 0."""
        connection = tx.connection
        pseudonym = self._vault.pseudonym("subject", nominal)
        before = connection.scalar(sa.select(sa.func.max(key_destruction.c.position))) or 0
        logged = concerning_within(connection, self._audit, pseudonym)
        outside = find_outside(connection, self._audit, self._vault, nominal, logged, now)
        counts: Counter[str] = Counter()
        changed = self._subjects(tx, nominal, counts)
        for alert_id in connection.scalars(sa.select(alert.c.id).where(alert.c.nominal == nominal)).all():
            counts["alerts"] += self._erasers.alert(tx, alert_id)
        self._jobs(tx, nominal, counts)
        for search_id in sorted(logged.others["search"]):
            counts["searches"] += self._erasers.search_person(tx, search_id, nominal)
        counts["payloads"] = self._erasers.payload(tx, self._naming(connection, logged, nominal))
        counts["holds"] = self._holds(tx, nominal, pseudonym)
        counts["mentions"] = replace_mentions(tx, nominal, pseudonym)
        table = key_destruction.c
        keys = connection.execute(
            sa.select(table.position, table.owner).where(table.position > before).order_by(table.position)
        ).all()
        # No data was sealed under this one: it has a restoration from an older backup erase the person again.
        self._erasers.destroy_key(tx, person_mark(pseudonym))
        kinds = ("subjects", "images", "alerts", "job_candidates", "job_crops", "searches", "payloads", "holds")
        return Destroyed(
            {kind: counts[kind] for kind in (*kinds, "mentions")} | {"keys": len(keys)},
            self._listed(connection, pseudonym, now),
            tuple((position, owner) for position, owner in keys),
            outside,
            self._versions(connection, changed),
        )

    def _subjects(self, tx: Transaction, nominal: str, counts: Counter[str]) -> set[str]:
        """Erase every entry; returns the lists that changed by it."""
        rows = tx.connection.execute(
            sa.select(subject.c.id, subject.c.watchlist_id, subject.c.state).where(subject.c.nominal == nominal)
        ).all()
        changed = set()
        for row in rows:
            images = sa.select(sa.func.count()).where(reference_image.c.subject_id == row.id)
            counts["images"] += tx.connection.scalar(images) or 0
            counts["subjects"] += self._erasers.subject(tx, row.id, "erasure")
            if row.state == "enrolled":
                changed.add(row.watchlist_id)
        return changed

    def _jobs(self, tx: Transaction, nominal: str, counts: Counter[str]) -> None:
        jobs = sa.select(job_candidate.c.job_id).where(job_candidate.c.nominal == nominal).distinct()
        for job_id in tx.connection.scalars(jobs).all():
            candidates, crops = self._erasers.job_person(tx, job_id, nominal)
            counts["job_candidates"] += candidates
            counts["job_crops"] += crops

    def _holds(self, tx: Transaction, nominal: str, pseudonym: str) -> int:
        """Take the nominal out of the holds on the person; whether they stand is not decided here."""
        theirs = sa.and_(hold.c.kind == "nominal", hold.c.target == nominal)
        return tx.connection.execute(hold.update().where(theirs).values(target=pseudonym, reason="")).rowcount

    def _listed(self, connection: sa.Connection, pseudonym: str, now: datetime) -> tuple[dict[str, Json], ...]:
        table = subject.c
        rows = connection.execute(
            sa.select(table.id, table.watchlist_id, table.created_at, table.withdrawn_at, table.erased_at)
            .where(table.nominal == pseudonym)
            .order_by(table.created_at, table.id)
        )
        return tuple(
            {
                "watchlist": row.watchlist_id,
                "subject": row.id,
                "since": format_time(row.created_at),
                "until": format_time(row.withdrawn_at or row.erased_at or now),
            }
            for row in rows
        )

    def _versions(self, connection: sa.Connection, changed: set[str]) -> tuple[ListVersion, ...]:
        query = sa.select(watchlist.c.id, watchlist.c.version).where(watchlist.c.id.in_(sorted(changed)))
        return tuple(ListVersion(name, version) for name, version in connection.execute(query))

    def _naming(self, connection: sa.Connection, logged: Concerning, nominal: str) -> list[int]:
        """Return the events whose payload names the person.

        Those that refer to them, and those on the jobs that found them in which somebody wrote the nominal.
        """
        theirs = {seq for seq, action in logged.actions.items() if not _proves_an_erasure(action)}
        table = audit_reference.c
        on_jobs = sa.select(table.seq).where(table.kind == "job", table.value.in_(sorted(logged.others["job"])))
        for seq in connection.scalars(on_jobs).all():
            if seq not in logged.actions:
                event = read_event(connection, seq, self._vault, self._audit.origins)
                if any(mentions(text, nominal) for text in texts_of(event.payload)):
                    theirs.add(seq)
        return sorted(theirs)


def _proves_an_erasure(action: str) -> bool:
    """Whether an event's payload holds no nominal, and says what was erased."""
    return action.startswith("erasure.") or action == Action.SUBJECT_ERASED


def person_mark(pseudonym: str) -> str:
    """Return the owner under which the erasure journal says that a person was erased."""
    return f"person:{pseudonym}"
