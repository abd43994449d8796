"""Folders without a manifest: the two usable models are found by their graphs, everything else stays out."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import ModelProto, TensorProto, helper, numpy_helper

from frs.embed.adding import UNSTATED, Choice, add_folder
from frs.embed.catalogue import CATALOGUE, find_publisher
from frs.embed.model_graphs import read_graph
from frs.embed.pack import load_pack
from frs.embed.shelf import Shelf
from frs.errors import FrsError, Reason

SHARED = Path(__file__).resolve().parents[3] / "shared"
Dimensions = list[int | str]


class StoppedClock:
    def now(self) -> datetime:
        return datetime(2026, 5, 4, tzinfo=UTC)


def model(nodes: list[tuple[str, Dimensions]], side: Dimensions, last: str = "Identity") -> ModelProto:
    """Build a model whose outputs are, for each (name, shape), the picture's mean repeated over the last dimension."""
    built = [
        helper.make_node("GlobalAveragePool", ["picture"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["mean"]),
    ]
    weights, outputs = [], []
    for name, shape in nodes:
        width = shape[-1]
        assert isinstance(width, int)
        weights.append(numpy_helper.from_array(np.ones((3, width), np.float32), f"w_{name}"))
        built.append(helper.make_node("MatMul", ["mean", f"w_{name}"], [f"m_{name}"]))
        built.append(helper.make_node(last, [f"m_{name}"], [name]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
    picture = helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["n", 3, *side])
    graph = helper.make_graph(built, "test", [picture], outputs, weights)
    return helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 17)])


def scrfd() -> ModelProto:
    heads = [(f"{kind}{stride}", width) for kind, width in (("s", 1), ("b", 4), ("k", 10)) for stride in (8, 16, 32)]
    return model([(name, ["?", width]) for name, width in heads], ["?", "?"])


def arcface(dimension: int = 96, side: int = 112, last: str = "Identity") -> ModelProto:
    return model([("embedding", ["n", dimension])], [side, side], last)


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """Lay out a folder as InsightFace's archives unpack: detector, recogniser, attributes and two landmark models."""
    folder = tmp_path / "Little_Pack"
    folder.mkdir()
    for name, built in {
        "det_500m.onnx": scrfd(),
        "w600k_mbf.onnx": arcface(),
        "genderage.onnx": arcface(3, 96),
        "2d106det.onnx": arcface(212, 192),
        "1k3d68.onnx": arcface(3309, 192),
    }.items():
        (folder / name).write_bytes(built.SerializeToString())
    (folder / "README.txt").write_text("not a model")
    return folder


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "models")


def test_detector_and_recogniser_are_found_and_the_rest_left_out(layout: Path, shelf: Shelf) -> None:
    """Of an InsightFace folder exactly two files are copied; attributes and landmarks are named as left out."""
    added = add_folder(layout, shelf, StoppedClock(), Choice())
    assert (added.pack.name, added.pack.dimension, added.pack.input_size) == ("little_pack", 96, 112)
    assert (added.pack.detector.name, added.pack.detector.kind) == ("det_500m.onnx", "scrfd")
    assert (added.pack.recogniser.name, added.pack.recogniser.kind) == ("w600k_mbf.onnx", "arcface")
    assert {name for name, _ in added.ignored} == {"genderage.onnx", "2d106det.onnx", "1k3d68.onnx"}
    assert {p.name for p in added.pack.folder.iterdir()} == {"manifest.json", "det_500m.onnx", "w600k_mbf.onnx"}


def test_added_pack_is_a_copy(layout: Path, shelf: Shelf) -> None:
    """The pack does not need the folder it came from, and that folder is not changed."""
    before = sorted(p.name for p in layout.iterdir())
    folder = add_folder(layout, shelf, StoppedClock(), Choice()).pack.folder
    assert sorted(p.name for p in layout.iterdir()) == before
    shutil.rmtree(layout)
    assert load_pack(folder).version
    assert not any(p.is_symlink() for p in folder.iterdir())


def test_licence_is_unstated_unless_given(layout: Path, shelf: Shelf) -> None:
    """A licence is never made up: without one the manifest says that none was stated."""
    assert add_folder(layout, shelf, StoppedClock(), Choice()).pack.licence == UNSTATED
    choice = Choice(name="ours", licence="By agreement 17/4", licence_url="https://example.org/17", profile="mirror")
    pack = add_folder(layout, shelf, StoppedClock(), choice).pack
    assert (pack.name, pack.licence, pack.licence_url) == ("ours", "By agreement 17/4", "https://example.org/17")
    assert pack.profile == "mirror"


