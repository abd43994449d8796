"""``frs init``, ``frs identity`` and ``frs doctor`` on a data directory of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from frs.access.issued import identities
from frs.cli.main import main
from frs.embed.pack import Pack
from frs.types import Role


@pytest.fixture
def data(tmp_path: Path, starter_pack: Pack, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRS_MODELS_DIR", str(starter_pack.folder.parent))
    monkeypatch.setenv("FRS_EMBED__THREADS", "1")
    return tmp_path / "data"


def test_init_says_what_to_keep_safe(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The authority's key, the keyring and the log's key are named, and the next step."""
    assert main(["init", "--data", str(data)]) == 0
    text = capsys.readouterr().out
    for word in ("ca.crt", "ca.key", "administrator.crt", "keyring", (data / "log.vkey").read_text().strip()):
        assert word in text
    assert f"frs serve --data {data}" in text
    assert main(["init", "--data", str(data)]) == 1
    assert "ALREADY_INITIALISED" in capsys.readouterr().err


def test_init_for_scripts(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same as JSON."""
    assert main(["init", "--data", str(data), "--administrator", "root.user", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert Path(said["certificate"]).name == "root.user.crt"
    assert said["identities"] == []
    assert said["log_vkey"] == (data / "log.vkey").read_text().strip()


def test_init_with_identities_to_try_everything_out(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is named with its role, and the certificates are there; without them the next step says how to get one."""
    assert main(["init", "--data", str(data), "--identities", "--json"]) == 0
    said = {each["name"]: each for each in json.loads(capsys.readouterr().out)["identities"]}
    assert said["superintendent"]["role"] == "authorising-officer"
    assert {"reviewer", "reviewer-two", "officer", "manager"} < set(said)
    assert all(Path(each["certificate"]).exists() and Path(each["key"]).exists() for each in said.values())
    assert main(["init", "--data", str(data.with_name("bare"))]) == 0
    assert "frs identity add NAME --role ROLE" in capsys.readouterr().out


def test_identities_are_issued_listed_and_renewed(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Offline, on the folder of the authority; roles that are none are told with those there are."""
    assert main(["init", "--data", str(data)]) == 0
    issue = ["identity", "add", "ana", "--role", "reviewer", "--role", "officer", "--data", str(data)]
    assert main(issue) == 0
    assert main(issue) == 1
    assert main([*issue, "--renew", "--days", "30"]) == 0
    capsys.readouterr()
    assert main(["identity", "list", "--json", "--data", str(data)]) == 0
    listed = {item["name"]: item["roles"] for item in json.loads(capsys.readouterr().out)}
    assert listed["ana"] == ["officer", "reviewer"]
    assert set(listed) == {"ca", "server", "administrator", "ana"}
    assert {item.name: set(item.roles) for item in identities(data / "certs")}["ana"] == {Role.OFFICER, Role.REVIEWER}
    assert main(["identity", "add", "ben", "--role", "king", "--data", str(data)]) == 2
    assert "watchlist-manager" in capsys.readouterr().err
    assert main(["identity", "server", "--host", "faces.example", "--data", str(data)]) == 0


def test_identities_need_an_authority(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Where there is none, the advice is to make one."""
    assert main(["identity", "add", "ana", "--role", "reviewer", "--data", str(data)]) == 1
    assert "frs init" in capsys.readouterr().err


def test_doctor_finds_a_good_installation_well(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Model, provider, data, keyring, log, disk and certificates; what somebody should know is a note."""
    assert main(["init", "--data", str(data)]) == 0
    capsys.readouterr()
    assert main(["doctor", "--data", str(data)]) == 0
    text = capsys.readouterr().out
    assert "runs on CPUExecutionProvider" in text
    assert "weak" in text
    assert "0 events verify" in text
    assert "0 payloads opened, 0 erased" in text
    assert text.endswith("all is well\n")


@pytest.mark.parametrize(
    ("damage", "about"),
    [("keyring/kek", "keyring"), ("certs/server.crt", "certificates"), ("log.vkey", "data"), ("frs.sqlite", "data")],
)
def test_doctor_finds_what_is_missing(data: Path, capsys: pytest.CaptureFixture[str], damage: str, about: str) -> None:
    """A file that is gone makes it fail and say which part."""
    assert main(["init", "--data", str(data)]) == 0
    (data / damage).unlink()
    capsys.readouterr()
    assert main(["doctor", "--json", "--data", str(data)]) == 1
    report = json.loads(capsys.readouterr().out)
    wrong = {item["about"]: item for item in report["findings"] if item["verdict"] == "wrong"}
    assert about in wrong
    assert wrong[about]["advice"]


def test_doctor_without_anything_says_what_to_do(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It never stops at the first fault, and never crashes."""
    assert main(["doctor", "--json", "--data", str(data)]) == 1
    report = json.loads(capsys.readouterr().out)
    assert {item["about"] for item in report["findings"]} == {
        "machine",
        "model",
        "data",
        "keyring",
        "log",
        "witness",
        "disk",
        "certificates",
    }


@pytest.mark.parametrize(
    ("name", "value"), [("FRS_SERVER__DRAIN_SECONDS", "soon"), ("FRS_EMBED", "not json"), ("FRS_NO_SUCH__THING", "1")]
)
def test_wrong_settings_are_named(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """A value out of range, one that cannot be read; a variable that is no setting is left aside."""
    monkeypatch.setenv(name, value)
    status = main(["doctor", "--data", str(data)])
    text = capsys.readouterr()
    assert status == 1
    assert ("SETTINGS_INVALID" in text.err) == (name != "FRS_NO_SUCH__THING")


def test_a_settings_file_is_read_and_judged(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``frs.toml`` in the data directory; a setting that is none is refused by name."""
    assert main(["init", "--data", str(data)]) == 0
    (data / "frs.toml").write_text("[server]\ndrain = 3\n")
    assert main(["doctor", "--data", str(data)]) == 1
    assert "server.drain" in capsys.readouterr().err
    (data / "frs.toml").write_text("[server\n")
    assert main(["doctor", "--data", str(data)]) == 1
    assert "SETTINGS_INVALID" in capsys.readouterr().err
