"""Scoring profiles: how a face's embeddings become its template.

``plain``: the embedding, scaled to unit length. ``mirror``: the mean of the unit embeddings of the face and of its
mirror image, scaled to unit length; it steadies weak recognisers and doubles their work. Scores of one profile
mean nothing in the other, which is why thresholds name theirs.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Crops = npt.NDArray[np.uint8]
Embeddings = npt.NDArray[np.float32]
Embed = Callable[[Crops], Embeddings]


def with_profile(embed: Embed, profile: str) -> Embed:
    """Return a function from aligned faces (n, S, S, 3) to unit templates (n, d) under the named profile."""

    def plain(faces: Crops) -> Embeddings:
        return unit(embed(faces))

    def mirror(faces: Crops) -> Embeddings:
        # Both orientations share one call of the network.
        both = unit(embed(np.concatenate([faces, faces[:, :, ::-1]])))
        return unit(both[: len(faces)] + both[len(faces) :])

    return {"plain": plain, "mirror": mirror}[profile]


def unit(rows: Embeddings) -> Embeddings:
    """Scale rows (n, d) to unit Euclidean length; a row of zeros stays one."""
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Embeddings = np.divide(rows, np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)
    return scaled
