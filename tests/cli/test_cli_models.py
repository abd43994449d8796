"""``frs models`` as a person and a script meet it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from frs.cli.main import main
from frs.embed.catalogue import CATALOGUE


@pytest.fixture
def data(tmp_path: Path) -> str:
    return str(tmp_path / "data")


@pytest.fixture
def with_starter(data: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["models", "install", "starter", "--data", data]) == 0
    capsys.readouterr()
    return data


def run_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    """Run a command with --json, which must succeed; return what it printed."""
    assert main(["models", *arguments, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def recogniser(data: str) -> Path:
    return Path(data) / "models/starter/dlib_resnet.onnx"


def test_list_shows_every_pack_that_can_be_installed(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    """On a fresh machine the list has the whole catalogue, with licence, size and dimension, and nothing installed."""
    packs = run_json(capsys, "list", "--data", data)["packs"]
    assert {p["name"] for p in packs} == {"starter", "opencv-zoo", "buffalo_l", "buffalo_m", "buffalo_sc", "antelopev2"}
    assert {p["state"] for p in packs} == {"installable"}
    assert all(p["licence"] and p["dimension"] for p in packs)
    assert all(p["bytes"] for p in packs if p["name"] != "starter")


def test_list_is_readable(with_starter: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The list for people has states, licences and the starter pack's warning."""
    assert main(["models", "list", "--data", with_starter]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "starter installed, in use" in shown
    assert "Non-commercial research only" in shown
    assert "starter pack is weak" in shown


def test_starter_is_installed_without_a_question(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The starter pack installs offline with no licence flag, and says that it is weak."""
    pack = run_json(capsys, "install", "starter", "--data", data)
    assert (pack["name"], pack["dimension"], pack["profile"], pack["in_use"]) == ("starter", 128, "mirror", True)
    assert "weak" in pack["notice"]
    assert recogniser(data).is_file()


def test_install_refuses_without_the_licence(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --accept-license the licence is printed and nothing is installed."""
    assert main(["models", "install", "buffalo_sc", "--data", data]) == 1
    shown = capsys.readouterr().err
    assert "MODEL_LICENCE_NOT_ACCEPTED" in shown
    assert "Non-commercial research only" in shown
    assert "--accept-license" in shown
    assert not (Path(data) / "models").exists()


def test_install_from_a_folder_checks_the_publishers_digests(
    data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--from takes a local folder, and files that are not the publisher's are refused by name."""
    for file in ("face_detection_yunet_2023mar.onnx", "face_recognition_sface_2021dec.onnx"):
        (tmp_path / file).write_bytes(b"not the published file")
    arguments = ["install", "opencv-zoo", "--accept-license", "--from", str(tmp_path), "--data", data]
    assert main(["models", *arguments]) == 1
    assert "face_detection_yunet_2023mar.onnx is not the publisher's file" in capsys.readouterr().err


def test_install_of_an_unknown_pack_names_the_known(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A name the catalogue does not have is refused with the names it has."""
    assert main(["models", "install", "nonesuch", "--data", data]) == 1
    shown = capsys.readouterr().err
    assert all(entry.name in shown for entry in CATALOGUE)


def test_show_describes_installed_and_installable_packs(with_starter: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An installed pack is shown by its manifest, another by the catalogue, with digests and addresses."""
    starter = run_json(capsys, "show", "starter", "--data", with_starter)
    assert starter["state"] == "installed"
    assert len(starter["version"]) == 12
    assert len(starter["recogniser"]["sha256"]) == 64
    other = run_json(capsys, "show", "buffalo_l", "--data", with_starter)
    assert other["state"] == "installable"
    assert other["from"] == ["https://github.com/deepinsight/insightface/releases/download/v0.7/buffalo_l.zip"]
    assert main(["models", "show", "starter", "--data", with_starter]) == 0
    assert starter["version"] in capsys.readouterr().out


def test_show_of_an_unknown_pack_fails(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A name that is neither installed nor in the catalogue is not found."""
    assert main(["models", "show", "nonesuch", "--data", data]) == 1
    assert "MODEL_NOT_FOUND" in capsys.readouterr().err


def test_verify_passes_intact_packs(with_starter: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Packs whose files are those of their manifests verify, one by name or all."""
    for arguments in (["verify", "starter"], ["verify"]):
        (row,) = run_json(capsys, *arguments, "--data", with_starter)["packs"]
        assert (row["name"], row["ok"]) == ("starter", True)


@pytest.mark.parametrize("arguments", [["verify", "starter"], ["verify"], ["verify", "--json"]])
def test_verify_fails_when_a_file_was_changed(
    with_starter: str, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    """One changed byte makes the command fail and names the file."""
    content = bytearray(recogniser(with_starter).read_bytes())
    content[1000] ^= 1
    recogniser(with_starter).write_bytes(content)
    assert main(["models", *arguments, "--data", with_starter]) != 0
    shown = capsys.readouterr()
    assert "dlib_resnet.onnx" in shown.err
    assert "MODEL_CHANGED" in shown.err
    if "--json" in arguments:
        assert json.loads(shown.out)["packs"][0]["ok"] is False
    else:
        assert "NOT INTACT" in shown.out


def test_verify_of_a_pack_that_is_not_installed_fails(data: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Verifying what is not there fails; verifying nothing at all says so."""
    assert main(["models", "verify", "starter", "--data", data]) == 1
    assert "MODEL_NOT_FOUND" in capsys.readouterr().err
    assert main(["models", "verify", "--data", data]) == 0
    assert "no packs" in capsys.readouterr().out


def test_add_copies_a_pack(with_starter: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder is added to another installation, with what was left out named."""
    folder = recogniser(with_starter).parent
    (folder / "extra.onnx").write_bytes(b"left out")
    pack = run_json(capsys, "add", str(folder), "--data", str(tmp_path / "second"))
    assert pack["folder"] == str(tmp_path / "second/models/starter")
    assert [left["file"] for left in pack["ignored"]] == ["extra.onnx"]
    assert main(["models", "add", str(folder), "--data", str(tmp_path / "third")]) == 0
    assert "left out extra.onnx" in capsys.readouterr().out


def test_add_refuses_a_folder_without_models(data: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with no usable model is refused with a reason, as is a profile that does not exist."""
    (tmp_path / "empty").mkdir()
    assert main(["models", "add", str(tmp_path / "empty"), "--data", data]) == 1
    assert "no detector" in capsys.readouterr().err
    assert main(["models", "add", str(tmp_path / "empty"), "--profile", "fused", "--data", data]) == 2
    assert "fused" in capsys.readouterr().err


def test_unusable_pack_is_listed_as_such(with_starter: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A pack whose manifest cannot be read stays in the list, with the reason."""
    (Path(with_starter) / "models/starter/manifest.json").write_text("{}")
    packs = run_json(capsys, "list", "--data", with_starter)["packs"]
    starter = next(p for p in packs if p["name"] == "starter")
    assert starter["state"] == "unusable"
    assert "manifest.json" in starter["notice"]