def test_published_files_are_known_by_their_digest() -> None:
    """Files of a published pack are recognised under any name, so that their licence is kept."""
    entry = next(e for e in CATALOGUE if e.name == "buffalo_sc")
    assert find_publisher(entry.detector.sha256, entry.recogniser.sha256) is entry
    assert find_publisher(entry.detector.sha256, "0" * 64) is None


def test_several_recognisers_need_a_choice(layout: Path, shelf: Shelf) -> None:
    """With two recognisers the person chooses; nothing is guessed."""
    (layout / "glintr100.onnx").write_bytes(arcface(512).SerializeToString())
    with pytest.raises(FrsError, match=r"glintr100\.onnx, w600k_mbf\.onnx.*--recogniser") as caught:
        add_folder(layout, shelf, StoppedClock(), Choice())
    assert caught.value.reason is Reason.MODEL_INVALID
    added = add_folder(layout, shelf, StoppedClock(), Choice(recogniser="glintr100.onnx"))
    assert added.pack.dimension == 512
    assert "w600k_mbf.onnx" in dict(added.ignored)


@pytest.mark.parametrize("file", ["genderage.onnx", "2d106det.onnx", "absent.onnx", "det_500m.onnx", "../x.onnx"])
def test_file_that_is_no_recogniser_cannot_be_chosen(layout: Path, shelf: Shelf, file: str) -> None:
    """An attribute or landmark model is refused even when it is asked for."""
    with pytest.raises(FrsError, match="is not a recogniser") as caught:
        add_folder(layout, shelf, StoppedClock(), Choice(recogniser=file))
    assert caught.value.reason is Reason.MODEL_INVALID
    assert shelf.names() == ()


def test_folder_without_a_detector_says_what_it_saw(layout: Path, shelf: Shelf) -> None:
    """When a part is missing the message says what each file was taken for."""
    (layout / "det_500m.onnx").unlink()
    with pytest.raises(FrsError, match=r"no detector.*genderage\.onnx: it takes 96x96") as caught:
        add_folder(layout, shelf, StoppedClock(), Choice())
    assert caught.value.reason is Reason.MODEL_INVALID


def test_classifier_is_not_taken_for_a_recogniser(layout: Path) -> None:
    """A model of faces that ends in classes (ages, say) gives no embedding, whatever its sizes."""
    path = layout / "age101.onnx"
    path.write_bytes(arcface(101, last="Softmax").SerializeToString())
    assert read_graph(path).role == "other"


def test_sface_is_told_by_its_name_or_its_graph(tmp_path: Path) -> None:
    """A recogniser that scales within its graph, or is called SFace, gets pixels as SFace does."""
    path = tmp_path / "face_recognition_sface_2021dec.onnx"
    path.write_bytes(arcface(128).SerializeToString())
    assert read_graph(path).kind == "sface"
    built = arcface(128)
    for operator in ("Mul", "Sub"):
        built.graph.initializer.append(numpy_helper.from_array(np.ones((), np.float32), f"one_{operator}"))
        node = helper.make_node(operator, ["picture", f"one_{operator}"], [f"scaled_{operator}"])
        built.graph.node.insert(0, node)
    path = tmp_path / "r100.onnx"
    path.write_bytes(built.SerializeToString())
    assert read_graph(path).kind == "sface"


def test_detector_without_landmarks_is_refused(tmp_path: Path) -> None:
    """A detector that gives only scores and boxes cannot align a face."""
    heads: list[tuple[str, Dimensions]] = [(f"o{i}", ["?", 1 if i < 3 else 4]) for i in range(6)]
    path = tmp_path / "det.onnx"
    path.write_bytes(model(heads, ["?", "?"]).SerializeToString())
    assert read_graph(path).role == "other"
    assert "landmarks" in read_graph(path).why


def test_model_that_does_not_run_is_refused(layout: Path, shelf: Shelf) -> None:
    """A recogniser that fails on an empty face is refused before it becomes a pack."""
    broken = arcface()
    broken.graph.node[0].op_type = "NoSuchOperator"
    (layout / "w600k_mbf.onnx").write_bytes(broken.SerializeToString())
    with pytest.raises(FrsError, match="does not run") as caught:
        add_folder(layout, shelf, StoppedClock(), Choice())
    assert caught.value.reason is Reason.MODEL_INVALID
    assert shelf.names() == ()


