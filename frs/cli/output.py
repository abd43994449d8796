"""How commands print: JSON of messages, tables for people, progress on standard error and only on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from frs.cli.options import print_json

_PREFIXES = (
    "WATCHLIST_STATE_",
    "SUBJECT_STATE_",
    "DEPLOYMENT_STATE_",
    "ALERT_STATE_",
    "ALERT_CHANGE_",
    "JOB_STATE_",
    "OUTCOME_STATE_",
    "OUTCOME_",
    "GRADING_",
    "MEDIA_KIND_",
    "UPLOAD_STATE_",
)


def as_json(message: Message, *leave_out: str) -> dict[str, Any]:
    """Return a message as JSON values with the contract's own field names; ``leave_out`` names byte fields to drop."""
    value: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    _drop(value, frozenset(leave_out))
    return value


def _drop(value: object, names: frozenset[str]) -> None:
    if isinstance(value, dict):
        for name in names & value.keys():
            del value[name]
        for inner in value.values():
            _drop(inner, names)
    elif isinstance(value, list):
        for inner in value:
            _drop(inner, names)


def show_messages(messages: Sequence[Message], *leave_out: str) -> None:
    """Print messages as a JSON list."""
    print_json([as_json(message, *leave_out) for message in messages])


def show_table(columns: Sequence[str], rows: Iterable[Sequence[object]], title: str | None = None) -> None:
    """Print a table for people; says so when there are no rows."""
    console = Console()
    listed = [[str(cell) for cell in row] for row in rows]
    if not listed:
        console.print("nothing to show" if title is None else f"{title}: none", highlight=False)
        return
    table = Table(title=title, box=None, title_justify="left")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in listed:
        table.add_row(*row)
    console.print(table)


def show_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print name and value pairs, one a line."""
    table = Table(box=None, show_header=False)
    for name, value in fields:
        table.add_row(name, str(value))
    Console().print(table)


def say(text: str) -> None:
    """Print one line of plain text on standard output."""
    Console(highlight=False, soft_wrap=True, markup=False).print(text)


def warn(text: str) -> None:
    """Print one line on standard error."""
    Console(stderr=True, highlight=False, soft_wrap=True, markup=False).print(text)


def progress() -> Progress:
    """Return a progress display on standard error that stays silent where that is no terminal."""
    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )


def when(instant: Timestamp) -> str:
    """Return an instant for people, in UTC to the second; empty when unset."""
    if not instant.seconds:
        return ""
    return instant.ToDatetime(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def timestamp(value: datetime) -> Timestamp:
    """Return a protobuf timestamp of an aware datetime."""
    made = Timestamp()
    made.FromDatetime(value.astimezone(UTC))
    return made


def short(enum_name: str) -> str:
    """Return the last words of an enum value's name for people: ``ALERT_STATE_PENDING`` -> ``pending``."""
    for prefix in _PREFIXES:
        if enum_name.startswith(prefix):
            return enum_name.removeprefix(prefix).lower().replace("_", " ")
    return enum_name
