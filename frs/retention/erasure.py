"""Erasure: a person's right to have what is held on them destroyed, and the decision where a hold stands against it.

States: ``undecided`` while holds stand against the request and nobody has decided; ``done``; ``refused``. Without a
hold a request is carried out at once. A decision is a named person's, with a reason. Request, decision and erasure are
events of the log; the erasure itself (:mod:`frs.retention.person`), its event and its record are one transaction, so
that a process that dies leaves all of it or nothing.

The nominal is in the record only while nobody has decided: after that the pseudonym is all that is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.canonical import canonical
from frs.audit.concerning import concerning_within
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.match.newest import newest_first
from frs.retention.certificate import certificate_contents
from frs.retention.erasers import Erasers
from frs.retention.holds import Holds
from frs.retention.mentions import replace_mention
from frs.retention.person import Destroyed, PersonErasing
from frs.store.database import Database, Transaction
from frs.store.schema import erasure, hold, subject
from frs.store.vault import Vault
from frs.types import Actor, Event, Json, Page, References, new_id
from frs.watchlist.registry import Watchlists


class ErasureState(StrEnum):
    """Where a request stands."""

    UNDECIDED = "undecided"
    """Holds stand against it and nobody has decided."""
    DONE = "done"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Erasure:
    """A request to erase what is held on a person, and what became of it."""

    id: str
    state: ErasureState
    subject: str
    """The person's pseudonym."""
    reason: str
    requested_by: str
    requested_at: datetime
    recorded_by: str
    holds: tuple[str, ...]
    """Those that stood against it, by id."""
    decided_at: datetime | None
    decided_by: str | None
    decision_reason: str | None
    seq: int | None
    """Index of the event ``erasure.done``."""
    done: dict[str, Json] | None
    """The certificate's contents (:mod:`frs.retention.certificate`)."""


