"""A model pack: a folder with a detector, a recogniser and a manifest that binds them.

:func:`load_pack` promises that every file it names has the SHA-256 and size of the manifest; nothing is run
from a pack before that holds. A pack's ``version`` is what templates and thresholds are tied to: it changes
when a model file, or the way pixels are prepared for it, changes, and with nothing else.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from frs.embed.manifest import (
    DetectorEntry,
    Manifest,
    RecogniserEntry,
    digest_file,
    is_pack_name,
    read_manifest,
    write_manifest,
)
from frs.errors import FrsError, Reason
from frs.settings import Settings
from frs.types import ScoreCurve, ThresholdDefault

__all__ = ["ModelFile", "Pack", "find_pack", "load_pack", "pack_version", "write_manifest"]


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One ONNX file of a pack."""

    name: str
    """File name inside the pack's folder."""
    sha256: str
    """64 lower-case hexadecimal digits."""
    kind: str
    """Detector: ``centerface``, ``scrfd`` or ``yunet``; recogniser: ``dlib-resnet``, ``arcface`` or ``sface``."""


@dataclass(frozen=True, slots=True)
class Pack:
    """A verified model pack."""

    folder: Path
    name: str
    detector: ModelFile
    recogniser: ModelFile
    dimension: int
    """Length of a template."""
    input_size: int
    """Side of the recogniser's square input, pixels."""
    licence: str
    licence_url: str
    profile: str
    """``plain``, or ``mirror``: the template averages a face and its mirror image."""
    notice: str
    """A warning to show with every result made with this pack; empty when there is none."""
    thresholds: tuple[ThresholdDefault, ...]
    curves: tuple[ScoreCurve, ...]
    version: str
    """First 12 hexadecimal digits of :func:`pack_version`'s digest."""

    @property
    def detector_path(self) -> Path:
        """Where the detector's ONNX file lies."""
        return self.folder / self.detector.name

    @property
    def recogniser_path(self) -> Path:
        """Where the recogniser's ONNX file lies."""
        return self.folder / self.recogniser.name


def pack_version(manifest: Manifest) -> str:
    """Return the model version: 12 hexadecimal digits over both files' digests, kinds and preprocessing."""
    lines = ["frs-pack-v1"]
    for entry in (manifest.detector, manifest.recogniser):
        lines += [entry.kind, entry.sha256, entry.preprocessing]
    lines += [str(manifest.dimension), str(manifest.input_size)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def describe_pack(folder: Path) -> Pack:
    """Read a pack's manifest without reading its model files. Raises ``MODEL_NOT_FOUND`` or ``MODEL_INVALID``."""
    return _pack(folder, read_manifest(folder))


def load_pack(folder: Path) -> Pack:
    """Read a pack and verify its files.

    Raises ``MODEL_NOT_FOUND`` when the folder is not there, ``MODEL_INVALID`` when the manifest is missing or
    does not follow the schema, and ``MODEL_CHANGED``, naming the file, when one is missing or differs.
    """
    manifest = read_manifest(folder)
    for entry in (manifest.detector, manifest.recogniser):
        _verify(folder, entry)
    return _pack(folder, manifest)


def find_pack(settings: Settings) -> Path:
    """Return the folder of the pack that ``embed.pack`` names: one of ``models_dir``, or a folder's path.

    A name in ``models_dir`` wins, so that a folder which happens to lie in the working directory is not taken.
    """
    wanted = settings.embed.pack
    if is_pack_name(wanted) and (settings.models_path / wanted).is_dir():
        return settings.models_path / wanted
    if Path(wanted).is_dir():
        return Path(wanted)
    raise FrsError(
        Reason.MODEL_NOT_FOUND,
        f"the model pack {wanted!r} is neither installed in {settings.models_path} nor a folder",
        pack=wanted,
    )


def _verify(folder: Path, entry: DetectorEntry | RecogniserEntry) -> None:
    path = folder / entry.file
    try:
        digest, size = digest_file(path)
    except OSError as error:
        message = f"{path} cannot be read, but the manifest names it"
        raise FrsError(Reason.MODEL_CHANGED, message, file=entry.file) from error
    if size != entry.bytes or digest != entry.sha256:
        message = f"{path} is not the file that the manifest describes: its SHA-256 is {digest}, not {entry.sha256}"
        raise FrsError(Reason.MODEL_CHANGED, message, file=entry.file)


def _pack(folder: Path, manifest: Manifest) -> Pack:
    return Pack(
        folder=folder,
        name=manifest.name,
        detector=ModelFile(manifest.detector.file, manifest.detector.sha256, manifest.detector.kind),
        recogniser=ModelFile(manifest.recogniser.file, manifest.recogniser.sha256, manifest.recogniser.kind),
        dimension=manifest.dimension,
        input_size=manifest.input_size,
        licence=manifest.licence.name,
        licence_url=manifest.licence.url,
        profile=manifest.profile,
        notice=manifest.notice,
        thresholds=tuple(ThresholdDefault(t.mode, t.score, t.basis) for t in manifest.thresholds),
        curves=_curves(manifest),
        version=pack_version(manifest),
    )


def _curves(manifest: Manifest) -> tuple[ScoreCurve, ...]:
    calibration = manifest.calibration
    if calibration is None:
        return ()
    basis = f"{calibration.data_set}, measured on {calibration.date.isoformat()}"
    return tuple(
        ScoreCurve(curve.of, curve.comparisons, curve.people, curve.points, basis) for curve in calibration.curves
    )
