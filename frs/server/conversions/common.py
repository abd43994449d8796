"""What several services share: candidates, qualities, boxes, list versions and a search's authority."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from frs.server import names
from frs.server.instants import instant, stamp
from frs.types import Candidate, ListVersion, Quality, SearchAuthority
from frs.v1 import common_pb2

GRADINGS: dict[str, common_pb2.Grading.ValueType] = {
    "red": common_pb2.GRADING_RED,
    "amber": common_pb2.GRADING_AMBER,
    "green": common_pb2.GRADING_GREEN,
}


def quality_message(quality: Quality) -> common_pb2.Quality:
    """Return a face's quality record."""
    return common_pb2.Quality(
        size=quality.size,
        sharpness=quality.sharpness,
        pose=quality.pose,
        brightness=quality.brightness,
        detector_score=quality.detector_score,
        reasons=[str(reason) for reason in quality.reasons],
    )


def box_message(box: tuple[float, float, float, float]) -> common_pb2.Box:
    """Return a face's box."""
    x1, y1, x2, y2 = box
    return common_pb2.Box(x1=x1, y1=y1, x2=x2, y2=y2)


def list_version_messages(versions: Iterable[ListVersion]) -> list[common_pb2.ListVersion]:
    """Return the watchlists as they stood."""
    return [
        common_pb2.ListVersion(watchlist=names.make(names.WATCHLIST, item.watchlist), version=item.version)
        for item in versions
    ]


def candidate_message(candidate: Candidate, images: Mapping[str, bytes] | None = None) -> common_pb2.Candidate:
    """Return a candidate; ``images`` holds the JPEG of each reference by its id where the method shows them."""
    return common_pb2.Candidate(
        rank=candidate.rank,
        watchlist=names.make(names.WATCHLIST, candidate.watchlist),
        watchlist_version=candidate.watchlist_version,
        subject=names.make(names.SUBJECT, candidate.watchlist, candidate.subject),
        nominal=candidate.nominal,
        grading=GRADINGS[candidate.grading],
        reference_image=candidate.reference,
        score=candidate.score,
        threshold=candidate.threshold,
        margin=candidate.margin,
        model=candidate.model,
        profile=candidate.profile,
        probe_quality=quality_message(candidate.probe_quality),
        reference_quality=quality_message(candidate.reference_quality),
        frames=candidate.frames,
        notice=candidate.notice,
        reference_image_jpeg=(images or {}).get(candidate.reference, b""),
    )


def authority(message: common_pb2.SearchAuthority) -> SearchAuthority:
    """Return why and on what authority a search is made."""
    return SearchAuthority(
        reason=message.reason.strip(),
        incident=message.incident.strip(),
        authorisation=message.authorisation.strip(),
        authorisation_expires=instant(message.authorisation_expire_time),
    )


def authority_message(value: SearchAuthority) -> common_pb2.SearchAuthority:
    """Return it as it was given."""
    return common_pb2.SearchAuthority(
        reason=value.reason,
        incident=value.incident,
        authorisation=value.authorisation,
        authorisation_expire_time=stamp(value.authorisation_expires),
    )


def watchlist_ids(values: Iterable[str]) -> tuple[str, ...]:
    """Return the ids of watchlists' names."""
    return tuple(names.last_id(names.WATCHLIST, value) for value in values)