class Erasures:
    """Takes, decides and carries out requests. Thread-safe; callers hold the role that the method table asks for."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: AuditLog,
        watchlists: Watchlists,
        erasers: Erasers,
        holds: Holds,
        clock: Clock,
        policy: Callable[[], int],
    ) -> None:
        """``policy`` tells the version of the policy in force."""
        self._database, self._vault, self._audit, self._clock = database, vault, audit, clock
        self._watchlists, self._holds, self._policy = watchlists, holds, policy
        self._person = PersonErasing(vault, audit, erasers)

    def request(self, actor: Actor, nominal: str, reason: str, requested_by: str) -> Erasure:
        """Erase everything held on a person; where a hold stands against it, record the request for a decision.

        Again is harmless. Raises FrsError: PERSON_NOT_FOUND when nothing was ever held or logged on such a person,
        LOG_UNAVAILABLE, STORAGE_FULL, STORAGE_FAILED: then nothing happened. INDEX_UNAVAILABLE: it happened, and
        searches of a list are refused until its index is loaded.
        """

        def act(tx: Transaction) -> tuple[Erasure, Destroyed | None]:
            now = self._clock.now()
            pseudonym = self._require_known(tx, nominal)
            holds = self._holds.of_nominal(tx.connection, nominal, now)
            name = new_id()
            values = {
                "id": name,
                "state": str(ErasureState.UNDECIDED),
                "subject": pseudonym,
                "nominal": nominal if holds else None,
                "reason": replace_mention(reason, nominal, pseudonym),
                "requested_by": replace_mention(requested_by, nominal, pseudonym),
                "requested_at": now,
                "recorded_by": actor.name,
                "holds": [*holds],
            }
            tx.connection.execute(erasure.insert().values(values))
            payload: dict[str, Json] = {
                "erasure": name,
                "reason": str(values["reason"]),
                "requested_by": str(values["requested_by"]),
                "holds": [*holds],
            }
            references = References(subjects=(pseudonym,))
            self._audit.append(tx, Event(Action.ERASURE_REQUESTED, actor, references, payload))
            destroyed = None if holds else self._erase(tx, actor, name, nominal)
            return self._read(tx.connection, name), destroyed

        return self._settled(*self._database.write(act))

    def decide(self, actor: Actor, erasure_id: str, erase: bool, reason: str) -> Erasure:
        """Decide a request that a hold stands against: erase all the same, or keep.

        Erasing releases the holds that keep nothing but what concerns the person; those on a watchlist, a job or an
        upload keep others and stand. FrsError ERASURE_NOT_FOUND, ERASURE_DECIDED, INVALID_FIELD without a reason, and
        as :meth:`request`.
        """
        if not reason.strip():
            raise FrsError(Reason.INVALID_FIELD, "A decision needs a reason.", field="reason")

        def act(tx: Transaction) -> tuple[Erasure, Destroyed | None]:
            found = self._read(tx.connection, erasure_id)
            if found.state is not ErasureState.UNDECIDED:
                raise FrsError(Reason.ERASURE_DECIDED, f"Erasure {erasure_id} is {found.state}.", erasure=erasure_id)
            nominal: str = tx.connection.execute(
                sa.select(erasure.c.nominal).where(erasure.c.id == erasure_id)
            ).scalar_one()
            said = replace_mention(reason.strip(), nominal, found.subject)
            decision = {"decided_at": self._clock.now(), "decided_by": actor.name, "decision_reason": said}
            this = erasure.c.id == erasure_id
            tx.connection.execute(erasure.update().where(this).values(decision))
            payload: dict[str, Json] = {
                "erasure": erasure_id,
                "decision": "erase" if erase else "keep",
                "reason": said,
                "holds": [*found.holds],
            }
            references = References(subjects=(found.subject,))
            self._audit.append(tx, Event(Action.ERASURE_DECIDED, actor, references, payload))
            destroyed = None
            if erase:
                standing = self._holds.of_nominal(tx.connection, nominal, self._clock.now())
                destroyed = self._erase(tx, actor, erasure_id, nominal, standing, said)
            else:
                tx.erases = True
                tx.connection.execute(
                    erasure.update().where(this).values(state=str(ErasureState.REFUSED), nominal=None)
                )
            return self._read(tx.connection, erasure_id), destroyed

        return self._settled(*self._database.write(act))

    def get(self, erasure_id: str) -> Erasure:
        """Return a request. FrsError ERASURE_NOT_FOUND."""
        with self._database.read() as connection:
            return self._read(connection, erasure_id)

    def list(self, page_size: int, page_token: str) -> Page[Erasure]:
        """Return requests, newest first. FrsError INVALID_PAGE_TOKEN."""
        with self._database.read() as connection:
            order = (erasure.c.requested_at, erasure.c.id)
            rows, token = newest_first(connection, sa.select(erasure), order, "erasures", page_size, page_token)
        return Page(tuple(_erasure(row) for row in rows), token)

    def _erase(
        self,
        tx: Transaction,
        actor: Actor,
        erasure_id: str,
        nominal: str,
        holds: Sequence[str] = (),
        why: str = "",
    ) -> Destroyed:
        now = self._clock.now()
        pseudonym = self._vault.pseudonym("subject", nominal)
        destroyed = self._person.erase(tx, nominal, now)
        released = [name for name in holds if self._release(tx, actor, name, why)]
        undecided = sa.and_(erasure.c.subject == pseudonym, erasure.c.state == str(ErasureState.UNDECIDED))
        tx.connection.execute(erasure.update().where(undecided).values(nominal=None))
        contents = certificate_contents(
            self._read(tx.connection, erasure_id),
            destroyed,
            released,
            erased_at=now,
            erased_by=actor.name,
            policy=self._policy(),
            installation=self._database.installation_id,
        )
        payload: dict[str, Json] = {
            "erasure": erasure_id,
            "destroyed": dict(destroyed.counts),
            # Commits to the certificate: whoever holds one can check it against the log.
            "certificate_sha256": hashlib.sha256(canonical(contents)).hexdigest(),
        }
        references = References(watchlists=destroyed.versions, subjects=(pseudonym,))
        seq = self._audit.append(tx, Event(Action.ERASURE_DONE, actor, references, payload))
        # Other requests on the person that waited for a decision are answered with this one.
        values = {"state": str(ErasureState.DONE), "seq": seq, "done": contents}
        tx.connection.execute(erasure.update().where(undecided).values(values))
        return destroyed

    def _release(self, tx: Transaction, actor: Actor, hold_id: str, why: str) -> bool:
        kind = tx.connection.scalar(sa.select(hold.c.kind).where(hold.c.id == hold_id))
        if kind in _OF_OTHERS_TOO:
            return False
        self._holds.release_in(tx, actor, hold_id, why)
        return True

    def _settled(self, found: Erasure, destroyed: Destroyed | None) -> Erasure:
        if destroyed is not None:
            self._watchlists.erasing.settle(*(listed.watchlist for listed in destroyed.versions))
        return found

    def _require_known(self, tx: Transaction, nominal: str) -> str:
        pseudonym = self._vault.pseudonym("subject", nominal)
        held = sa.select(subject.c.id).where(subject.c.nominal == nominal).limit(1)
        listed = tx.connection.scalar(held) is not None
        if not listed and not concerning_within(tx.connection, self._audit, pseudonym).actions:
            raise FrsError(Reason.PERSON_NOT_FOUND, "Nothing is held or logged on a person of that nominal.")
        return pseudonym

    def _read(self, connection: sa.Connection, erasure_id: str) -> Erasure:
        row = connection.execute(sa.select(erasure).where(erasure.c.id == erasure_id)).one_or_none()
        if row is None:
            message = f"There is no erasure {erasure_id}."
            raise FrsError(Reason.ERASURE_NOT_FOUND, message, erasure=erasure_id)
        return _erasure(row)


_OF_OTHERS_TOO = frozenset({"watchlist", "job", "upload"})


def _erasure(row: sa.Row[Any]) -> Erasure:
    values = {name: row._mapping[name] for name in Erasure.__slots__}
    return Erasure(**{**values, "state": ErasureState(values["state"]), "holds": tuple(values["holds"])})
