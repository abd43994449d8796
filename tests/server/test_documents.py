"""docs/errors.md and docs/settings.md say exactly what the code says; a failure prints the line that is missing."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from frs.errors import CATALOGUE, Reason
from frs.settings import Settings

DOCS = Path(__file__).resolve().parents[2] / "docs"


def error_row(reason: Reason) -> str:
    """Return the line that documents a reason."""
    entry = CATALOGUE[reason]
    return f"| `{reason}` | {entry.status} | {entry.advice} |"


def groups() -> list[tuple[str, type[BaseModel]]]:
    """Return the settings' groups by the prefix of their names; the top level first."""
    nested = [
        (f"{name}.", field.annotation)
        for name, field in Settings.model_fields.items()
        if inspect.isclass(field.annotation) and issubclass(field.annotation, BaseModel)
    ]
    return [("", Settings), *nested]


def setting_rows() -> list[str]:
    """Return the line that documents each setting."""
    rows = []
    for prefix, model in groups():
        for name, field in model.model_fields.items():
            if prefix == "" and any(name == group.rstrip(".") for group, _ in groups()):
                continue
            default = field.default
            assert default is not PydanticUndefined, name
            shown = ", ".join(default) if isinstance(default, tuple) else str(default)
            shown = shown.lower() if isinstance(default, bool) else shown
            about = (field.description or "").replace("<", "&lt;")
            rows.append(f"| `{prefix}{name}` | {f'`{shown}`' if shown else 'empty'} | {about} |")
    return rows


def lines(name: str, kind: str) -> list[str]:
    return [line for line in (DOCS / name).read_text().splitlines() if re.match(rf"\| `{kind}`", line)]


@pytest.mark.parametrize("reason", list(Reason))
def test_each_reason_is_documented_as_the_catalogue_has_it(reason: Reason) -> None:
    """With its status and its advice, word for word."""
    assert error_row(reason) in lines("errors.md", "[A-Z_]+")


def test_no_reason_is_documented_that_is_not_there() -> None:
    """And none twice."""
    assert sorted(lines("errors.md", "[A-Z_]+")) == sorted(error_row(reason) for reason in Reason)


@pytest.mark.parametrize("row", setting_rows())
def test_each_setting_is_documented_with_its_default(row: str) -> None:
    """Name, default and description, word for word."""
    assert row in lines("settings.md", r"[a-z_.]+")


def test_no_setting_is_documented_that_is_not_there() -> None:
    """And none twice."""
    assert sorted(lines("settings.md", r"[a-z_.]+")) == sorted(setting_rows())
