"""The witness's erasure journal, checked and written into a restored database before anything of that is read.

Without it a restoration would undo erasures: the backup does not know of those made since. A journal is believed when
its note carries a signature of this installation's own key, under any name that the log has had, and when it begins
with the destructions that the backup knows itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

import sqlalchemy as sa

from frs.audit.checkpoints import Checkpoint, read_any_origin
from frs.audit.erasure_journal import JournalEntry, check_journal, read_journal
from frs.audit.notes import NoteVerifier
from frs.errors import FrsError, Reason
from frs.store.schema import key_destruction

_SUFFIX = "/erasures"


@dataclass(frozen=True, slots=True)
class WitnessWord:
    """What the witness says; nothing is verified yet."""

    note: str
    entries: Sequence[JournalEntry]
    witnessed: str | None = None
    """The log's checkpoint that it saw last, where it was asked."""
    current: bool = False
    """Whether the witness itself was asked: then the journal is the newest there is."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A word that holds."""

    journal: Checkpoint
    entries: Sequence[JournalEntry]
    witnessed: Checkpoint | None


def check_word(word: WitnessWord, vkey: str) -> Checked:
    """Verify a word with the log's verifier key under any of its names.

    Raises FrsError: JOURNAL_REQUIRED when the journal is not this log's or was altered; WITNESS_CONFLICT when the
    checkpoint is not this log's.
    """
    origin = word.note.partition("\n")[0]
    try:
        if not origin.endswith(_SUFFIX):
            raise FrsError(Reason.LOG_INCONSISTENT, f"{origin!r} is not the name of an erasure journal.")
        verifier = NoteVerifier.parse(vkey)
        named = NoteVerifier(origin.removesuffix(_SUFFIX), verifier.public_key)
        journal = check_journal(word.note, word.entries, named.vkey)
    except (FrsError, ValueError) as error:
        told = error.message if isinstance(error, FrsError) else str(error)
        raise FrsError(Reason.JOURNAL_REQUIRED, f"The erasure journal is not this log's: {told}") from error
    witnessed = None
    if word.witnessed is not None:
        try:
            witnessed = read_any_origin(word.witnessed, vkey)
        except FrsError as error:
            message = f"The checkpoint that the witness shows is not this log's: {error.message}"
            raise FrsError(Reason.WITNESS_CONFLICT, message) from error
    return Checked(journal, word.entries, witnessed)


def complete_journal(
    connection: sa.Connection, checked: Checked, current: bool, keyring: Iterator[tuple[str, datetime]]
) -> list[str]:
    """Add to a restored database the destructions that it does not know; return their owners.

    First those of the journal, at their places, then those that only the keyring remembers. Raises
    FrsError(JOURNAL_REQUIRED) when the journal does not begin with the database's own, or ends before it although
    newer ones may exist.
    """
    known = read_journal(connection)
    entries = iter(checked.entries)
    shared = 0
    for own in known:
        theirs = next(entries, None)
        if theirs is None:
            if current:  # the witness had not been told of the last ones yet
                shared += 1
                break
            message = "The erasure journal ends before the backup was made: export it anew, or name the witness."
            raise FrsError(Reason.JOURNAL_REQUIRED, message)
        if theirs != own:
            message = f"Entry {shared + 1} of the erasure journal is not the one of the backup: it is another log's."
            raise FrsError(Reason.JOURNAL_REQUIRED, message)
        shared += 1
    added: list[str] = []
    while batch := list(islice(entries, 1000)):
        rows = [{"position": entry.position, "owner": entry.owner, "requested_at": entry.at} for entry in batch]
        connection.execute(key_destruction.insert(), rows)
        added += [entry.owner for entry in batch]
    recorded = set(connection.scalars(sa.select(key_destruction.c.owner)))
    for owner, at in keyring:
        if owner not in recorded:
            connection.execute(key_destruction.insert().values(owner=owner, requested_at=at))
            added.append(owner)
    return added
