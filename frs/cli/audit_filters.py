"""The filters of events as options, as text in an export's header, and as the contract's message."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import typer

from frs.cli.output import timestamp
from frs.cli.resource import instant, resource
from frs.v1 import oversight_pb2 as pb

_COLLECTIONS = {
    "watchlist": "watchlists",
    "deployment": "deployments",
    "alert": "alerts",
    "search": "searches",
    "job": "jobs",
}

Since = Annotated[str | None, typer.Option(help="From this instant on (ISO 8601 with a zone), or a span ago (8h).")]
Until = Annotated[str | None, typer.Option(help="Before this instant, or a span ago (1h).")]
Actor = Annotated[str, typer.Option(help="Name of the identity that acted.")]
ActionName = Annotated[str, typer.Option(help="Action or its beginning, such as watchlist or live.")]
Watchlist = Annotated[str, typer.Option(help="Only of this watchlist.")]
Subject = Annotated[str, typer.Option("--subject", "--nominal", help="Only of this person: the nominal.")]
Deployment = Annotated[str, typer.Option(help="Only of this deployment.")]
Alert = Annotated[str, typer.Option(help="Only of this alert.")]
Search = Annotated[str, typer.Option(help="Only of this search.")]
Job = Annotated[str, typer.Option(help="Only of this job.")]


def wanted(since: str | None, until: str | None, **others: str) -> dict[str, str]:
    """Return the filters given, by name: instants in UTC, resources by their full names."""
    given = {name: value.strip() for name, value in others.items() if value.strip()}
    for name, text in (("since", since), ("until", until)):
        if text:
            given[name] = instant(text, ago=True).astimezone(UTC).isoformat()
    return {name: resource(_COLLECTIONS[name], v) if name in _COLLECTIONS else v for name, v in given.items()}


def spans(since: str | None, until: str | None) -> set[str]:
    """Return which of the two were given as spans, which mean another instant each time."""
    return {name for name, text in (("since", since), ("until", until)) if text and _is_span(text)}


def filter_message(given: Mapping[str, str]) -> pb.EventFilter:
    """Return the message that asks for these events."""
    message = pb.EventFilter()
    for name, value in given.items():
        if name in {"since", "until"}:
            getattr(message, name).CopyFrom(timestamp(datetime.fromisoformat(value)))
        else:
            setattr(message, name, value)
    return message


def _is_span(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return True
    return False
