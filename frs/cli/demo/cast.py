"""Who is in the demonstration: the six people of InsightFace's sample photograph, and faces from other packages.

Nothing is shipped with FRS: the pictures lie in installed packages (``insightface``, ``scikit-image``) and each
person is cut out by detection at run time.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from frs.embed.engine import FaceEngine
from frs.errors import FrsError, Reason
from frs.types import Face, Picture

# Of the six, from left to right: who stands on the watchlist.
LISTED = (0, 2, 4)
_NOMINALS = ("DEMO/0001", "DEMO/0002", "DEMO/0003")
_BACKDROP = 150


@dataclass(frozen=True, slots=True, eq=False)
class Person:
    """One person with a cut-out that can be drawn anywhere."""

    name: str
    nominal: str
    """Empty for strangers."""
    patch: Picture
    """(h, w, 3) RGB around the head."""
    alpha: npt.NDArray[np.float32]
    """(h, w), 1 on the head and 0 at the border."""
    face: float
    """Height of the face box in the patch, pixels."""

    @property
    def listed(self) -> bool:
        """Whether the person stands on the watchlist."""
        return bool(self.nominal)

    def photograph(self) -> Picture:
        """Return the person before a plain backdrop, as a custody photograph would be."""
        plain = np.full_like(self.patch, _BACKDROP)
        weight = self.alpha[..., None]
        return np.asarray(self.patch * weight + plain * (1 - weight), dtype=np.uint8)


def gather(engine: FaceEngine) -> list[Person]:
    """Cut everybody out; raises MODEL_INVALID when the detector does not find the six."""
    group = _read(_package("insightface") / "data" / "images" / "t1.jpg")
    faces = sorted((f for f in engine.detect(group) if f.quality.usable), key=lambda f: f.box[0])
    if len(faces) != 6:
        raise FrsError(Reason.MODEL_INVALID, f"the sample photograph shows six people, the detector found {len(faces)}")
    nominals = dict(zip(LISTED, _NOMINALS, strict=True))
    cast = [
        _cut_out(group, face, f"person {number + 1} of the photograph", nominals.get(number, ""))
        for number, face in enumerate(faces)
    ]
    others = {
        "passer-by A": _package("insightface") / "data" / "images" / "Tom_Hanks_54745.png",
        "passer-by B": _package("skimage") / "data" / "astronaut.png",
    }
    for name, path in others.items():
        picture = _read(path)
        found = engine.detect(picture)
        if found:
            cast.append(_cut_out(picture, found[0], name, ""))
    return cast


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise FrsError(Reason.MODEL_NOT_FOUND, f"the package {name} is not installed")
    return Path(spec.origin).parent


def _read(path: Path) -> Picture:
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise FrsError(Reason.PICTURE_UNREADABLE, f"{path} cannot be read")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def _cut_out(picture: Picture, face: Face, name: str, nominal: str) -> Person:
    """Cut an ellipse around the head, soft at its edge, so that neighbours do not come along."""
    x1, y1, x2, y2 = face.box
    width, height = x2 - x1, y2 - y1
    left, right = int(max(0, x1 - 0.5 * width)), int(min(picture.shape[1], x2 + 0.5 * width))
    top, bottom = int(max(0, y1 - 0.5 * height)), int(min(picture.shape[0], y2 + 0.4 * height))
    patch = np.ascontiguousarray(picture[top:bottom, left:right])
    rows, columns = np.mgrid[0 : patch.shape[0], 0 : patch.shape[1]].astype(np.float32)
    centre_x, centre_y = (x1 + x2) / 2 - left, (y1 + y2) / 2 - top
    distance = np.hypot((columns - centre_x) / (0.78 * width), (rows - centre_y) / (0.75 * height))
    alpha = np.clip((1.0 - distance) / 0.15, 0.0, 1.0).astype(np.float32)
    return Person(name, nominal, patch, alpha, height)
