"""docs/cli.md says exactly what the commands say of themselves."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_command

from frs.cli.main import COMMANDS, EXIT_CODES, main
from tests.cli.reference import leaves, reference

DOCUMENT = (Path(__file__).resolve().parents[2] / "docs" / "cli.md").read_text()
LEAVES = [
    leaf for name, (module, _) in COMMANDS.items() for leaf in leaves(name, get_command(import_module(module).app))
]


def test_every_command_argument_and_option_is_documented() -> None:
    """The reference is what ``python -m tests.cli.reference`` prints."""
    written = DOCUMENT.split("# Reference\n\n", 1)[1]
    assert written.splitlines() == reference().splitlines()


@pytest.mark.parametrize(("path", "command"), LEAVES, ids=[path for path, _ in LEAVES])
def test_every_parameter_says_what_it_is_for(path: str, command: object) -> None:
    """No command and no option is without a help text, and ``--json`` is everywhere but where a process is run."""
    parameters = command.params  # type: ignore[attr-defined]  # Typer's own copy of Click has no public types
    assert command.help  # type: ignore[attr-defined]
    assert [p.name for p in parameters if not p.help] == []
    if path not in {"serve", "witness serve"}:
        assert "as_json" in {p.name for p in parameters}


@pytest.mark.parametrize(("path", "command"), LEAVES, ids=[path for path, _ in LEAVES])
def test_help_answers_without_a_server(path: str, command: object, capsys: pytest.CaptureFixture[str]) -> None:
    """``--help`` prints the usage and succeeds."""
    assert main([*path.split(), "--help"]) == 0
    assert f"frs {path}" in capsys.readouterr().out


def test_every_exit_status_is_documented() -> None:
    """The table of exit statuses holds those that failures have."""
    for code in {*EXIT_CODES.values(), 0, 1, 130}:
        assert f"\n| {code} |" in DOCUMENT


def test_an_unknown_command_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """It is told on standard error, with how to list the commands."""
    assert main(["serach"]) == 2
    assert "no command 'serach'" in capsys.readouterr().err
