"""The ``frs`` command itself: it answers at once, finds its commands and tells failures in two lines."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest
import typer

from frs import __version__
from frs.cli import main as command
from frs.errors import CATALOGUE, FrsError, Reason, Status

HEAVY = ("grpc", "typer", "pydantic", "numpy", "cv2", "onnxruntime", "sqlalchemy", "rich", "faiss")


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    """With what each is for."""
    assert command.main(["--help"]) == 0
    text = capsys.readouterr().out
    for name, (_, about) in command.COMMANDS.items():
        assert f"  {name}" in text
        assert about in text


def test_help_loads_nothing_heavy() -> None:
    """So that it answers in the blink of an eye."""
    loaded = f"print([name for name in {HEAVY!r} if name in sys.modules])"
    code = f"import sys; from frs.cli.main import main; main(['--help']); {loaded}"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("name", sorted(command.COMMANDS))
def test_each_command_is_there_and_describes_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every module has an application, and --help works on it."""
    assert isinstance(import_module(command.COMMANDS[name][0]).app, typer.Typer)
    assert command.main([name, "--help"]) == 0
    assert f"frs {name}" in capsys.readouterr().out


def test_what_is_no_command_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage has the status 2, as command lines have."""
    assert command.main(["recognise"]) == 2
    assert "frs --help" in capsys.readouterr().err
    assert command.main([]) == 2
    assert command.main(["serve", "--no-such-option"]) == 2


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    """As the package has it."""
    assert command.main(["--version"]) == 0
    assert capsys.readouterr().out == f"frs {__version__}\n"


@pytest.mark.parametrize("reason", list(Reason))
def test_a_failure_is_told_with_its_reason_and_advice(
    reason: Reason, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two lines and a status that a script can branch on; never a traceback."""
    app = typer.Typer()

    @app.command()
    def fail() -> None:
        raise FrsError(reason, "what happened")

    monkeypatch.setattr(import_module("frs.cli.serve"), "app", app)
    status = command.main(["serve"])
    first, second = capsys.readouterr().err.splitlines()
    assert first == f"frs: what happened [{reason}]"
    assert second.strip() == CATALOGUE[reason].advice
    expected = {Status.INVALID_ARGUMENT: 2, Status.UNAVAILABLE: 3, Status.PERMISSION_DENIED: 4, Status.DATA_LOSS: 5}
    assert status == expected.get(CATALOGUE[reason].status, status)
    assert status in {1, 2, 3, 4, 5}


def test_ctrl_c_is_no_failure_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """The status is the shell's for an interrupted command."""
    app = typer.Typer()

    @app.command()
    def wait() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(import_module("frs.cli.serve"), "app", app)
    assert command.main(["serve"]) == 130
