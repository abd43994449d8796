"""Where commands find the server, whose certificate they show, and what they say when nobody answers."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from frs.access.authority import Authority
from frs.cli.client import connect, find_address
from frs.cli.main import main
from frs.cli.resource import instant, resource
from frs.clock import SystemClock
from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.types import Role


def record(data: Path, **values: object) -> Settings:
    data.mkdir(exist_ok=True)
    (data / "server.json").write_text(json.dumps(values))
    return Settings(data_dir=data)


def test_an_address_that_is_given_wins(tmp_path: Path) -> None:
    """Over the running server's own record."""
    assert find_address(record(tmp_path, address="127.0.0.1:1", tls=True), "elsewhere:7443") == "elsewhere:7443"


def test_the_running_server_is_found_by_its_record(tmp_path: Path) -> None:
    """With its port, and without TLS where it was started so."""
    assert find_address(record(tmp_path, address="127.0.0.1:4711", tls=True), None) == "127.0.0.1:4711"
    assert find_address(record(tmp_path, address="127.0.0.1:4711", tls=False), None) == "plaintext://127.0.0.1:4711"


def test_without_a_record_the_setting_tells(tmp_path: Path) -> None:
    """A record that is cut off counts as none."""
    settings = Settings(data_dir=tmp_path)
    assert find_address(settings, None) == "127.0.0.1:7443"
    (tmp_path / "server.json").write_text('{"addr')
    assert find_address(settings, None) == "127.0.0.1:7443"


def test_a_missing_certificate_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A newcomer who forgot ``frs init`` is told so."""
    assert main(["watchlist", "list", "--data", str(tmp_path)]) == 1
    assert "NOT_INITIALISED" in (told := capsys.readouterr().err)
    assert "frs init" in told


def test_an_identity_without_a_certificate_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is an authority, the advice is to issue one: the status is that of a caller who is not known."""
    Authority.create(tmp_path / "certs", SystemClock())
    assert main(["watchlist", "list", "--data", str(tmp_path), "--identity", "nobody"]) == 4
    told = capsys.readouterr().err
    for word in ("UNAUTHENTICATED", "'nobody'", str(tmp_path / "certs"), "frs identity add nobody"):
        assert word in told
    assert "NOT_INITIALISED" not in told


def test_a_server_that_does_not_answer_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With its address, and exit status 3; no traceback."""
    authority = Authority.create(tmp_path / "certs", SystemClock())
    authority.issue("manager", frozenset({Role.WATCHLIST_MANAGER}))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    arguments = ["watchlist", "list", "--data", str(tmp_path), "--address", address, "--identity", "manager"]
    assert main(arguments) == 3
    assert f"no answer from {address}" in (told := capsys.readouterr().err)
    assert "SERVER_UNREACHABLE" in told


@pytest.mark.parametrize(
    "address", ["frs.example.org:7443", "192.0.2.7:7443", "[2001:db8::1]:7443", "0.0.0.0:7443", "localhost.evil.org:1"]
)
def test_nothing_is_sent_in_plaintext_to_another_machine(
    tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address that leads away from this machine is refused before a connection is tried."""
    with pytest.raises(FrsError, match="loopback") as caught:
        connect(Settings(data_dir=tmp_path), f"plaintext://{address}")
    assert caught.value.reason is Reason.SETTINGS_INVALID
    assert main(["watchlist", "list", "--data", str(tmp_path), "--address", f"plaintext://{address}"]) != 0
    assert "SETTINGS_INVALID" in capsys.readouterr().err


@pytest.mark.parametrize("address", ["localhost:7443", "127.0.0.1:7443", "[::1]:7443"])
def test_plaintext_is_spoken_on_loopback(tmp_path: Path, address: str) -> None:
    """No certificate is asked for there."""
    client = connect(Settings(data_dir=tmp_path), f"plaintext://{address}")
    assert client.address == address
    client.close()


def test_a_recording_is_not_played_to_a_server_that_never_answered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """``frs feed`` fails at once, with the same error."""
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "1.jpg").write_bytes(b"never sent")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"plaintext://127.0.0.1:{taken.getsockname()[1]}"
    to = ["--deployment", "1", "--camera", "c", "--address", address]
    assert main(["feed", str(tmp_path / "frames"), *to]) == 3
    told = capsys.readouterr()
    assert "SERVER_UNREACHABLE" in told.err
    assert told.out == ""  # no statistics of nothing


def test_a_recording_that_is_none_is_an_error_and_no_statistics(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is printed on standard output, for people or for scripts."""
    (tmp_path / "words.txt").write_text("not a recording")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"plaintext://127.0.0.1:{taken.getsockname()[1]}"
    for option in ([], ["--json"]):
        to = ["--deployment", "1", "--camera", "c", "--address", address, *option]
        assert main(["feed", str(tmp_path / "words.txt"), *to]) != 0
        told = capsys.readouterr()
        assert (told.out, bool(told.err)) == ("", True)


def test_a_camera_takes_no_option_of_recordings(capsys: pytest.CaptureFixture[str]) -> None:
    """It has no end to begin again from and cannot be read faster than it films."""
    for option in ("--loop", "--fast"):
        assert main(["feed", "rtsp://camera/1", "--deployment", "1", "--camera", "c", option]) == 2
        assert "a camera is always at real time" in capsys.readouterr().err


def test_names_are_short_or_whole() -> None:
    """Both mean the same resource."""
    assert resource("watchlists", "warrants") == resource("watchlists", "watchlists/warrants") == "watchlists/warrants"


@given(st.datetimes(min_value=datetime(1990, 1, 1), max_value=datetime(2090, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001  # Hypothesis wants bounds without a zone
def test_an_instant_with_a_zone_is_read(value: datetime) -> None:
    """Every ISO 8601 instant that Python writes."""
    assert instant(value.isoformat()) == value


@pytest.mark.parametrize(("given", "seconds"), [("90m", 5400), ("8h", 28_800), ("2d", 172_800), ("1.5h", 5400)])
def test_a_span_counts_from_now(given: str, seconds: int) -> None:
    """Minutes, hours and days; back from now where the past is asked for."""
    assert abs(instant(given, ago=True) - datetime.now(UTC) + timedelta(seconds=seconds)) < timedelta(seconds=5)
    assert abs(instant(given) - datetime.now(UTC) - timedelta(seconds=seconds)) < timedelta(seconds=5)


@pytest.mark.parametrize(
    "given", ["", "tomorrow", "2027-01-31T18:00:00", "8", "h", "-8h", "8w", "1.2.3h", "9999999999d"]
)
def test_anything_else_is_wrong_usage(given: str) -> None:
    """An instant without a zone is not guessed at."""
    with pytest.raises(typer.BadParameter):
        instant(given)
