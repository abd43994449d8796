"""``manifest.json``: what a model pack says of itself, and what is checked before any of it runs.

The manifest names the two files that are loaded (a detector and a recogniser, nothing else), their SHA-256 and
size, how pixels are prepared for each, the licence, the embedding's dimension, the scoring profile, and the
thresholds measured for it with the data behind them. ``docs/models.md`` documents each field.

It promises that a manifest which does not follow the schema below raises ``FrsError(MODEL_INVALID)`` and
nothing else, and that a manifest is written whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from frs.errors import FrsError, Reason
from frs.types import Mode

MANIFEST = "manifest.json"
MAX_MANIFEST_BYTES = 1 << 20

DetectorKind = Literal["centerface", "scrfd", "yunet"]
RecogniserKind = Literal["dlib-resnet", "arcface", "sface"]
Profile = Literal["plain", "mirror"]

PREPROCESSING: dict[str, str] = {
    "centerface": "RGB 0..255, NCHW float32, sides padded to multiples of 32",
    "scrfd": "RGB minus 127.5 over 128, NCHW float32, sides padded to multiples of 32",
    "yunet": "BGR 0..255, NCHW float32, sides padded to multiples of 32",
    "dlib-resnet": (
        "five landmarks to (47.9,46.5) (102.4,46.4) (74.5,77.0) (52.0,104.4) (98.7,103.9) in 150x150 by a similarity"
        " transform; RGB 0..255, NCHW float32; the graph subtracts (122.782,117.001,104.298) and divides by 256"
    ),
    "arcface": (
        "five landmarks to InsightFace's 112x112 template by a similarity transform; RGB minus 127.5 over 127.5,"
        " NCHW float32"
    ),
    "sface": "five landmarks to OpenCV's 112x112 template by a similarity transform; RGB 0..255, NCHW float32",
}
"""How pixels are prepared for each kind of file. A manifest carries the text of its two kinds: when the way a
kind is prepared changes here, packs made before no longer load under their old version."""

FileName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
PackName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class DetectorEntry(_Part):
    """The detector's file."""

    file: FileName
    kind: DetectorKind
    sha256: Sha256
    bytes: int = Field(gt=0)
    preprocessing: Text


class RecogniserEntry(_Part):
    """The recogniser's file."""

    file: FileName
    kind: RecogniserKind
    sha256: Sha256
    bytes: int = Field(gt=0)
    preprocessing: Text


class Licence(_Part):
    """Under what terms the files may be used."""

    name: Text
    url: str = Field("", max_length=2000)


class ThresholdEntry(_Part):
    """A threshold that the pack ships for one mode."""

    mode: Mode
    score: float = Field(ge=-1, le=1, allow_inf_nan=False)
    basis: Text


class Curve(_Part):
    """How often the faces of two strangers score how high."""

    of: Literal["single", "track"]
    comparisons: int = Field(gt=0)
    people: int = Field(gt=1)
    points: tuple[tuple[Annotated[float, Field(ge=-1, le=1, allow_inf_nan=False)], Annotated[int, Field(ge=0)]], ...]

    @model_validator(mode="after")
    def _falls(self) -> Curve:
        scores, counts = [point[0] for point in self.points], [point[1] for point in self.points]
        if not scores or scores != sorted(set(scores)):
            raise ValueError("the scores of a curve do not ascend")
        if counts != sorted(counts, reverse=True) or counts[0] > self.comparisons:
            raise ValueError("the counts of a curve do not fall from at most its comparisons")
        return self


class Calibration(_Part):
    """What the thresholds and curves were measured on."""

    data_set: Text
    date: date
    curves: tuple[Curve, ...] = ()

    @model_validator(mode="after")
    def _one_of_each(self) -> Calibration:
        if len({curve.of for curve in self.curves}) != len(self.curves):
            raise ValueError("there is more than one curve of a kind")
        return self


