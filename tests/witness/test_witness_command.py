"""``frs witness``: a witness prepared, told of a log, read and exported, as whoever runs it does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from frs.audit.erasure_journal import check_journal, parse_journal_text
from frs.cli.main import main
from tests.witness.conftest import WitnessedHouse, WitnessHouse
from tests.witness.test_witness_protocol import SIGNER, Log, add

VKEY = SIGNER.verifier.vkey


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run a command; returns its exit status and what it printed on either stream."""
    status = main(["witness", *arguments])
    printed = capsys.readouterr()
    return status, printed.out + printed.err


def test_a_witness_is_prepared_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The key is printed; a second call changes nothing and says so."""
    data = str(tmp_path / "w")
    status, text = run(capsys, "init", "--data", data, "--name", "witness.example/9", "--json")
    said = json.loads(text)
    assert (status, said["name"]) == (0, "witness.example/9")
    assert (tmp_path / "w" / "witness.vkey").read_text().strip() == said["vkey"]
    status, text = run(capsys, "init", "--data", data)
    assert (status, "ALREADY_INITIALISED" in text) == (1, True)


def test_logs_are_added_by_file_or_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Adding twice changes nothing; what is no key, and a folder that is no witness, are refused."""
    data = str(tmp_path / "w")
    assert run(capsys, "add-log", VKEY, "--data", data)[0] == 1
    run(capsys, "init", "--data", data)
    file = tmp_path / "log.vkey"
    file.write_text(f"{VKEY}\n")
    assert json.loads(run(capsys, "add-log", str(file), "--data", data, "--json")[1])["added"] is True
    assert json.loads(run(capsys, "add-log", VKEY, "--data", data, "--json")[1])["added"] is False
    assert run(capsys, "add-log", "nonsense", "--data", data)[0] == 5
    long = SIGNER.under("o" * 250).verifier.vkey
    assert run(capsys, "add-log", long, "--data", data)[0] == 2
    status, text = run(capsys, "show", "--data", data)
    assert (status, "example.com/log" in text, "never" in text) == (0, True, True)


def test_what_was_seen_is_shown_with_the_evidence(witness: WitnessHouse, capsys: pytest.CaptureFixture[str]) -> None:
    """Beside a witness that serves; the exit status is 5 when a log was forked. Each name of a log has its line."""
    data = str(witness.folder)
    run(capsys, "add-log", VKEY, "--data", data)
    run(capsys, "add-log", SIGNER.under("example.com/log/r-0123456789ab").verifier.vkey, "--data", data)
    assert add(witness, Log(5).submission(0, 5)).status == 200
    status, text = run(capsys, "show", "--data", data, "--json")
    said = json.loads(text)
    assert status == 0
    assert [(log["origin"], log["size"]) for log in said["logs"]] == [
        ("example.com/log", 5),
        ("example.com/log/r-0123456789ab", 0),
    ]
    assert add(witness, Log(5, salt="x").submission(5, 5)).status == 409
    status, text = run(capsys, "show", "--data", data, "--origin", "example.com/log")
    assert status == 5
    assert "REFUSED" in text
    assert Log(5, salt="x").note(5).split("\n")[2] in text
    assert run(capsys, "show", "--data", data, "--origin", "other")[0] == 1


def test_the_journal_is_written_to_a_file(
    house: WitnessedHouse, witness: WitnessHouse, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whole, verified, and with the note that it is verified by."""
    data, file = str(witness.folder), tmp_path / "journal"
    arguments = ("export-journal", house.log.origin, "--data", data, "-o", str(file))
    assert run(capsys, *arguments)[0] == 1  # none yet
    house.grow(4)
    house.destroy("event:1", "event:2")
    house.witnessing.sync()
    status, text = run(capsys, *arguments, "--json")
    assert (status, json.loads(text)["entries"]) == (0, 2)
    note, entries = parse_journal_text(file.read_bytes())
    assert check_journal(note, entries, house.log.vkey).size == 2
    assert file.stat().st_mode & 0o777 == 0o600
    assert run(capsys, "export-journal", "other", "--data", data, "-o", str(file))[0] == 1
    witness.records._run("UPDATE erasure SET leaf = replace(leaf, 'event:1', 'event:3')")
    assert run(capsys, *arguments)[0] == 5


@pytest.mark.parametrize(
    "arguments",
    [
        ("--listen", "nowhere"),
        ("--listen", "127.0.0.1:99999"),
        ("--tls-certificate", "x"),
        ("--tls-certificate", "x", "--tls-key", "y"),
    ],
)
def test_options_that_cannot_be_used_are_named(
    witness: WitnessHouse, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    """Before anything is opened."""
    status, text = run(capsys, "serve", "--data", str(witness.folder), *arguments)
    assert (status, "SETTINGS_INVALID" in text) == (1, True)
