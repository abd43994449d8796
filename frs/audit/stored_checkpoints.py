"""Checks of the stored checkpoints and of the names that the log has been signed under."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import sqlalchemy as sa

from frs.audit.checkpoints import Checkpoint, read_checkpoint
from frs.audit.notes import NoteVerifier, parse_note
from frs.audit.origins import Origins, is_restored_name
from frs.audit.report import Problem
from frs.errors import FrsError
from frs.store.schema import audit_checkpoint, audit_event, audit_head


def check_names(origins: Origins, public_key: str) -> Iterator[Problem]:
    """Check that the names follow one another, and that the key is of one of them."""
    if not len(origins):
        return
    try:
        name = NoteVerifier.parse(public_key).name
    except FrsError as error:
        yield Problem(error.message)
        return
    if name not in origins.names:
        yield Problem(f"The key is of the log {name}, but the database holds the log {origins.names[0]}.")
    last = 0
    for place, origin in enumerate(origins):
        follows = origin.first_seq == 0 if place == 0 else is_restored_name(origin.name, origins.names[0])
        if origin.number != place or origin.first_seq < last or not follows:
            yield Problem(f"The names of the log were altered: {origin.name} does not follow the one before it.")
        last = origin.first_seq


def read_checkpoints(
    connection: sa.Connection, public_key: str, origins: Origins, apart: str | None
) -> tuple[list[Checkpoint], list[Problem]]:
    """Return the checkpoints that were signed, the smallest last, and what is wrong with the others.

    ``apart`` is a note that is kept outside the database, which nobody who changed the database could take out.
    """
    signed: list[Checkpoint] = []
    problems: list[Problem] = []
    for row in _rows(connection):
        note = row.note.decode("utf-8", "replace") if isinstance(row.note, bytes) else str(row.note)
        try:
            checkpoint = read_checkpoint(note, public_key, origins.names)
        except FrsError as error:
            problems.append(Problem(f"The checkpoint of {row.size} events fails: {error.message}"))
            continue
        if checkpoint.size != row.size:
            message = f"The checkpoint filed under {row.size} events was signed for {checkpoint.size}."
            problems.append(Problem(message))
            continue
        if not _in_time(checkpoint, origins):
            message = (
                f"The checkpoint of {row.size} events was signed as {checkpoint.origin}, not the name of its time."
            )
            problems.append(Problem(message))
        if row.cosigned is not None and not _of_same_tree(row.cosigned, note, public_key, origins):
            problems.append(Problem(f"The cosigned note of {row.size} events is not the checkpoint of that size."))
        signed.append(checkpoint)
    if apart is not None:
        try:
            last = read_checkpoint(apart, public_key, origins.names)
        except FrsError as error:
            return signed, [*problems, Problem(f"The checkpoint in the keyring fails: {error.message}")]
        if last not in signed:
            signed.append(last)
            signed.sort(key=lambda each: -each.size)
    return signed, problems


def check_head_time(connection: sa.Connection) -> Iterator[Problem]:
    """Check that no event will be dated after an instant that somebody made up: the head's is the last event's."""
    head, event = audit_head.c, audit_event.c
    kept = connection.scalar(sa.select(sa.type_coerce(head.last_time, sa.String)).where(head.id == 1))
    last = connection.scalar(sa.select(sa.type_coerce(event.time, sa.String)).order_by(event.seq.desc()).limit(1))
    if last is not None and kept != last:
        yield Problem(f"The log's head says that the last event is of {kept}, but it is of {last}.")


def _of_same_tree(cosigned: str | bytes, note: str, public_key: str, origins: Origins) -> bool:
    """Whether a note with a witness's signature is signed by the log, too, and says what the checkpoint says."""
    text = cosigned.decode("utf-8", "replace") if isinstance(cosigned, bytes) else cosigned
    try:
        read_checkpoint(text, public_key, origins.names)
        return parse_note(text).text == parse_note(note).text
    except FrsError:
        return False


def _rows(connection: sa.Connection) -> Sequence[sa.Row[*tuple[Any, ...]]]:
    """Return sizes and notes, the largest size first; the notes as bytes where some are no text any more."""
    columns = audit_checkpoint.c
    try:
        whole = sa.select(columns.size, columns.note, columns.cosigned)
        return connection.execute(whole.order_by(columns.size.desc())).all()
    except sa.exc.DBAPIError:
        note = sa.cast(columns.note, sa.LargeBinary).label("note")
        cosigned = sa.cast(columns.cosigned, sa.LargeBinary).label("cosigned")
        return connection.execute(sa.select(columns.size, note, cosigned).order_by(columns.size.desc())).all()


def _in_time(checkpoint: Checkpoint, origins: Origins) -> bool:
    """Whether the log had the checkpoint's name when it had its size: from its first event to the next name's."""
    if len(origins) < 2:
        return True
    following = [*list(origins)[1:], None]
    return any(
        origin.name == checkpoint.origin
        and origin.first_seq <= checkpoint.size
        and (after is None or checkpoint.size <= after.first_seq)
        for origin, after in zip(origins, following, strict=True)
    )
