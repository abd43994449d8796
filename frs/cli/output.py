"""How commands print: JSON of messages, tables for people, progress on standard error and only on a terminal.

JSON has the contract's field names and protobuf's own mapping, except that 64-bit integers are numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from frs.cli.options import print_json

_LONG = (FieldDescriptor.CPPTYPE_INT64, FieldDescriptor.CPPTYPE_UINT64)
_WIDE = 400
_PREFIXES = (
    "WATCHLIST_STATE_",
    "SUBJECT_STATE_",
    "DEPLOYMENT_STATE_",
    "ALERT_STATE_",
    "ALERT_CHANGE_",
    "ASSIGNMENT_STATE_",
    "ASSIGNMENT_CHANGE_",
    "ENGAGEMENT_",
    "JOB_STATE_",
    "OUTCOME_STATE_",
    "OUTCOME_",
    "GRADING_",
    "MEDIA_KIND_",
    "MODE_",
    "UPLOAD_STATE_",
    "CASE_STATE_",
    "CASE_KIND_",
    "DECISION_",
    "FEATURE_",
    "FINDING_",
    "OCCLUSION_",
    "SEEN_QUALITY_",
)


def as_json(message: Message, *leave_out: str) -> dict[str, Any]:
    """Return a message as JSON values with the contract's own field names; ``leave_out`` names byte fields to drop."""
    value: dict[str, Any] = json_format.MessageToDict(
        message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
    )
    _drop(value, frozenset(leave_out))
    _count(message, value)
    return value


def _count(message: Message, value: dict[str, Any]) -> None:
    """Turn 64-bit integers, which protobuf writes as texts, into numbers."""
    for field in message.DESCRIPTOR.fields:
        if field.name not in value:
            continue
        held = value[field.name]
        if field.cpp_type in _LONG:
            value[field.name] = [int(n) for n in held] if isinstance(held, list) else int(held)
        elif isinstance(held, dict):
            _count(getattr(message, field.name), held)
        elif isinstance(held, list) and field.cpp_type == FieldDescriptor.CPPTYPE_MESSAGE:
            for inner, inner_value in zip(getattr(message, field.name), held, strict=True):
                if isinstance(inner_value, dict):
                    _count(inner, inner_value)


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
    """Print a table for people; says so when there are no rows. Names in the first column are never broken."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=_WIDE)  # one line a row, for grep and files
    listed = [[escape(str(cell)) for cell in row] for row in rows]  # brackets in what people wrote are no markup
    if not listed:
        console.print("nothing to show" if title is None else f"{title}: none", highlight=False)
        return
    table = Table(title=title, box=None, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in listed:
        table.add_row(*row)
    console.print(table)


def show_fields(fields: Iterable[tuple[str, object]]) -> None:
    """Print name and value pairs, one a line."""
    table = Table(box=None, show_header=False)
    for name, value in fields:
        table.add_row(escape(name), escape(str(value)))
    console = Console()
    (console if console.is_terminal else Console(width=_WIDE)).print(table)


def write_private(path: Path, data: bytes) -> None:
    """Write a picture of a face for the person who asked alone: nobody else may read the file."""
    path.touch(mode=0o600)
    path.write_bytes(data)


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


@contextmanager
def byte_progress(what: str, size: int) -> Iterator[Callable[[int], None]]:
    """Show how many bytes of ``size`` (0: not known) are done; gives what to tell it with."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as shown:
        task = shown.add_task(what, total=size or None)
        yield lambda done: shown.update(task, completed=done)


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
