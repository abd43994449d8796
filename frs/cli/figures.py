"""What ``frs report`` and ``frs register`` share: the period, and asking for its figures."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated

import typer

from frs.cli.client import call, open_stub
from frs.cli.output import timestamp, warn
from frs.cli.resource import instant, resource
from frs.v1 import oversight_pb2 as pb
from frs.v1.oversight_pb2_grpc import OversightServiceStub

_SECONDS = 600.0
"""A long period of a busy installation is many alerts."""

Since = Annotated[
    str, typer.Option(help="From here on: a day (2027-01-31, in UTC), an instant with its zone, or a span ago (30d).")
]
Until = Annotated[str | None, typer.Option(help="Before here, as --since; now by default.")]


def ask(
    since: str, until: str | None, deployment: str, data: Path | None, address: str | None, identity: str
) -> pb.StatisticsResponse:
    """Ask the service for the figures of a period; being asked is logged."""
    begin, end = moment(since), moment(until) if until else datetime.now(UTC)
    if any(at != _hour(at) for at in (begin, *([end] if until else []))):
        warn("Faces are counted by the hour in which they were seen: begin and end a period on full hours.")
    client, stub = open_stub(OversightServiceStub, data, address, identity)
    request = pb.StatisticsRequest(
        since=timestamp(begin),
        until=timestamp(end),
        deployment=resource("deployments", deployment) if deployment else "",
    )
    return call(client, stub.Statistics, request, _SECONDS)


def moment(given: str) -> datetime:
    """Read a day, which begins at midnight UTC; an instant; or a span ago, which is brought down to a full hour."""
    try:
        return datetime.combine(date.fromisoformat(given), time(), UTC)
    except ValueError:
        found = instant(given, ago=True)
    return _hour(found) if given[-1] in "mhd" else found


def _hour(at: datetime) -> datetime:
    return at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
