"""Known pairs."""

from __future__ import annotations

from frs.review.vigilance_pair import PairDraft, VigilancePair
from frs.server import names
from frs.server.instants import stamp
from frs.v1 import vigilance_pb2


def pair_draft(message: vigilance_pb2.VigilancePair) -> PairDraft:
    """Return what a person asks to add."""
    return PairDraft(message.matching, message.nominal.strip(), message.source.strip())


def pair_message(value: VigilancePair) -> vigilance_pb2.VigilancePair:
    """Return a pair as it is listed."""
    return vigilance_pb2.VigilancePair(
        name=names.make(names.PAIR, value.id),
        matching=value.matching,
        nominal=value.nominal,
        source=value.source,
        score=value.score,
        create_time=stamp(value.created_at),
        created_by=value.created_by,
        shown_count=value.shown,
    )
