"""Candidates as they are stored and logged: JSON or columns, without any image or template; what events refer to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from frs.types import Candidate, Json, ListVersion, Quality

if TYPE_CHECKING:
    from frs.watchlist.searchable import SearchableList

_QUALITIES = ("probe_quality", "reference_quality")
_DIGITS = 6
_COLUMNS = {
    "watchlist_id": "watchlist",
    "watchlist_version": "watchlist_version",
    "subject_id": "subject",
    "nominal": "nominal",
    "grading": "grading",
    "reference_id": "reference",
    "score": "score",
    "threshold": "threshold",
    "margin": "margin",
    "frames": "frames",
}
"""Columns of the tables ``alert`` and ``job_candidate``, and the field of a candidate that each holds."""


def probe_owner(probe_id: str) -> str:
    """Return whose key seals the crop of a job's probe: its own, so that one can be erased and the others stay."""
    return f"probe:{probe_id}"


def candidate_json(candidate: Candidate) -> dict[str, Json]:
    """Write a candidate whole; scores to six decimals, which is finer than a recogniser repeats itself."""
    record: dict[str, Json] = {}
    for field in fields(Candidate):
        value = getattr(candidate, field.name)
        if isinstance(value, Quality):
            record[field.name] = value.as_json()
        elif isinstance(value, float):
            record[field.name] = round(value, _DIGITS)
        else:
            record[field.name] = value
    return record


def candidate_from_json(record: Mapping[str, Any]) -> Candidate:
    """Read what :func:`candidate_json` wrote."""
    values = {**record, **{name: Quality.from_json(record[name]) for name in _QUALITIES}}
    return Candidate(**values)


def candidate_columns(candidate: Candidate) -> dict[str, Any]:
    """Return what an alert and a job's candidate both have a column for."""
    return {
        **{column: getattr(candidate, name) for column, name in _COLUMNS.items()},
        "reference_quality": candidate.reference_quality.as_json(),
    }


def candidate_from_columns(
    row: sa.RowMapping, *, rank: int, model: str, profile: str, probe_quality: Quality, notice: str
) -> Candidate:
    """Read what :func:`candidate_columns` wrote, with what is not stored in the same columns everywhere."""
    return Candidate(
        **{name: row[column] for column, name in _COLUMNS.items()},
        reference_quality=Quality.from_json(row["reference_quality"]),
        rank=rank,
        model=model,
        profile=profile,
        probe_quality=probe_quality,
        notice=notice,
    )


def versions(lists: Iterable[SearchableList]) -> tuple[ListVersion, ...]:
    """Return the lists as references of an event or a result."""
    return tuple(ListVersion(entry.id, entry.version) for entry in lists)


def nominals(candidates: Iterable[Candidate]) -> tuple[str, ...]:
    """Return the people among the candidates, each once, in their order."""
    return tuple(dict.fromkeys(candidate.nominal for candidate in candidates))
