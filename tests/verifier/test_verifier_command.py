"""``frs-verify`` as a regulator runs it: from a copy of its folder, with nothing of the service in reach."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from frs_verify.cli import main

from frs.audit.canonical import canonical
from frs.audit.cosignatures import Cosigner
from tests.audit_house import AuditHouse
from tests.verifier.exported import bundle_of, export_file

VERIFIER = Path(__file__).resolve().parents[2] / "verifier" / "frs_verify"
SITE = next(path for path in sys.path if path.endswith("site-packages"))
ALONE = """
import sys, runpy
sys.path = [{copy!r}] + [path for path in sys.path if path] + [{site!r}]
status = 0
try:
    runpy.run_module("frs_verify", run_name="__main__", alter_sys=True)
except SystemExit as end:
    status = end.code
loaded = {{name.partition(".")[0] for name in sys.modules}}
loaded = sorted(loaded & {{"frs", "grpc", "sqlalchemy", "google", "rfc8785"}})
print("loaded:", loaded, file=sys.stderr)
sys.exit(status)
"""


def alone(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the copy in an isolated interpreter: neither this repository nor its environment is on the path."""
    script = ALONE.format(copy=str(copy), site=SITE)
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", script, *arguments]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=60, check=False)


@pytest.fixture
def files(house: AuditHouse, tmp_path: Path) -> Path:
    (tmp_path / "event.json").write_text(json.dumps(bundle_of(house, 7)))
    (tmp_path / "log.ndjson").unlink(missing_ok=True)
    export_file(house, tmp_path / "log.ndjson")
    (tmp_path / "note.txt").write_text(house.log.checkpoint())
    return tmp_path


def test_a_copy_of_the_folder_verifies_by_itself(files: Path, key: Path, tmp_path: Path) -> None:
    """With the interpreter isolated; the service's package is not even found, nor what the service is made with."""
    copy = tmp_path / "copy"
    shutil.copytree(VERIFIER, copy / "frs_verify", ignore=shutil.ignore_patterns("__pycache__"))
    for kind, name in (("bundle", "event.json"), ("export", "log.ndjson"), ("checkpoint", "note.txt")):
        ran = alone(copy, kind, str(files / name), "--key", str(key))
        assert (ran.returncode, ran.stdout.splitlines()[0]) == (0, "VERIFIED"), ran.stderr
        assert ran.stderr.splitlines()[-1] == "loaded: []"
    text = (files / "event.json").read_text()
    (files / "event.json").write_text(text.replace("alert.raised", "alert.viewed"))
    ran = alone(copy, "bundle", str(files / "event.json"), "--key", str(key))
    assert (ran.returncode, ran.stdout.splitlines()) == (
        1,
        [
            "DOES NOT VERIFY",
            "  Event 7 is not in the log that was signed: the event or its proof was altered.",
        ],
    )


def test_it_imports_nothing_but_the_standard_library_and_cryptography() -> None:
    """As its source says, module by module."""
    imported = set()
    for path in VERIFIER.glob("*.py"):
        for line in path.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]):
                imported.add(words[1].partition(".")[0].rstrip(","))
    assert imported - sys.stdlib_module_names == {"frs_verify", "cryptography", "pyarrow"}


def test_json_tells_everything(files: Path, key: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What was found, and each problem with its event."""
    assert main(["bundle", str(files / "event.json"), "--key", str(key), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["verified"], told["event"], told["payload"]["details"]["score"]) == (True, 7, 0.71)
    assert main(["export", str(files / "log.ndjson"), "--key", str(key), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["complete"], told["recipient"], told["problems"]) == (True, "the Commissioner", [])
    lines = (files / "log.ndjson").read_text().splitlines(keepends=True)
    fields = json.loads(lines[4])
    lines[4] = canonical({**fields, "nonce": "0" * 64}).decode() + "\n"
    (files / "log.ndjson").write_text("".join(lines))
    assert main(["export", str(files / "log.ndjson"), "--key", str(key), "--json"]) == 1
    problems = json.loads(capsys.readouterr().out)["problems"]
    assert [problem["event"] for problem in problems] == [3, None]


def test_people_are_told_what_an_export_shows_and_what_it_cannot(
    files: Path, key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a complete one shows that nothing was left out."""
    assert main(["export", str(files / "log.ndjson"), "--key", str(key)]) == 0
    assert "none was left out" in capsys.readouterr().out
    (files / "bad\x1b.ndjson").write_text("{}\n")
    assert main(["export", str(files / "bad\x1b.ndjson"), "--key", str(key)]) == 1
    assert "\x1b" not in capsys.readouterr().out


def test_a_witness_that_is_asked_for_must_have_cosigned(
    files: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The option may be repeated, and each must have."""
    (tmp_path / "witness.vkey").write_text(Cosigner("witness.example", bytes(32)).verifier.vkey)
    arguments = [
        "bundle",
        str(files / "event.json"),
        "--key",
        str(key),
        "--witness-key",
        str(tmp_path / "witness.vkey"),
    ]
    assert main(arguments) == 1
    assert "no cosignature of the witness 'witness.example'" in capsys.readouterr().out


def test_what_cannot_be_looked_at_is_told_apart(
    files: Path, key: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A missing file, a key that is none, wrong usage: exit status 2, and nothing on standard output."""
    (tmp_path / "bad.vkey").write_text("no key")
    (tmp_path / "binary.vkey").write_bytes(b"\xff")
    for arguments in (
        ["bundle", str(tmp_path / "nowhere"), "--key", str(key)],
        ["export", str(tmp_path / "nowhere"), "--key", str(key)],
        ["export", str(tmp_path), "--key", str(key)],
        ["bundle", str(files / "event.json"), "--key", str(tmp_path / "nowhere")],
        ["bundle", str(files / "event.json"), "--key", str(tmp_path / "bad.vkey")],
        ["bundle", str(files / "event.json"), "--key", str(tmp_path / "binary.vkey")],
    ):
        assert main(arguments) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.startswith("frs-verify: ")
    for usage in ([], ["bundle"], ["other", "x"]):
        with pytest.raises(SystemExit) as caught:
            main(usage)
        assert caught.value.code == 2
