"""The engine: bytes to templates, with the model, the profile and the provider that it says."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest

from frs.embed.decoding import decode_picture, encode_jpeg
from frs.embed.engine import FaceEngine
from frs.embed.loading import build_engine, load_engine
from frs.embed.manifest import read_manifest, write_manifest
from frs.embed.pack import Pack
from frs.embed.sessions import CUDA
from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.types import Face, Mode, Picture, ThresholdDefault
from tests.embed.conftest import PIXELS, settings_for


def copy_of(pack: Pack, folder: Path) -> Path:
    shutil.copytree(pack.folder, folder, dirs_exist_ok=True)
    return folder


def test_analysis_finds_faces_largest_first(starter: FaceEngine, sample_bytes: bytes) -> None:
    """Bytes become an upright picture and its faces, sorted by area, each with a crop for the recogniser."""
    analysis = starter.analyse(sample_bytes)
    assert analysis.picture.shape == (886, 1280, 3)
    assert len(analysis.faces) == 6
    areas = [(f.box[2] - f.box[0]) * (f.box[3] - f.box[1]) for f in analysis.faces]
    assert areas == sorted(areas, reverse=True)
    assert all(face.aligned.shape == (150, 150, 3) and face.quality.usable for face in analysis.faces)


def test_orientation_makes_no_difference(starter: FaceEngine, sample: Picture) -> None:
    """A photograph stored on its side with an EXIF orientation gives the faces of the upright one."""
    stored = encode_jpeg(cv2.rotate(sample, cv2.ROTATE_90_COUNTERCLOCKWISE), 98)
    exif = (
        b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x01\x01\x12\x00\x03\x00\x00\x00\x01\x00\x06\x00\x00\x00\x00\x00\x00"
    )
    segment = b"\xff\xe1" + (len(exif) + 2).to_bytes(2) + exif
    turned = starter.analyse(stored[:2] + segment + stored[2:])
    upright = starter.detect(sample)
    assert turned.picture.shape == sample.shape
    scores = (starter.embed(turned.faces) @ starter.embed(upright).T).max(axis=1)
    assert len(turned.faces) == 6
    assert (scores > 0.99).all()


def test_templates_are_unit_rows_of_the_models_dimension(starter: FaceEngine, sample: Picture) -> None:
    """A template per face, of unit length; none for no faces."""
    templates = starter.embed(starter.detect(sample))
    assert (templates.shape, templates.dtype) == ((6, starter.model.dimension), np.dtype(np.float32))
    assert np.allclose(np.linalg.norm(templates, axis=1), 1, atol=1e-5)
    assert starter.embed([]).shape == (0, starter.model.dimension)


def test_a_face_has_one_template_alone_or_in_company(starter: FaceEngine, sample: Picture) -> None:
    """Which faces share a call changes no template."""
    faces = starter.detect(sample)
    together = starter.embed(faces)
    assert np.allclose(together, np.concatenate([starter.embed([face]) for face in faces]), atol=1e-5)


def test_boxes_stay_inside_the_picture(starter: FaceEngine, sample: Picture) -> None:
    """A face over the edge has a box that ends at it, so that crops for reviewers can be cut."""
    part = np.ascontiguousarray(sample[:, 500:1190])
    for face in starter.detect(part):
        x1, y1, x2, y2 = face.box
        assert 0 <= x1 < x2 <= 690
        assert 0 <= y1 < y2 <= 886


def test_limits_are_those_of_the_settings(starter_pack: Pack, sample_bytes: bytes) -> None:
    """Bytes and megapixels over the settings are refused before decoding."""
    engine = load_engine(settings_for(starter_pack.folder, max_picture_megapixels=1))
    with pytest.raises(FrsError) as caught:
        engine.analyse(sample_bytes)
    engine.close()
    assert caught.value.reason is Reason.PICTURE_TOO_MANY_PIXELS


def test_model_says_what_runs(starter: FaceEngine, starter_pack: Pack) -> None:
    """The pack, its version, profile, notice and the provider in use are told."""
    model = starter.model
    assert model.id == f"starter@{starter_pack.version}"
    assert (model.dimension, model.profile, model.notice) == (128, "mirror", starter_pack.notice)
    if CUDA not in onnxruntime.get_available_providers():
        assert model.provider == "CPUExecutionProvider"


def test_profile_of_the_settings_wins_and_drops_the_packs_thresholds(starter_pack: Pack, sample: Picture) -> None:
    """Under another profile scores mean something else: the pack's thresholds are not offered for it."""
    threshold = ThresholdDefault(Mode.LIVE, 0.9, "a test")
    pack = Pack(**{name: getattr(starter_pack, name) for name in Pack.__slots__} | {"thresholds": (threshold,)})
    for profile, expected in (("auto", (threshold,)), ("mirror", (threshold,)), ("plain", ())):
        engine = build_engine(pack, settings_for(pack.folder, profile=profile))
        faces = engine.detect(sample)[:1]
        mirrored = [Face(f.box, f.landmarks, f.quality, np.ascontiguousarray(f.aligned[:, ::-1])) for f in faces]
        score = float(engine.embed(faces)[0] @ engine.embed(mirrored)[0])
        engine.close()
        assert engine.model.thresholds == expected
        assert (score > 0.9999) == (profile != "plain")


def test_other_models_in_the_folder_are_never_opened(starter_pack: Pack, tmp_path: Path, sample: Picture) -> None:
    """Whatever else lies in a pack's folder, such as an age and gender model, is not read."""
    folder = copy_of(starter_pack, tmp_path / "pack")
    (folder / "genderage.onnx").write_bytes(b"not even a graph")
    (folder / "genderage.onnx").chmod(0)
    engine = load_engine(settings_for(folder))
    assert len(engine.detect(sample)) == 6
    engine.close()


