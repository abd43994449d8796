"""What a manifest may say, and that nothing is loaded which differs from it."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frs.embed.manifest import MAX_MANIFEST_BYTES, Calibration, ThresholdEntry, parse_manifest, write_manifest
from frs.embed.pack import Pack, describe_pack, find_pack, load_pack
from frs.errors import FrsError, Reason
from frs.settings import EmbedSettings, Settings
from frs.types import Mode


def make_pack(folder: Path, *, name: str = "little", profile: Any = "plain", recogniser: bytes = b"recogniser") -> Pack:
    """Write a pack of two small files: enough for everything but running it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "det.onnx").write_bytes(b"detector")
    (folder / "rec.onnx").write_bytes(recogniser)
    write_manifest(
        folder,
        name=name,
        detector=("det.onnx", "scrfd"),
        recogniser=("rec.onnx", "arcface"),
        dimension=128,
        input_size=112,
        licence="CC0-1.0",
        licence_url="https://example.org/licence",
        profile=profile,
        made_at=datetime(2026, 1, 2, tzinfo=UTC),
        thresholds=(ThresholdEntry(mode=Mode.OPERATOR, score=0.5, basis="measured on nothing"),),
        calibration=Calibration(data_set="none", date=date(2026, 1, 1)),
    )
    return load_pack(folder)


def curves(**change: object) -> dict[str, Any]:
    curve = {"of": "single", "comparisons": 10, "people": 5, "points": [[0.5, 3], [0.6, 1]]} | change
    return {"data_set": "none", "date": "2026-01-01", "curves": [curve]}


def alter(folder: Path, change: dict[str, Any]) -> None:
    path = folder / "manifest.json"
    value = json.loads(path.read_text())
    path.write_text(json.dumps(value | change))


def test_pack_reads_back_as_written(tmp_path: Path) -> None:
    """A pack that was written is read with its files, licence, profile, thresholds and a 12-digit version."""
    pack = make_pack(tmp_path / "little")
    assert (pack.name, pack.dimension, pack.input_size, pack.profile) == ("little", 128, 112, "plain")
    assert (pack.detector.kind, pack.recogniser.kind) == ("scrfd", "arcface")
    assert pack.detector_path.read_bytes() == b"detector"
    assert (pack.licence, pack.licence_url) == ("CC0-1.0", "https://example.org/licence")
    assert [(t.mode, t.score) for t in pack.thresholds] == [(Mode.OPERATOR, 0.5)]
    assert len(pack.version) == 12
    assert int(pack.version, 16) >= 0


def test_a_curve_is_read_with_its_data_set(tmp_path: Path) -> None:
    """What strangers score is read back with what it was measured on, and changes no version."""
    version = make_pack(tmp_path).version
    assert load_pack(tmp_path).curves == ()
    alter(tmp_path, {"calibration": curves()})
    (curve,) = load_pack(tmp_path).curves
    assert (curve.of, curve.comparisons, curve.people, curve.points) == ("single", 10, 5, ((0.5, 3), (0.6, 1)))
    assert curve.basis == "none, measured on 2026-01-01"
    assert load_pack(tmp_path).version == version


def test_version_follows_the_files_and_nothing_else(tmp_path: Path) -> None:
    """The version is the same for the same files under another name and profile, and differs when a file does."""
    first = make_pack(tmp_path / "a")
    same = make_pack(tmp_path / "b", name="other", profile="mirror")
    other = make_pack(tmp_path / "c", recogniser=b"another recogniser")
    assert first.version == same.version
    assert first.version != other.version


@pytest.mark.parametrize("file", ["det.onnx", "rec.onnx"])
@pytest.mark.parametrize("content", [b"", b"recognisex", b"a file of another length"])
def test_changed_file_is_refused_by_name(tmp_path: Path, file: str, content: bytes) -> None:
    """A file that is not the one the manifest describes stops the pack from loading and is named."""
    make_pack(tmp_path)
    (tmp_path / file).write_bytes(content)
    with pytest.raises(FrsError, match=file) as caught:
        load_pack(tmp_path)
    assert caught.value.reason is Reason.MODEL_CHANGED
    assert caught.value.metadata == {"file": file}


def test_missing_file_is_refused_by_name(tmp_path: Path) -> None:
    """A file that the manifest names and that is gone stops the pack from loading."""
    make_pack(tmp_path)
    (tmp_path / "rec.onnx").unlink()
    with pytest.raises(FrsError, match=r"rec\.onnx") as caught:
        load_pack(tmp_path)
    assert caught.value.reason is Reason.MODEL_CHANGED


def test_folder_without_manifest_says_how_to_make_one(tmp_path: Path) -> None:
    """A folder without a manifest is not a pack; the message names the command that makes it one."""
    with pytest.raises(FrsError, match="frs models add") as caught:
        load_pack(tmp_path)
    assert caught.value.reason is Reason.MODEL_INVALID


