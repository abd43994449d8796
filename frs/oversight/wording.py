"""How figures are written for people: instants, spans of time, rates with their intervals."""

from __future__ import annotations

from datetime import UTC, datetime

from frs.oversight.figures import Rate


def day(instant: datetime) -> str:
    """Return the calendar day in UTC: ``2 Mar 2026``."""
    return f"{instant.astimezone(UTC).day} {instant.astimezone(UTC):%b %Y}"


def minute(instant: datetime) -> str:
    """Return day and time in UTC: ``2026-03-02 09:00``."""
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M}"


def iso(instant: datetime) -> str:
    """Return the instant as ISO 8601 in UTC, to the second."""
    return f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def span(seconds: float) -> str:
    """Return a span of time with two units at most: ``4.2 s``, ``3 min 20 s``, ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def per_thousand(rate: Rate) -> str:
    """Return a rate per thousand with its interval: ``1.5 (0.31 to 4.4)``."""
    return _written(rate, 1000, "")


def per_cent(rate: Rate) -> str:
    """Return a rate in per cent with its interval: ``33 % (7.5 to 70 %)``."""
    return _written(rate, 100, " %")


def _written(rate: Rate, scale: int, unit: str) -> str:
    if rate.rate is None:
        return "not known"
    value, lower, upper = (f"{number * scale:.3g}" for number in (rate.rate, rate.lower, rate.upper))
    return f"{_plain(value)}{unit} ({_plain(lower)} to {_plain(upper)}{unit})"


def _plain(number: str) -> str:
    """Write 1.2e-05 as 0.000012: a register is read by people."""
    return f"{float(number):.12f}".rstrip("0").rstrip(".") if "e" in number else number