class Manifest(_Part):
    """The whole manifest."""

    schema_version: Literal[1] = Field(1, alias="schema")
    name: PackName
    detector: DetectorEntry
    recogniser: RecogniserEntry
    dimension: int = Field(ge=2, le=8192)
    input_size: int = Field(ge=16, le=1024)
    licence: Licence
    profile: Profile
    notice: str = Field("", max_length=2000)
    thresholds: tuple[ThresholdEntry, ...] = ()
    calibration: Calibration | None = None
    made_at: AwareDatetime

    @model_validator(mode="after")
    def _agrees(self) -> Manifest:
        for entry in (self.detector, self.recogniser):
            if entry.preprocessing != PREPROCESSING[entry.kind]:
                raise ValueError(f"the preprocessing of {entry.file} is not what this version does for {entry.kind}")
        if self.detector.file == self.recogniser.file:
            raise ValueError("detector and recogniser are the same file")
        if len({t.mode for t in self.thresholds}) != len(self.thresholds):
            raise ValueError("a mode has more than one threshold")
        if self.thresholds and self.calibration is None:
            raise ValueError("thresholds without the calibration data set and date they come from")
        return self

    def as_json(self) -> str:
        """Return the text of the file."""
        return self.model_dump_json(by_alias=True, indent=2) + "\n"

    def write(self, folder: Path) -> None:
        """Write ``FOLDER/manifest.json``, whole or not at all, replacing one that is there."""
        descriptor, temporary = tempfile.mkstemp(dir=folder, prefix=".manifest-")
        path = Path(temporary)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                file.write(self.as_json())
                file.flush()
                os.fsync(file.fileno())
            path.chmod(0o644)
            path.replace(folder / MANIFEST)
        finally:
            path.unlink(missing_ok=True)


def parse_manifest(data: bytes, where: str) -> Manifest:
    """Read a manifest's bytes; ``where`` names the file in the message. Raises ``MODEL_INVALID``."""
    if len(data) > MAX_MANIFEST_BYTES:
        raise FrsError(Reason.MODEL_INVALID, f"{where} is larger than a manifest can be")
    try:
        return Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the manifest"
        raise FrsError(Reason.MODEL_INVALID, f"{where}: {place}: {first['msg']}", field=place) from error


def read_manifest(folder: Path) -> Manifest:
    """Read ``FOLDER/manifest.json`` without looking at the model files.

    Raises ``MODEL_NOT_FOUND`` when there is no such folder, ``MODEL_INVALID`` when it has no usable manifest.
    """
    path = folder / MANIFEST
    try:
        with path.open("rb") as file:
            data = file.read(MAX_MANIFEST_BYTES + 1)
    except OSError as error:
        if not folder.is_dir():
            raise FrsError(Reason.MODEL_NOT_FOUND, f"there is no model pack at {folder}") from error
        message = f"{folder} has no readable {MANIFEST}; `frs models add {folder}` makes a pack of such a folder"
        raise FrsError(Reason.MODEL_INVALID, message) from error
    return parse_manifest(data, str(path))


def digest_file(path: Path) -> tuple[str, int]:
    """Return a file's SHA-256 in hexadecimal and its size in bytes."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return digest, os.fstat(file.fileno()).st_size


def is_pack_name(text: str) -> bool:
    """Tell whether a text may name a pack: lower-case letters, digits, dot, underscore and hyphen."""
    return re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", text) is not None


def write_manifest(
    folder: Path,
    *,
    name: str,
    detector: tuple[str, DetectorKind],
    recogniser: tuple[str, RecogniserKind],
    dimension: int,
    input_size: int,
    licence: str,
    licence_url: str,
    profile: Profile,
    made_at: datetime,
    notice: str = "",
    thresholds: tuple[ThresholdEntry, ...] = (),
    calibration: Calibration | None = None,
) -> Manifest:
    """Digest the two files that lie in ``folder`` (name and kind each) and write the manifest beside them."""
    (detector_file, detector_kind), (recogniser_file, recogniser_kind) = detector, recogniser
    detector_digest, detector_bytes = digest_file(folder / detector_file)
    recogniser_digest, recogniser_bytes = digest_file(folder / recogniser_file)
    try:
        manifest = Manifest(
            schema=1,
            name=name,
            detector=DetectorEntry(
                file=detector_file,
                kind=detector_kind,
                sha256=detector_digest,
                bytes=detector_bytes,
                preprocessing=PREPROCESSING[detector_kind],
            ),
            recogniser=RecogniserEntry(
                file=recogniser_file,
                kind=recogniser_kind,
                sha256=recogniser_digest,
                bytes=recogniser_bytes,
                preprocessing=PREPROCESSING[recogniser_kind],
            ),
            dimension=dimension,
            input_size=input_size,
            licence=Licence(name=licence, url=licence_url),
            profile=profile,
            notice=notice,
            thresholds=thresholds,
            calibration=calibration,
            made_at=made_at,
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the manifest"
        raise FrsError(Reason.MODEL_INVALID, f"pack {name!r}: {place}: {first['msg']}", field=place) from error
    manifest.write(folder)
    return manifest
