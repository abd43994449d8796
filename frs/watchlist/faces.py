"""From a picture to the one face that it enrols, or to the reason why it cannot."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from frs.embed.decoding import encode_jpeg
from frs.embed.engine import FaceEngine
from frs.errors import FrsError, Reason
from frs.settings import QualitySettings
from frs.types import Face, QualityReason, Template, new_id
from frs.watchlist.model import ImageDraft

BACKGROUND = 1 / 4
"""A face with less than this part of the largest one's area is somebody in the background, not the subject."""
RIVAL = 1 / 2
"""One with at least this part could be the subject however poor it is; between the two only a usable face counts."""


@dataclass(frozen=True, slots=True, eq=False)
class Portrait:
    """A picture that may be enrolled, with all that is stored of it."""

    id: str
    """Of the reference image that it becomes."""
    draft: ImageDraft
    sha256: str
    face: Face
    crop: bytes
    """JPEG of the face with a margin."""
    template: Template
    note: str
    """What a person should know of how the face was chosen; empty when there is nothing."""


def digest(image: ImageDraft) -> str:
    """Return the SHA-256 of a picture's bytes, hexadecimal."""
    return hashlib.sha256(image.data).hexdigest()


def portraits(engine: FaceEngine, images: Sequence[ImageDraft], least: QualitySettings) -> tuple[Portrait, ...]:
    """Find, assess and embed the face of each picture.

    FrsError NO_FACE, SEVERAL_FACES, FACE_QUALITY_TOO_LOW or what decoding raises; ``image`` in its metadata is the
    picture's number from 1.
    """
    found: list[tuple[Face, bytes, str]] = []
    for number, image in enumerate(images, 1):
        try:
            analysis = engine.analyse(image.data)
            face, note = choose_face(analysis.faces, least)
        except FrsError as error:
            raise FrsError(
                error.reason, f"Image {number}: {error.message}", **{**error.metadata, "image": str(number)}
            ) from error
        crop = encode_jpeg(analysis.portrait(face))
        found.append((face, crop, f"Image {number}: {note}" if note else ""))
    templates = engine.embed([face for face, _, _ in found])
    return tuple(
        Portrait(new_id(), image, digest(image), face, crop, template, note)
        for image, (face, crop, note), template in zip(images, found, templates, strict=True)
    )


def choose_face(faces: Sequence[Face], least: QualitySettings) -> tuple[Face, str]:
    """Return the face a picture is of, and a note on faces that were passed over; ``faces`` are largest first."""
    if not faces:
        raise FrsError(Reason.NO_FACE, "No face was found in the picture.")
    face = faces[0]
    others = [other for other in faces[1:] if _could_be_meant(other, face)]
    if others:
        count = len(others) + 1
        message = f"The picture shows {count} faces (small or poor ones in the background not counted)."
        raise FrsError(Reason.SEVERAL_FACES, message, faces=str(count))
    problems = list(face.quality.reasons)
    if face.quality.size < least.min_face_enrol and QualityReason.TOO_SMALL not in problems:
        problems.append(QualityReason.TOO_SMALL)
    if problems:
        listed = ", ".join(problems)
        message = f"The face cannot be enrolled: {listed} ({_measured(face, least)})."
        raise FrsError(Reason.FACE_QUALITY_TOO_LOW, message, reasons=listed)
    ignored = len(faces) - 1
    if not ignored:
        return face, ""
    what = "a face" if ignored == 1 else f"{ignored} faces"
    return face, f"{what} in the background, small or poor, passed over."


def _could_be_meant(other: Face, largest: Face) -> bool:
    """Say whether a picture may as well be of this other face."""
    share = _area(other) / _area(largest)
    return share >= RIVAL or (share >= BACKGROUND and other.quality.usable)


def _area(face: Face) -> float:
    x1, y1, x2, y2 = face.box
    return (x2 - x1) * (y2 - y1)


def _measured(face: Face, least: QualitySettings) -> str:
    quality = face.quality
    return (
        f"size {quality.size:.0f} pixels of at least {least.min_face_enrol:.0f}, sharpness {quality.sharpness:.0f} of"
        f" {least.min_sharpness:.0f}, brightness {quality.brightness:.0f} in {least.min_brightness:.0f} to"
        f" {least.max_brightness:.0f}, pose {quality.pose:.2f} of at most {least.max_pose:.2f}, detector"
        f" {quality.detector_score:.2f} of at least {least.min_detector_score:.2f}"
    )
