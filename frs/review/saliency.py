"""Which regions of the face drive a similarity: each is covered in turn, and the score that is lost is measured.

Occlusion sensitivity after Zeiler and Fergus (2014). A patch of the face's mean colour, twice as wide as the distance
between neighbouring regions, is laid over one of the two aligned faces while the other stays whole; the score falls by
as much as the covered region carried. All covered faces go through the recogniser in batches, as searches do, so the
map is of the model and scoring profile that are in use. It says what the *model* used. It does not say that the faces
agree there, and it is no reason to believe a match.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt

from frs.embed.engine import FaceEngine
from frs.errors import FrsError, Reason
from frs.types import Face, Picture

_BATCH = 32
_GAP, _SIDE = 8, 224
_HEAT = 0.55
"""Opacity, at most, of what is laid over a face."""
Grid = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Saliency:
    """A map of regions, for people."""

    png: bytes
    """Four tiles beside each other: aligned probe, aligned reference, and each with its regions laid over it."""
    score: float
    """Of these two pictures alone: a track's score is the mean over its best frames."""
    probe: Grid
    """(grid, grid): how much of the score is lost when a region of the probe is covered; rows from above."""
    reference: Grid


def saliency_of(engine: FaceEngine, probe: bytes, reference: bytes, grid: int) -> Saliency:
    """Return the map of two portraits (encoded pictures, the face in the middle), ``grid`` regions to a side.

    FrsError NO_FACE when one has no face that is found again; OVERLOADED, SHUTTING_DOWN.
    """
    faces = _central(engine, probe), _central(engine, reference)
    whole = engine.embed(faces)
    score = float(whole[0] @ whole[1])
    lost = [_lost(engine, face, whole[1 - place], score, grid) for place, face in enumerate(faces)]
    tiles = [_tile(face.aligned) for face in faces]
    tiles += [_laid_over(_tile(face.aligned), drops) for face, drops in zip(faces, lost, strict=True)]
    return Saliency(_png(tiles), score, lost[0], lost[1])


def _central(engine: FaceEngine, data: bytes) -> Face:
    analysis = engine.analyse(data)
    height, width = analysis.picture.shape[:2]

    def away(face: Face) -> float:
        x1, y1, x2, y2 = face.box
        return float(np.hypot((x1 + x2 - width) / 2, (y1 + y2 - height) / 2))

    found = min(analysis.faces, key=away, default=None)
    if found is None:
        raise FrsError(Reason.NO_FACE, "No face was found again in the portrait.")
    return found


def _lost(engine: FaceEngine, face: Face, other: npt.NDArray[np.float32], score: float, grid: int) -> Grid:
    covered = [replace(face, aligned=patched) for patched in _patched(face.aligned, grid)]
    lost: list[float] = []
    for start in range(0, len(covered), _BATCH):
        lost += (score - engine.embed(covered[start : start + _BATCH]) @ other).tolist()
    return np.array(lost, np.float64).reshape(grid, grid)


def _patched(aligned: Picture, grid: int) -> list[Picture]:
    """Return the face with each region covered, row by row."""
    side = aligned.shape[0]
    colour = aligned.reshape(-1, 3).mean(axis=0)
    edges = np.linspace(0, side, grid + 1)
    reach = side / grid / 2
    patched = []
    for row in range(grid):
        for column in range(grid):
            top, left = max(0, round(edges[row] - reach)), max(0, round(edges[column] - reach))
            bottom, right = round(edges[row + 1] + reach), round(edges[column + 1] + reach)
            picture = aligned.copy()
            picture[top:bottom, left:right] = colour
            patched.append(picture)
    return patched


def _tile(aligned: Picture) -> Picture:
    return np.asarray(cv2.resize(aligned, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)


def _laid_over(tile: Picture, lost: Grid) -> Picture:
    """Lay the regions over a grey face: the warmer and the more opaque, the more of the score they carry."""
    share = np.clip(lost, 0, None) / max(float(lost.max()), 1e-9)
    smooth = np.clip(cv2.resize(share, (_SIDE, _SIDE), interpolation=cv2.INTER_CUBIC), 0, 1)
    colours = cv2.applyColorMap((smooth * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)[:, :, ::-1]
    grey = cv2.cvtColor(cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    opacity = (_HEAT * smooth + 0.15)[:, :, None]
    return np.asarray(grey * (1 - opacity) + colours * opacity, np.uint8)


def _png(tiles: list[Picture]) -> bytes:
    gap = np.full((_SIDE, _GAP, 3), 255, np.uint8)
    row = np.hstack([part for tile in tiles for part in (tile, gap)][:-1])
    done, data = cv2.imencode(".png", cv2.cvtColor(row, cv2.COLOR_RGB2BGR))
    if not done:
        raise FrsError(Reason.INTERNAL, f"a picture of shape {row.shape} cannot be encoded")
    return bytes(data.tobytes())
