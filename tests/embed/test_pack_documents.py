"""The documents on models and thresholds say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from pydantic import BaseModel

from frs.embed.catalogue import CATALOGUE, CatalogueEntry
from frs.embed.manifest import Manifest, ThresholdEntry
from frs.embed.starter import THRESHOLDS

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
    assert {name for name in field_names(Manifest) if f"`{name}`" not in text} == set()


@pytest.mark.parametrize("command", ["list", "show", "install", "add", "verify"])
def test_every_command_is_documented(command: str) -> None:
    """Each command of `frs models` stands in docs/models.md."""
    assert f"`frs models {command}" in (DOCS / "models.md").read_text()


@pytest.mark.parametrize("threshold", THRESHOLDS, ids=[str(t.mode) for t in THRESHOLDS])
def test_every_shipped_threshold_is_documented(threshold: ThresholdEntry) -> None:
    """Each threshold the starter pack ships stands in docs/thresholds.md under its mode."""
    row = rf"^\| {threshold.mode} \| {threshold.score:.3f} \|"
    assert re.search(row, (DOCS / "thresholds.md").read_text(), re.MULTILINE)
