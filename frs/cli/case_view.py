"""How cases are shown on the command line: rows, fields and files; the score only to those who may see it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from frs.cli.faces import write_faces
from frs.cli.options import print_json
from frs.cli.output import as_json as message_json
from frs.cli.output import short, show_fields, show_table, warn, when
from frs.v1 import common_pb2 as common
from frs.v1 import review_pb2 as pb

IMAGES = ("probe_image_jpeg", "frame_image_jpeg", "reference_image_jpeg")
COLUMNS = ("case", "state", "grading", "kind", "proposes", "from", "opened", "escalates", "held by", "decided")


def case_row(case: pb.Case) -> tuple[object, ...]:
    """Return a table's row of a case, under :data:`COLUMNS`."""
    escalated = f" ({case.escalations}x)" if case.escalations else ""
    return (
        case.name.removeprefix("cases/"),
        short(pb.CaseState.Name(case.state)),
        short(common.Grading.Name(case.grading)),
        short(pb.CaseKind.Name(case.kind)),
        ", ".join(each.nominal for each in case.candidates[:3]) + (" ..." if len(case.candidates) > 3 else ""),
        case.camera_id,
        when(case.create_time),
        when(case.escalate_time) + escalated,
        case.claimed_by,
        f"{case.decisions_made} of {case.reviewers_needed}",
    )


def show_case(case: pb.Case, as_json: bool, folder: Path | None = None) -> None:
    """Print one case, and write its pictures into ``folder``."""
    written = write_pictures(case, folder) if folder is not None else []
    if as_json:
        print_json(message_json(case, *IMAGES) | {"files": [str(path) for path in written]})
        return
    show_fields([*_fields(case), *(("picture", path) for path in written)])
    show_table(
        ("rank", "nominal", "watchlist", "subject", "score / threshold", "margin", "frames"),
        [_candidate(each, case.score_withheld) for each in case.candidates],
    )
    if case.score_withheld:
        warn("The score is withheld until you record what you see: frs review observe")
    for notice in sorted({each.notice for each in case.candidates if each.notice}):
        warn(notice)


def _fields(case: pb.Case) -> Iterator[tuple[str, object]]:
    yield "case", f"{case.name} ({short(pb.CaseKind.Name(case.kind))})"
    yield "state", short(pb.CaseState.Name(case.state))
    yield "grading", short(common.Grading.Name(case.grading))
    place = f"{case.camera_id} in {case.deployment}" if case.deployment else f"{case.camera_id} in {case.job}"
    yield "from", f"{place} {when(case.capture_time)}".strip()
    yield "opened", when(case.create_time)
    if case.claimed_by:
        yield "held by", f"{case.claimed_by} until {when(case.claim_expire_time)}"
    elif case.HasField("escalate_time"):
        yield "escalates", when(case.escalate_time)
    if case.escalations:
        yield "escalated", f"{case.escalations} times"
    yield "reviewers", f"{case.decisions_made} of {case.reviewers_needed} have decided"
    if case.HasField("observation"):
        yield "you saw", observation_text(case.observation)
    if case.decision:
        yield "outcome", f"{decision_word(case.decision)} {case.subject}".strip()
    for each in case.decisions:
        said = f"{decision_word(each.decision)} after {each.look_seconds:.0f} s: {each.reason}"
        yield each.reviewer, f"{said} [{observation_text(each.observation)}]"


def _candidate(candidate: common.Candidate, withheld: bool) -> tuple[object, ...]:
    margin = f"{candidate.margin:.3f}" if candidate.HasField("margin") else "no other subject"
    shown = (f"{candidate.score:.3f} / {candidate.threshold:.3f}", margin, candidate.frames)
    return (
        "" if withheld else candidate.rank,
        candidate.nominal,
        f"{candidate.watchlist.removeprefix('watchlists/')} version {candidate.watchlist_version}",
        candidate.subject.rpartition("/")[2],
        *(("withheld", "", "") if withheld else shown),
    )


def decision_word(value: pb.Decision.ValueType) -> str:
    """Return a decision for people: ``true``, ``false`` or ``cannot tell``."""
    return short(pb.Decision.Name(value))


def observation_text(seen: pb.Observation) -> str:
    """Return an observation in one line."""
    by_finding: dict[str, list[str]] = {}
    for each in seen.features:
        by_finding.setdefault(short(pb.Finding.Name(each.finding)), []).append(short(pb.Feature.Name(each.feature)))
    parts = [f"{finding}: {', '.join(features)}" for finding, features in by_finding.items()]
    qualities = (short(pb.SeenQuality.Name(each)) for each in (seen.probe_quality, seen.reference_quality))
    parts.append("quality: {} against {}".format(*qualities))
    parts.append(f"hidden by: {', '.join(short(pb.Occlusion.Name(each)) for each in seen.occlusions)}")
    return "; ".join([*parts, seen.note] if seen.note else parts)


def write_pictures(case: pb.Case, folder: Path) -> list[Path]:
    """Write what a case carries into a folder, for the person who asked alone; returns the files."""
    pictures = {"probe": case.probe_image_jpeg, "frame": case.frame_image_jpeg}
    one = len(case.candidates) == 1
    for number, each in enumerate(case.candidates, 1):
        pictures["reference" if one else f"reference-{number:02d}"] = each.reference_image_jpeg
    return write_faces(folder, case.name.removeprefix("cases/"), pictures)
