"""Warnings at enrolment: an image that looks more like somebody else on the list than like its own subject.

Such an image is a wrong picture, a wrong nominal, or two people whom the model cannot tell apart: each is for a
person to look at, none is for the machine to decide, so nothing is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from frs.index.galleries import Galleries
from frs.types import Hit, ModelInfo, Threshold
from frs.watchlist.faces import Portrait


class Likeness:
    """Compares new images with the list they come to. Thread-safe."""

    def __init__(self, galleries: Galleries, model: ModelInfo) -> None:
        self._galleries, self._model = galleries, model

    def warnings(
        self,
        watchlist: str,
        subject: str,
        added: Sequence[Portrait],
        own: npt.NDArray[np.float32],
        thresholds: Sequence[Threshold],
    ) -> tuple[str, ...]:
        """Return a sentence for each image that is closer to another subject of the list.

        ``own`` (n, dimension) are the subject's templates already enrolled. Where an image has no other of its subject
        to compare with, it is warned of when it reaches the list's lowest threshold with another subject.
        FrsError INDEX_UNAVAILABLE.
        """
        templates = np.stack([portrait.template for portrait in added])
        nearest = self._galleries.search(templates, [watchlist], 1, frozenset({subject}))
        lowest = min((t.score for t in thresholds if self._applies(t)), default=np.inf)
        found = []
        for number, (template, hits) in enumerate(zip(templates, nearest, strict=True)):
            if not hits:
                continue
            others = np.concatenate([own, np.delete(templates, number, axis=0)])
            best_own = float((others @ template).max()) if len(others) else None
            if hits[0].score > best_own if best_own is not None else hits[0].score >= lowest:
                found.append(self._sentence(number + 1, hits[0], best_own))
        return tuple(found)

    def _applies(self, threshold: Threshold) -> bool:
        return (threshold.model, threshold.profile) == (self._model.id, self._model.profile)

    def _sentence(self, number: int, hit: Hit, best_own: float | None) -> str:
        # By id: the log keeps the sentence with this enrolment, where an erasure of the other would not find a name.
        against = "a threshold of the list is lower" if best_own is None else f"its own best is {best_own:.3f}"
        return f"Image {number} is closer to subject {hit.subject} at {hit.score:.3f}; {against}."
