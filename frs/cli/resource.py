"""Short ids on the command line, resource names on the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import typer

_UNITS = {"m": 60, "h": 3600, "d": 86400}


def resource(collection: str, given: str) -> str:
    """Return ``collection/given`` unless ``given`` names its collection already."""
    return given if given.startswith(f"{collection}/") else f"{collection}/{given}"


def instant(given: str, ago: bool = False) -> datetime:
    """Read an instant: ISO 8601 with a zone, or a span such as ``90m``, ``8h`` or ``2d``: from now, or ago."""
    if given and given[-1] in _UNITS and given[:-1].replace(".", "", 1).isdigit():
        seconds = float(given[:-1]) * _UNITS[given[-1]]
        try:
            return datetime.now(UTC) + timedelta(seconds=-seconds if ago else seconds)
        except OverflowError:
            raise typer.BadParameter(f"{given} leads out of the calendar") from None
    try:
        value = datetime.fromisoformat(given)
    except ValueError:
        value = None
    if value is None or value.tzinfo is None:
        raise typer.BadParameter("give an instant with its zone (2027-01-31T18:00:00Z) or a span such as 90m, 8h, 2d")
    return value
