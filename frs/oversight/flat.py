"""Figures as CSV (RFC 4180): a line for all deployments, each deployment and each part of a breakdown.

Text that a spreadsheet would take for a formula is given an apostrophe in front, as OWASP advises on CSV injection:
places and purposes are written by people.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence

from frs.oversight import wording
from frs.oversight.figures import DeploymentFigures, Figures, NamedFigures, Rate, VigilanceFigures
from frs.oversight.suppression import Cell

_RATES = ("false_alerts_per_face", "false_alerts_per_alert")
_COUNTS = (
    *("faces_seen", "alerts", "pending", "true_alerts", "false_alerts", "confirmed_true", "confirmed_false"),
    *("unconfirmed", "unreviewed", "cannot_tell", "expired", "escalated"),
)
_TIMES = ("to_adjudication", "to_engagement")
_TIME = ("count", "median_seconds", "p90_seconds", "longest_seconds")
PLACE = ("scope", "name", "deployment", "place", "purpose", "from", "until", "subjects", "thresholds")
COLUMNS = (
    *PLACE,
    *_COUNTS,
    "false_or_confirmed_false",
    *(f"{name}{suffix}" for name in _RATES for suffix in ("", "_lower", "_upper")),
    *(f"{name}_{part}" for name in _TIMES for part in _TIME),
)
VIGILANCE = (
    *("checks", "cannot_tell_checks"),
    *(f"{name}{suffix}" for name in ("hits", "false_accepts") for suffix in ("_of", "", "_lower", "_upper")),
    *(f"look_{part}" for part in _TIME),
)
"""Columns on how reviewers did on known pairs: of the report alone."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def written(lines: Iterable[Mapping[str, object]], columns: Sequence[str] = COLUMNS) -> str:
    """Return the CSV text; what a line does not have stays empty."""
    target = io.StringIO(newline="")
    writer = csv.DictWriter(target, columns, restval="")
    writer.writeheader()
    for line in lines:
        writer.writerow({key: _harmless(value) for key, value in line.items()})
    return target.getvalue()


def figures_line(
    scope: str, name: str, figures: Figures, deployment: DeploymentFigures | None = None
) -> dict[str, object]:
    """Return the line of a whole: everything that was counted."""
    line: dict[str, object] = {"scope": scope, "name": name, **_where(deployment)}
    line |= {count: getattr(figures, count) for count in _COUNTS}
    line["false_or_confirmed_false"] = figures.false_alerts_per_alert.numerator
    for rate in _RATES:
        line |= _rate(rate, getattr(figures, rate))
    for times in _TIMES:
        line |= {f"{times}_{part}": getattr(getattr(figures, times), part) for part in _TIME}
    return line


def part_lines(
    scope: str, parts: Iterable[NamedFigures], deployment: DeploymentFigures | None = None
) -> list[dict[str, object]]:
    """Return the lines of a breakdown."""
    return [figures_line(scope, part.name, part.figures, deployment) for part in parts]


def vigilance_line(found: VigilanceFigures) -> dict[str, object]:
    """Return the line of how one reviewer did on known pairs."""
    line: dict[str, object] = {"scope": "vigilance", "name": found.reviewer, "checks": found.checks}
    line["cannot_tell_checks"] = found.cannot_tell
    for name in ("hits", "false_accepts"):
        share: Rate = getattr(found, name)
        line |= {f"{name}_of": share.denominator, **_rate(name, share)}
    return line | {f"look_{part}": getattr(found.look, part) for part in _TIME}


def cell_line(
    scope: str, cell: Cell, rates: Mapping[str, Rate], deployment: DeploymentFigures | None
) -> dict[str, object]:
    """Return the line of a part as it is published."""
    line: dict[str, object] = {"scope": scope, "name": cell.name, **_where(deployment), "alerts": cell.alerts}
    line["false_or_confirmed_false"] = cell.false_alerts
    if deployment is not None:
        line["faces_seen"] = cell.faces_seen
    for name, rate in rates.items():
        line |= _rate(name, rate)
    return line


def _where(deployment: DeploymentFigures | None) -> dict[str, object]:
    if deployment is None:
        return {}
    lists = sorted(deployment.watchlists, key=lambda item: (item.category, item.subjects, item.watchlist))
    return {
        "deployment": deployment.deployment,
        "place": deployment.place,
        "purpose": deployment.purpose,
        "from": wording.iso(deployment.starts_at),
        "until": wording.iso(deployment.ends_at),
        "subjects": "; ".join(f"{item.category} {item.subjects}" for item in lists),
        "thresholds": "; ".join(f"{item.threshold:.4f} {item.model}" for item in lists),
    }


def _rate(name: str, rate: Rate) -> dict[str, object]:
    known = "" if rate.rate is None else rate.rate
    return {name: known, f"{name}_lower": rate.lower, f"{name}_upper": rate.upper}


def _harmless(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA) else value