def test_weights_in_another_file_are_refused(layout: Path, shelf: Shelf) -> None:
    """A model that reads its weights from elsewhere could read any file: it is not used."""
    built = arcface()
    built.graph.initializer[0].data_location = TensorProto.EXTERNAL
    (layout / "w600k_mbf.onnx").write_bytes(built.SerializeToString())
    with pytest.raises(FrsError, match=r"no recogniser.*w600k_mbf\.onnx: its weights lie in another file"):
        add_folder(layout, shelf, StoppedClock(), Choice())


def test_broken_file_beside_the_models_is_left_out(layout: Path, shelf: Shelf) -> None:
    """A file that is no ONNX model does not keep the two that are from being added."""
    (layout / "broken.onnx").write_bytes(b"cut off")
    added = add_folder(layout, shelf, StoppedClock(), Choice())
    assert dict(added.ignored)["broken.onnx"] == "it is not an ONNX model"


@pytest.mark.parametrize("name", ["Upper Case", "..", ".hidden", "a/b"])
def test_pack_name_is_checked(layout: Path, shelf: Shelf, name: str) -> None:
    """A name that could leave the models folder is refused."""
    with pytest.raises(FrsError, match="name") as caught:
        add_folder(layout, shelf, StoppedClock(), Choice(name=name))
    assert caught.value.reason is Reason.MODEL_INVALID


def test_folder_with_a_manifest_is_copied_as_it_is(layout: Path, shelf: Shelf, tmp_path: Path) -> None:
    """A pack made elsewhere is verified and copied with its manifest, and keeps its version."""
    first = add_folder(layout, shelf, StoppedClock(), Choice(licence="kept"))
    again = add_folder(first.pack.folder, Shelf(tmp_path / "other"), StoppedClock(), Choice())
    assert (again.pack.version, again.pack.licence) == (first.pack.version, "kept")
    (first.pack.folder / "w600k_mbf.onnx").write_bytes(b"changed")
    with pytest.raises(FrsError) as caught:
        add_folder(first.pack.folder, Shelf(tmp_path / "third"), StoppedClock(), Choice())
    assert caught.value.reason is Reason.MODEL_CHANGED


def test_adding_again_replaces_the_pack(layout: Path, shelf: Shelf) -> None:
    """A second addition under the same name replaces the first, whole."""
    first = add_folder(layout, shelf, StoppedClock(), Choice()).pack
    (layout / "w600k_mbf.onnx").write_bytes(arcface(128).SerializeToString())
    second = add_folder(layout, shelf, StoppedClock(), Choice()).pack
    assert first.version != second.version == shelf.load("little_pack").version
    assert [p.name for p in shelf.folder.iterdir() if p.name != ".lock"] == ["little_pack"]


def test_interrupted_placing_leaves_the_shelf_as_it_was(shelf: Shelf) -> None:
    """What a dying process leaves behind is no pack, and the next placing clears it."""
    shelf.folder.mkdir()
    (shelf.folder / ".new-left").mkdir()
    (shelf.folder / ".new-left/det.onnx").write_bytes(b"half")
    assert shelf.names() == ()

    def fail_half_way() -> None:
        with shelf.placing("one") as folder:
            (folder / "det.onnx").write_bytes(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail_half_way()
    assert [p.name for p in shelf.folder.iterdir()] == [".lock"]


@given(st.binary(max_size=300))
def test_hostile_file_is_no_model(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    """Whatever bytes lie in an .onnx file, looking at it calls it something else and raises nothing."""
    path = tmp_path_factory.getbasetemp() / "hostile.onnx"
    path.write_bytes(data)
    assert read_graph(path).role == "other"


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/models/dev-pack")
def test_dev_pack_is_added(shelf: Shelf) -> None:
    """The InsightFace-layout pack beside the checkout becomes a pack without further words."""
    pack = add_folder(SHARED / "models/dev-pack", shelf, StoppedClock(), Choice()).pack
    assert (pack.name, pack.dimension, pack.detector.kind, pack.recogniser.kind) == (
        "dev-pack",
        128,
        "scrfd",
        "arcface",
    )
    assert pack.thresholds == ()


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="needs ../shared/models/yunet_n_dynamic.onnx")
def test_yunet_is_told_by_its_outputs() -> None:
    """A YuNet detector is recognised whatever its file is called."""
    assert read_graph(SHARED / "models/yunet_n_dynamic.onnx").kind == "yunet"
