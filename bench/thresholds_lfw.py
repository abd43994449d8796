"""Open-set identification on LFW: what a threshold lets through and what it loses, on single photographs.

Terms are those of ISO/IEC 19795-1 and NIST's FRTE 1:N: of probes whose person is enrolled (mated), FNIR is the share
whose own entry does not come first with at least the threshold; of probes whose person is not enrolled (non-mated),
FPIR is the share that anybody reaches the threshold for. A photograph without a usable face is a miss when mated and
raises nothing when not. The photographs are ``../shared/data/lfw-view1``; one per person is enrolled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from frs.embed.engine import FaceEngine
from frs.types import Face

Floats = npt.NDArray[np.float32]
SPLITS = {10: 100, 100: 30, 1000: 10}
"""Enrolled people, and in how many random ways so many are chosen: small galleries need more to see everybody."""
SEED = 20260101


@dataclass(frozen=True, slots=True, eq=False)
class Templates:
    """The templates of all photographs, a row each; rows of unusable photographs are zero."""

    people: npt.NDArray[np.str_]
    vectors: Floats
    usable: npt.NDArray[np.bool_]
    """A face was found and its quality lets it be matched."""
    enrollable: npt.NDArray[np.bool_]
    """The same, and it is large enough to be enrolled."""


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """The scores of all searches over the splits of one gallery size."""

    size: int
    mated: Floats
    """Score of the probe's own entry when it came first, else -1."""
    non_mated: Floats
    """Best score of the gallery; -1 for an unusable probe."""
    photographs_mated: int
    """Different mated photographs searched over all splits: the intervals take these as independent cases."""
    photographs_non_mated: int


def central_face(faces: Sequence[Face], shape: tuple[int, int]) -> Face | None:
    """Return the face nearest to the picture's centre: LFW's photographs are centred on their person."""
    height, width = shape

    def distance(face: Face) -> float:
        x1, y1, x2, y2 = face.box
        return float(np.hypot((x1 + x2 - width) / 2, (y1 + y2 - height) / 2))

    return min(faces, key=distance, default=None)


def embed_all(engine: FaceEngine, folder: Path, least_enrolled: float, cache: Path) -> Templates:
    """Return the templates of every photograph, from the cache when the same model has made them before."""
    if cache.is_file():
        kept = np.load(cache)
        return Templates(kept["people"], kept["vectors"], kept["usable"], kept["enrollable"])
    files = sorted(folder.glob("*/*.jpg"))
    vectors = np.zeros((len(files), engine.model.dimension), np.float32)
    usable, enrollable = np.zeros(len(files), bool), np.zeros(len(files), bool)
    waiting: list[tuple[int, Face]] = []
    for row, file in enumerate(files):
        analysis = engine.analyse(file.read_bytes())
        face = central_face(analysis.faces, (analysis.picture.shape[0], analysis.picture.shape[1]))
        if face is not None and face.quality.usable:
            usable[row], enrollable[row] = True, face.quality.size >= least_enrolled
            waiting.append((row, face))
        if len(waiting) == 32 or (waiting and row == len(files) - 1):
            vectors[[r for r, _ in waiting]] = engine.embed([f for _, f in waiting])
            waiting.clear()
    people = np.array([file.parent.name for file in files])
    cache.parent.mkdir(parents=True, exist_ok=True)
    np.savez(cache, people=people, vectors=vectors, usable=usable, enrollable=enrollable)
    return Templates(people, vectors, usable, enrollable)


def search_splits(templates: Templates, size: int) -> Scores:
    """Enrol ``size`` people, one photograph each, in several random ways, and search everything else."""
    rows = {person: np.flatnonzero(templates.people == person) for person in np.unique(templates.people)}
    # Only somebody with a second photograph can be searched for; the first usable one is enrolled.
    references = {p: r[templates.enrollable[r]][:1] for p, r in rows.items() if len(r) > 1}
    candidates = np.array([person for person, reference in references.items() if len(reference)])
    random = np.random.default_rng(SEED)
    mated, non_mated, searched, passed = [], [], [], []
    for _ in range(SPLITS[size]):
        enrolled = random.choice(candidates, size, replace=False)
        gallery = np.concatenate([references[person] for person in enrolled])
        place = {person: index for index, person in enumerate(enrolled)}
        probes = np.concatenate([np.setdiff1d(rows[person], references[person]) for person in enrolled])
        scores = templates.vectors[probes] @ templates.vectors[gallery].T
        own = np.array([place[person] for person in templates.people[probes]])
        first = (scores.argmax(axis=1) == own) & templates.usable[probes]
        mated.append(np.where(first, scores.max(axis=1), -1))
        strangers = np.array([r[-1] for person, r in rows.items() if person not in place])
        best = (templates.vectors[strangers] @ templates.vectors[gallery].T).max(axis=1)
        non_mated.append(np.where(templates.usable[strangers], best, -1))
        searched.append(probes)
        passed.append(strangers)
    return Scores(
        size=size,
        mated=np.concatenate(mated),
        non_mated=np.concatenate(non_mated),
        photographs_mated=len(np.unique(np.concatenate(searched))),
        photographs_non_mated=len(np.unique(np.concatenate(passed))),
    )


def threshold_at(scores: Scores, fpir: float) -> float:
    """Return the lowest threshold, to three decimals, at which the FPIR is at most this."""
    descending = np.sort(scores.non_mated)[::-1]
    return round(float(np.ceil(descending[int(fpir * len(descending))] * 1000 + 0.001) / 1000), 3)


def rates(scores: Scores, threshold: float) -> tuple[float, float]:
    """Return FPIR and FNIR at a threshold."""
    return round(float((scores.non_mated >= threshold).mean()), 5), round(float((scores.mated < threshold).mean()), 5)


def wilson(share: float, count: int) -> tuple[float, float]:
    """Return Wilson's 95% interval of a share observed in ``count`` independent cases."""
    z = 1.959964
    centre = share + z * z / (2 * count)
    spread = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count * count))
    scale = 1 + z * z / count
    return round(max(0.0, (centre - spread) / scale), 5), round(min(1.0, (centre + spread) / scale), 5)
