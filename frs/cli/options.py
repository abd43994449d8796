"""Options that several commands share, and how a command comes to its settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError
from pydantic_settings.exceptions import SettingsError

from frs.errors import FrsError, Reason
from frs.settings import Settings

Data = Annotated[
    Path | None,
    typer.Option("--data", "-d", help="Data directory; else FRS_DATA_DIR, else frs-data.", metavar="DIR"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def application(about: str) -> typer.Typer:
    """Return a Typer application as every command module of ours makes it."""
    return typer.Typer(
        help=about,
        add_completion=False,
        pretty_exceptions_enable=False,  # failures reach frs.cli.main as they are
        no_args_is_help=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )


def load_settings(data: Path | None, **groups: Mapping[str, Any]) -> Settings:
    """Build the settings from flags, environment and ``frs.toml``.

    ``groups`` are flags by group, for example ``server={"address": "..."}``; values of None are left out.
    Raises :class:`FrsError` with SETTINGS_INVALID that names every setting that is wrong.
    """
    given: dict[str, Any] = {}
    if data is not None:
        given["data_dir"] = data
    for group, values in groups.items():
        flags = {name: value for name, value in values.items() if value is not None}
        if flags:
            given[group] = flags
    try:
        return Settings(**given)
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}" for item in error.errors())
        raise FrsError(Reason.SETTINGS_INVALID, f"settings are not valid: {wrong}") from None
    except (SettingsError, ValueError) as error:  # an environment variable or frs.toml that cannot be read
        raise FrsError(Reason.SETTINGS_INVALID, f"settings cannot be read: {error}") from None


def print_json(value: object) -> None:
    """Write a value as indented JSON on standard output."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))
