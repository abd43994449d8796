"""The documents on models and thresholds say what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from frs.embed.catalogue import CATALOGUE, CatalogueEntry
from frs.embed.manifest import Calibration, Curve, Manifest, ThresholdEntry
from frs.embed.starter import CALIBRATION, THRESHOLDS

DOCS = Path(__file__).resolve().parents[2] / "docs"


def field_names(model: type[BaseModel]) -> set[str]:
    """Return the names of a model's fields as they stand in the file, with those of its parts."""
    names = set()
    for name, field in model.model_fields.items():
        names.add(field.alias or name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names |= field_names(field.annotation)
    return names


@pytest.mark.parametrize("entry", CATALOGUE, ids=[e.name for e in CATALOGUE])
def test_every_pack_is_documented(entry: CatalogueEntry) -> None:
    """Each pack of the catalogue stands in docs/models.md with its template length."""
    row = rf"^\| `{entry.name}` \|[^|]+\| {entry.dimension} \|"
    assert re.search(row, (DOCS / "models.md").read_text(), re.MULTILINE)


def test_every_field_of_the_manifest_is_documented() -> None:
    """Each field stands in docs/models.md."""
    text = (DOCS / "models.md").read_text()
    names = field_names(Manifest) | field_names(Calibration) | field_names(Curve)
    assert {name for name in names if f"`{name}`" not in text} == set()


@pytest.mark.parametrize("command", ["list", "show", "install", "add", "verify"])
def test_every_command_is_documented(command: str) -> None:
    """Each command of `frs models` stands in docs/models.md."""
    assert f"`frs models {command}" in (DOCS / "models.md").read_text()


@pytest.mark.parametrize("threshold", THRESHOLDS, ids=[str(t.mode) for t in THRESHOLDS])
def test_every_shipped_threshold_is_documented(threshold: ThresholdEntry) -> None:
    """Each threshold the starter pack ships stands in docs/thresholds.md under its mode."""
    row = rf"^\| {threshold.mode} \| {threshold.score:.3f} \|"
    assert re.search(row, (DOCS / "thresholds.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize("curve", CALIBRATION.curves, ids=[curve.of for curve in CALIBRATION.curves])
def test_every_shipped_curve_was_measured(curve: Curve) -> None:
    """The counts that the starter pack ships are those of bench/results/thresholds.json, as far as they go."""
    measured = json.loads((DOCS.parent / "bench" / "results" / "thresholds.json").read_text())
    assert measured["machine"]["date"] == CALIBRATION.date.isoformat()
    (found,) = (each for each in measured["packs"]["starter"]["curves"] if each["of"] == curve.of)
    assert (found["comparisons"], found["people"]) == (curve.comparisons, curve.people)
    assert [tuple(point) for point in found["points"][: len(curve.points)]] == list(curve.points)
    assert all(count == 0 for _, count in found["points"][len(curve.points) :])