def test_absent_folder_is_not_found(tmp_path: Path) -> None:
    """A folder that is not there is not found, rather than invalid."""
    with pytest.raises(FrsError) as caught:
        load_pack(tmp_path / "absent")
    assert caught.value.reason is Reason.MODEL_NOT_FOUND


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"schema": 2}, "schema"),
        ({"name": "../evil"}, "name"),
        ({"dimension": 0}, "dimension"),
        ({"dimension": "many"}, "dimension"),
        ({"profile": "fused"}, "profile"),
        ({"surprise": 1}, "surprise"),
        ({"made_at": "2026-01-01T00:00:00"}, "made_at"),
        ({"licence": {"url": "x"}}, "licence.name"),
        ({"calibration": None}, "calibration"),
        ({"calibration": curves(points=[[0.5, 3], [0.4, 2]])}, "ascend"),
        ({"calibration": curves(points=[[0.5, 3], [0.6, 4]])}, "fall"),
        ({"calibration": curves(points=[[0.5, 11]])}, "fall"),
        ({"calibration": curves(points=[])}, "ascend"),
        ({"calibration": curves() | {"curves": curves()["curves"] * 2}}, "more than one curve"),
        ({"thresholds": [{"mode": "live", "score": 2, "basis": "b"}]}, "thresholds.0.score"),
        ({"thresholds": [{"mode": "never", "score": 0.2, "basis": "b"}]}, "thresholds.0.mode"),
        ({"thresholds": [{"mode": "live", "score": s, "basis": "b"} for s in (0.1, 0.2)]}, "more than one"),
    ],
)
def test_manifest_against_the_schema_is_invalid(tmp_path: Path, change: dict[str, Any], place: str) -> None:
    """A manifest with a wrong, missing or unknown field is refused and the field is named."""
    make_pack(tmp_path)
    alter(tmp_path, change)
    with pytest.raises(FrsError, match=place) as caught:
        load_pack(tmp_path)
    assert caught.value.reason is Reason.MODEL_INVALID


@pytest.mark.parametrize("file", ["../det.onnx", "/etc/passwd", "sub/det.onnx", "", ".hidden", "det.onnx\n"])
def test_manifest_cannot_name_a_file_outside_its_folder(tmp_path: Path, file: str) -> None:
    """A file name that leads out of the pack's folder is refused before anything is opened."""
    make_pack(tmp_path)
    entry = json.loads((tmp_path / "manifest.json").read_text())["detector"]
    alter(tmp_path, {"detector": entry | {"file": file}})
    with pytest.raises(FrsError, match=r"detector\.file") as caught:
        load_pack(tmp_path)
    assert caught.value.reason is Reason.MODEL_INVALID


def test_other_preprocessing_is_refused(tmp_path: Path) -> None:
    """A pack made for another way of preparing pixels is refused: its scores would not be the ones measured."""
    make_pack(tmp_path)
    entry = json.loads((tmp_path / "manifest.json").read_text())["recogniser"]
    alter(tmp_path, {"recogniser": entry | {"preprocessing": "BGR, upside down"}})
    with pytest.raises(FrsError, match="preprocessing") as caught:
        load_pack(tmp_path)
    assert caught.value.reason is Reason.MODEL_INVALID


def test_oversized_manifest_is_refused(tmp_path: Path) -> None:
    """A manifest far larger than one can be is not parsed."""
    make_pack(tmp_path)
    (tmp_path / "manifest.json").write_bytes(b" " * (MAX_MANIFEST_BYTES + 1))
    with pytest.raises(FrsError, match="larger") as caught:
        describe_pack(tmp_path)
    assert caught.value.reason is Reason.MODEL_INVALID


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["schema", "name", "detector", "file", "dimension", "thresholds"]), inner, max_size=5
        )
    ),
    max_leaves=12,
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_hostile_manifest_raises_only_the_catalogue_error(data: bytes) -> None:
    """Whatever bytes a manifest holds, reading it raises MODEL_INVALID and nothing else."""
    with pytest.raises(FrsError) as caught:
        parse_manifest(data, "manifest.json")
    assert caught.value.reason is Reason.MODEL_INVALID


def test_manifest_is_not_written_for_an_invalid_pack(tmp_path: Path) -> None:
    """Writing a manifest that would not load raises MODEL_INVALID and leaves no file behind."""
    (tmp_path / "det.onnx").write_bytes(b"d")
    with pytest.raises(FrsError) as caught:
        write_manifest(
            tmp_path,
            name="Not A Name",
            detector=("det.onnx", "scrfd"),
            recogniser=("det.onnx", "arcface"),
            dimension=128,
            input_size=112,
            licence="none",
            licence_url="",
            profile="plain",
            made_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
    assert caught.value.reason is Reason.MODEL_INVALID
    assert [p.name for p in tmp_path.iterdir()] == ["det.onnx"]


def settings_for(tmp_path: Path, pack: str) -> Settings:
    return Settings(data_dir=tmp_path / "data", embed=EmbedSettings(pack=pack))


def test_find_pack_by_name_and_by_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is looked for in the models folder before the working directory; anything else is a folder's path."""
    make_pack(tmp_path / "data/models/little")
    make_pack(tmp_path / "elsewhere/little")
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert find_pack(settings_for(tmp_path, "little")) == tmp_path / "data/models/little"
    assert find_pack(settings_for(tmp_path, str(tmp_path / "elsewhere/little"))) == tmp_path / "elsewhere/little"
    shutil.rmtree(tmp_path / "data/models/little")
    assert find_pack(settings_for(tmp_path, "little")) == Path("little")


def test_find_pack_says_where_it_looked(tmp_path: Path) -> None:
    """A pack that is nowhere is not found, and the message names the folder that was searched."""
    with pytest.raises(FrsError, match="models") as caught:
        find_pack(settings_for(tmp_path, "absent"))
    assert caught.value.reason is Reason.MODEL_NOT_FOUND
