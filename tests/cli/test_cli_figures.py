"""How a period is given on the command line, and files that cannot be written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer

from frs.cli.figures import moment
from frs.cli.main import main


@pytest.mark.parametrize(
    ("given", "at"),
    [
        ("2026-03-01", datetime(2026, 3, 1, tzinfo=UTC)),
        ("2026-03-01T10:30:00Z", datetime(2026, 3, 1, 10, 30, tzinfo=UTC)),
        ("2026-03-01T00:30:00+01:00", datetime(2026, 2, 28, 23, 30, tzinfo=UTC)),
    ],
)
def test_a_day_begins_at_midnight_utc_and_an_instant_is_taken_as_it_is(given: str, at: datetime) -> None:
    """A day needs no zone; an instant does."""
    assert moment(given) == at


def test_a_span_goes_back_to_a_full_hour() -> None:
    """Faces are counted by the hour, so a span begins with one."""
    found, now = moment("30d"), datetime.now(UTC)
    assert (found.minute, found.second, found.microsecond) == (0, 0, 0)
    assert timedelta(0) <= now - timedelta(days=30) - found < timedelta(hours=1, seconds=10)


@pytest.mark.parametrize("given", ["yesterday", "2026-13-01", "2026-03-01T10:00:00", "", "1000000d"])
def test_what_is_no_moment_is_refused(given: str) -> None:
    """With the forms that are understood."""
    with pytest.raises(typer.BadParameter):
        moment(given)


def test_the_text_is_for_the_screen(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A file needs a format; nothing is asked of the service before that is clear."""
    status = main(["report", "--since", "1d", "--output", str(tmp_path / "r"), "--data", str(tmp_path)])
    assert status == 2
    assert "--format json, csv or" in capfd.readouterr().err
    assert list(tmp_path.iterdir()) == []
