"""What the service's own log says of a failure, and what it must not say."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator

import pytest
import structlog

from frs.cli.serve import log_to_stderr

SECRET = "NOM-4711 Ana Kova\u010d"


@pytest.fixture(autouse=True)
def configuration() -> Iterator[None]:
    """Leave structlog as it was."""
    yield
    structlog.reset_defaults()


def fail(number: str) -> None:
    template = [number] * 3  # a local variable, as a template would be
    raise ValueError(f"cannot parse {template}")


def lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *, terminal: bool) -> str:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    log_to_stderr()
    log = structlog.get_logger()
    try:
        fail(SECRET)
    except ValueError as error:
        log.exception("a medium could not be searched", job="j1")
        log.error("again", exc_info=error)
        log.error("and again", exc_info=(type(error), error, error.__traceback__))
    log.info("no failure", exc_info=True)  # noqa: LOG014  # that there is none is what is tested
    told = capsys.readouterr()
    assert SECRET not in told.err + told.out
    assert "NOM-4711" not in told.err + told.out
    assert told.out == ""
    return told.err


def test_a_terminal_is_told_type_and_place_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the exception's message nor the frames' variables are printed."""
    told = lines(capsys, monkeypatch, terminal=True)
    assert told.count("ValueError") == 3
    assert told.count("test_cli_service_log.py:") == 6
    assert "template" not in told


def test_json_lines_have_type_and_place(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """One object for each line; the place nearest to the failure comes first."""
    told = [json.loads(line) for line in lines(capsys, monkeypatch, terminal=False).splitlines()]
    for line in told[:3]:
        assert line["error"] == "ValueError"
        inner, outer = line["where"].split(" < ")
        assert inner.startswith("test_cli_service_log.py:")
        assert outer.startswith("test_cli_service_log.py:")
    assert told[0]["job"] == "j1"
    assert "error" not in told[3]
