"""Subject access: everything held or logged on a person, as a package of files that they can read.

``data.json`` holds all of it, ``report.html`` says it for people, ``pictures/`` has the faces that are theirs. Giving
it out is a disclosure: the event ``subject.access-given`` with recipient, reason and counts is committed together with
the row that tells erasure certificates of the copy, before the first byte is given out.

Asked with a photograph, the person is looked for in every gallery that can be searched. One nominal is answered with
its package; several are answered with ``candidates.json`` alone, so that a person decides whose package it is.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.event import format_time
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.errors import FrsError, Reason
from frs.oversight.access_photograph import Likely, PhotographSearch
from frs.oversight.access_record import Record, RecordReader
from frs.oversight.access_report import report_html
from frs.oversight.access_rows import erasures
from frs.store.database import Database, Transaction
from frs.store.schema import outside_copy
from frs.store.vault import Vault
from frs.types import Actor, Event, Json, References, new_id

FORMAT, CANDIDATES_FORMAT = "frs-subject-access", "frs-subject-access-candidates"
VERSION = 1
COPY_KIND = "subject-access"
DATA, REPORT, CANDIDATES = "data.json", "report.html", "candidates.json"


@dataclass(frozen=True, slots=True)
class Package:
    """The files of an answer by path."""

    files: Mapping[str, bytes]


class SubjectAccess:
    """Answers requests for access. Thread-safe; callers hold the role that the method table asks for."""

    def __init__(
        self, database: Database, vault: Vault, audit: AuditLog, photographs: PhotographSearch, clock: Clock
    ) -> None:
        self._database, self._vault, self._audit, self._clock = database, vault, audit, clock
        self._photographs = photographs

    def of_nominal(self, actor: Actor, nominal: str, reason: str, recipient: str) -> Package:
        """Return the package of a person.

        Raises FrsError: PERSON_NOT_FOUND when nothing is held or logged, LOG_INCONSISTENT, KEY_WRONG when something of
        it was altered, LOG_UNAVAILABLE and what storage raises: then nothing was given out.
        """
        while True:
            package = self._package(actor, nominal, reason, recipient)
            if package is not None:
                return package

    def _package(self, actor: Actor, nominal: str, reason: str, recipient: str) -> Package | None:
        """Read, and log that it is given; None when an erasure came between: what was read is not given out then."""
        with self._database.read() as connection:
            record = RecordReader(connection, self._vault, self._audit.origins, nominal).read()
        if record.empty:
            raise FrsError(Reason.PERSON_NOT_FOUND, "Nothing is held or logged on a person of that nominal.")
        access = new_id()
        head: dict[str, Json] = {
            "format": FORMAT,
            "version": VERSION,
            "access": access,
            "installation": self._database.installation_id,
            "made": format_time(self._clock.now()),
            "made_by": actor.name,
            "reason": reason,
            "recipient": recipient,
            "nominal": nominal,
            "pseudonym": self._vault.pseudonym("subject", nominal),
        }
        data: dict[str, Json] = {**head, **{kind: [*found] for kind, found in record.data.items()}}
        files = {
            DATA: json.dumps(data, indent=2, ensure_ascii=False).encode("utf-8") + b"\n",
            REPORT: report_html(data, record.pictures).encode("utf-8"),
            **record.pictures,
        }
        told = self._database.write(lambda tx: self._record(tx, actor, access, nominal, reason, recipient, record))
        return Package(files) if told else None

    def of_photograph(self, actor: Actor, photograph: bytes, reason: str, recipient: str) -> Package:
        """Return the package of the one person whom a photograph may show, or who they may be when there are several.

        The search is logged as ``subject.read`` before anything is answered. Raises FrsError as :meth:`of_nominal`,
        PERSON_NOT_FOUND when nobody reaches a threshold, and as :meth:`PhotographSearch.find`.
        """
        likely = self._photographs.find(photograph)
        self._record_search(actor, photograph, likely, reason, recipient)
        if not likely.nominals:
            left = f"; {len(likely.left_out)} more could not be" if likely.left_out else ""
            message = f"Nobody on the {len(likely.searched)} watchlists that were searched looks like this{left}."
            raise FrsError(Reason.PERSON_NOT_FOUND, message)
        if len(likely.nominals) == 1:
            return self.of_nominal(actor, likely.nominals[0], reason, recipient)
        answer: dict[str, Json] = {
            "format": CANDIDATES_FORMAT,
            "version": VERSION,
            "candidates": likely.as_json(),
            "searched": likely.searched,
            "left_out": {**likely.left_out},
        }
        return Package({CANDIDATES: json.dumps(answer, indent=2, ensure_ascii=False).encode("utf-8") + b"\n"})

    def _record(
        self, tx: Transaction, actor: Actor, access: str, nominal: str, reason: str, recipient: str, record: Record
    ) -> bool:
        pseudonym = self._vault.pseudonym("subject", nominal)
        if erasures(tx.connection, pseudonym) != record.data["erasures"]:
            return False
        payload: dict[str, Json] = {
            "access": access,
            "reason": reason,
            "recipient": recipient,
            "given": dict(record.counts()),
        }
        self._audit.append(tx, Event(Action.SUBJECT_ACCESS_GIVEN, actor, References(subjects=(nominal,)), payload))
        copy = {
            "id": access,
            "kind": COPY_KIND,
            "made_at": self._clock.now(),
            "made_by": actor.name,
            "place": recipient,
            "subject": pseudonym,
        }
        tx.connection.execute(sa.insert(outside_copy), copy)
        return True

    def _record_search(self, actor: Actor, photograph: bytes, likely: Likely, reason: str, recipient: str) -> None:
        payload: dict[str, Json] = {
            "asked": "subject access by photograph",
            "reason": reason,
            "recipient": recipient,
            "searched": likely.searched,
            "left_out": {**likely.left_out},
            "candidates": likely.as_json(),
        }
        if likely.candidates:
            payload["probe"] = self._vault.pseudonym("probe", hashlib.sha256(photograph).hexdigest())
        event = Event(Action.SUBJECT_READ, actor, References(subjects=likely.nominals), payload)
        self._database.write(lambda tx: self._audit.append(tx, event))