def test_changed_file_is_refused(starter_pack: Pack, tmp_path: Path) -> None:
    """A pack with a file that differs from its manifest does not load."""
    folder = copy_of(starter_pack, tmp_path / "pack")
    with (folder / starter_pack.detector.name).open("r+b") as file:
        file.seek(5000)
        file.write(b"\x00\x01\x02")
    with pytest.raises(FrsError) as caught:
        load_engine(settings_for(folder))
    assert caught.value.reason is Reason.MODEL_CHANGED


@pytest.mark.parametrize(("dimension", "size", "swapped"), [(512, 150, False), (128, 112, False), (128, 150, True)])
def test_manifest_that_does_not_fit_its_graphs_is_refused(
    starter_pack: Pack, tmp_path: Path, dimension: int, size: int, swapped: bool
) -> None:
    """A wrong dimension, a wrong size or a wrong kind is found at load, not at the first face."""
    folder = copy_of(starter_pack, tmp_path / "pack")
    detector, recogniser = starter_pack.detector.name, starter_pack.recogniser.name
    write_manifest(
        folder,
        name="wrong",
        detector=(recogniser if swapped else detector, "centerface"),
        recogniser=(detector if swapped else recogniser, "dlib-resnet"),
        dimension=dimension,
        input_size=size,
        licence="test",
        licence_url="",
        profile="plain",
        made_at=read_manifest(starter_pack.folder).made_at,
    )
    with pytest.raises(FrsError) as caught:
        load_engine(settings_for(folder))
    assert caught.value.reason is Reason.MODEL_INVALID


@pytest.mark.skipif(CUDA in onnxruntime.get_available_providers(), reason="CUDA is there")
def test_required_gpu_refuses_to_start(starter_pack: Pack) -> None:
    """With ``require_gpu`` the engine does not start on a CPU."""
    with pytest.raises(FrsError) as caught:
        load_engine(settings_for(starter_pack.folder, require_gpu=True))
    assert caught.value.reason is Reason.GPU_REQUIRED


def test_fixed_shapes_give_the_same_faces(starter: FaceEngine, starter_pack: Pack, sample: Picture) -> None:
    """Padding pictures and batches to one shape, for CUDA, changes no result to speak of."""
    engine = load_engine(settings_for(starter_pack.folder, fixed_batch=True, max_batch=8))
    fixed, free = engine.detect(sample), starter.detect(sample)
    scores = (engine.embed(fixed) * starter.embed(free)).sum(axis=1)
    engine.close()
    assert len(fixed) == len(free) == 6
    assert (scores > 0.999).all()


def test_threads_share_the_engine(starter: FaceEngine, sample_bytes: bytes) -> None:
    """Requests of many threads at once give each caller what it would get alone, in shared calls."""
    expected = starter.embed(starter.analyse(sample_bytes).faces)
    before = starter.counts()
    failures: list[str] = []

    def work() -> None:
        templates = starter.embed(starter.analyse(sample_bytes).faces, time.monotonic() + 60)
        if not np.allclose(templates, expected, atol=1e-4):
            failures.append("another result")

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    after = starter.counts()
    assert failures == []
    assert after.faces - before.faces == 36
    assert after.batches - before.batches <= 6


def test_passed_deadline_and_close(starter_pack: Pack, sample: Picture) -> None:
    """A deadline in the past is refused; after closing everything is."""
    engine = load_engine(settings_for(starter_pack.folder))
    faces = engine.detect(sample)
    with pytest.raises(FrsError) as late:
        engine.embed(faces, time.monotonic() - 1)
    engine.close()
    with pytest.raises(FrsError) as closed:
        engine.embed(faces)
    assert (late.value.reason, closed.value.reason) == (Reason.OVERLOADED, Reason.SHUTTING_DOWN)


def test_unknown_pack_is_named(tmp_path: Path) -> None:
    """A pack that is not installed is an error that says so."""
    with pytest.raises(FrsError) as caught:
        load_engine(Settings.model_validate({"data_dir": tmp_path, "embed": {"pack": "nowhere"}}))
    assert caught.value.reason is Reason.MODEL_NOT_FOUND


@pytest.mark.shared
@pytest.mark.parametrize("name", ["starter", "dev"])
def test_people_are_nearer_to_themselves(name: str, request: pytest.FixtureRequest, shared: Path) -> None:
    """Of twelve people, two photographs each, nearly every second photograph is nearest to its own first one."""
    engine: FaceEngine = request.getfixturevalue(name)
    people = sorted((shared / "data" / "lfw-view1" / "images").glob("*/*_0002.jpg"))[::60][:12]
    rows = []
    for second in people:
        for path in (second.with_name(second.name.replace("_0002", "_0001")), second):
            if path.is_file():
                picture = decode_picture(path.read_bytes(), 1 << 20, PIXELS)
                height, width = picture.shape[:2]
                faces = engine.detect(picture)
                off = [abs(f.box[0] + f.box[2] - width) + abs(f.box[1] + f.box[3] - height) for f in faces]
                middle = faces[int(np.argmin(off))]
                rows.append((path.parent.name, engine.embed([middle])[0]))
    names, templates = [name for name, _ in rows], np.stack([row for _, row in rows])
    scores = templates @ templates.T - 2 * np.eye(len(rows))
    pairs = [i for i, person in enumerate(names) if names.count(person) == 2]
    right = sum(names[int(scores[i].argmax())] == names[i] for i in pairs)
    assert len(pairs) >= 16
    assert right >= 0.9 * len(pairs)
