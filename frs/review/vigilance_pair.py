"""A known pair for vigilance checks: two pictures, and whether they show one person.

The pairs are the force's own: pictures that it may lawfully use for this, of people who are on no watchlist. Nobody
who reviews may see the set: whoever sees it knows the answers.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from frs.store.schema import vigilance_pair
from frs.types import ModelInfo


@dataclass(frozen=True, slots=True)
class PairDraft:
    """What a person adds."""

    matching: bool
    """Whether both pictures show one person."""
    nominal: str
    """What the check shows in place of a nominal: of nobody on a list."""
    source: str
    """Where the pictures come from and why they may be used for this."""


@dataclass(frozen=True, slots=True)
class VigilancePair:
    """A pair of the set, without its pictures."""

    id: str
    matching: bool
    nominal: str
    source: str
    score: float
    """The model's own for the two faces."""
    model: str
    """``ModelInfo.id`` that scored them."""
    profile: str
    created_at: datetime
    created_by: str
    shown: int
    """How many checks it was in."""

    def scored_by(self, model: ModelInfo) -> bool:
        """Whether the score is of this model and its profile."""
        return (self.model, self.profile) == (model.id, model.profile)


def pair_owner(pair_id: str) -> str:
    """Return whose key seals the pictures of a pair."""
    return f"pair:{pair_id}"


def pair_digest(probe: bytes, reference: bytes) -> str:
    """Return the SHA-256 over the two pictures' own, hexadecimal: the same two again are refused."""
    both = hashlib.sha256(probe).digest() + hashlib.sha256(reference).digest()
    return hashlib.sha256(both).hexdigest()


def removed_pair(now: datetime) -> dict[str, Any]:
    """Return what becomes of a row of ``vigilance_pair`` whose pictures are destroyed.

    The checksum is let go too: the two pictures may be added again.
    """
    gone: dict[str, Any] = dict.fromkeys(("probe_sealed", "reference_sealed", "frame_sealed"))
    return {
        **gone,
        "frame_faces": sa.null(),
        "sha256": sa.literal("removed:") + vigilance_pair.c.id,
        "removed_at": now,
    }
