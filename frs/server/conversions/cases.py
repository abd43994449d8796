"""Cases: what waits for a person to decide, what reviewers see and decide."""

from __future__ import annotations

from typing import TypeVar

from frs.errors import FrsError, Reason
from frs.review.case import (
    Case,
    CaseKind,
    CaseState,
    Decision,
    Feature,
    Finding,
    Observation,
    Occlusion,
    Pictures,
    ReviewerDecision,
    SeenQuality,
    ShownCase,
)
from frs.review.explanation import Explanation
from frs.review.score_meaning import ScoreMeaning
from frs.server import names
from frs.server.conversions.common import GRADINGS, candidate_message
from frs.server.instants import stamp
from frs.types import Candidate
from frs.v1 import review_pb2 as pb

K = TypeVar("K")
V = TypeVar("V")

KINDS: dict[CaseKind, pb.CaseKind.ValueType] = {
    CaseKind.ALERT: pb.CASE_KIND_ALERT,
    CaseKind.CANDIDATES: pb.CASE_KIND_CANDIDATES,
}
STATES: dict[CaseState, pb.CaseState.ValueType] = {
    CaseState.PENDING: pb.CASE_STATE_PENDING,
    CaseState.CLAIMED: pb.CASE_STATE_CLAIMED,
    CaseState.ADJUDICATED: pb.CASE_STATE_ADJUDICATED,
    CaseState.EXPIRED: pb.CASE_STATE_EXPIRED,
    CaseState.UNREVIEWED: pb.CASE_STATE_UNREVIEWED,
}
DECISIONS: dict[Decision, pb.Decision.ValueType] = {
    Decision.TRUE: pb.DECISION_TRUE,
    Decision.FALSE: pb.DECISION_FALSE,
    Decision.CANNOT_TELL: pb.DECISION_CANNOT_TELL,
}
FEATURES: dict[Feature, pb.Feature.ValueType] = {
    Feature.FACE_SHAPE: pb.FEATURE_FACE_SHAPE,
    Feature.FOREHEAD_AND_HAIRLINE: pb.FEATURE_FOREHEAD_AND_HAIRLINE,
    Feature.EYEBROWS: pb.FEATURE_EYEBROWS,
    Feature.EYES: pb.FEATURE_EYES,
    Feature.NOSE: pb.FEATURE_NOSE,
    Feature.MOUTH: pb.FEATURE_MOUTH,
    Feature.CHIN_AND_JAW: pb.FEATURE_CHIN_AND_JAW,
    Feature.EARS: pb.FEATURE_EARS,
    Feature.MARKS: pb.FEATURE_MARKS,
}
FINDINGS: dict[Finding, pb.Finding.ValueType] = {
    Finding.AGREES: pb.FINDING_AGREES,
    Finding.DIFFERS: pb.FINDING_DIFFERS,
    Finding.NOT_VISIBLE: pb.FINDING_NOT_VISIBLE,
}
OCCLUSIONS: dict[Occlusion, pb.Occlusion.ValueType] = {
    Occlusion.NONE: pb.OCCLUSION_NONE,
    Occlusion.HAIR: pb.OCCLUSION_HAIR,
    Occlusion.GLASSES: pb.OCCLUSION_GLASSES,
    Occlusion.MASK: pb.OCCLUSION_MASK,
    Occlusion.HEADWEAR: pb.OCCLUSION_HEADWEAR,
    Occlusion.HAND_OR_OBJECT: pb.OCCLUSION_HAND_OR_OBJECT,
    Occlusion.SHADOW: pb.OCCLUSION_SHADOW,
}
SEEN_QUALITIES: dict[SeenQuality, pb.SeenQuality.ValueType] = {
    SeenQuality.GOOD: pb.SEEN_QUALITY_GOOD,
    SeenQuality.USABLE: pb.SEEN_QUALITY_USABLE,
    SeenQuality.POOR: pb.SEEN_QUALITY_POOR,
}


def _back(table: dict[K, V]) -> dict[V, K]:
    return {number: value for value, number in table.items()}


_KINDS_BACK, _STATES_BACK, _DECISIONS_BACK = _back(KINDS), _back(STATES), _back(DECISIONS)
_FEATURES_BACK, _FINDINGS_BACK = _back(FEATURES), _back(FINDINGS)
_OCCLUSIONS_BACK, _SEEN_QUALITIES_BACK = _back(OCCLUSIONS), _back(SEEN_QUALITIES)


def case_kind(value: pb.CaseKind.ValueType) -> CaseKind | None:
    """Return the kind that a listing is limited to; None for every kind."""
    return _KINDS_BACK.get(value)


def case_state(value: pb.CaseState.ValueType) -> CaseState | None:
    """Return the state that a listing is limited to; None for what waits."""
    return _STATES_BACK.get(value)


def decision(value: pb.Decision.ValueType) -> Decision:
    """Return a decision that validation has passed."""
    return _DECISIONS_BACK[value]


def observation(message: pb.Observation) -> Observation:
    """Return what a reviewer saw. INVALID_FIELD for a feature named twice and for an occlusion beside *none*."""
    features = {_FEATURES_BACK[each.feature]: _FINDINGS_BACK[each.finding] for each in message.features}
    if len(features) != len(message.features):
        raise _wrong("observation.features", "must not name a feature twice")
    occlusions = frozenset(_OCCLUSIONS_BACK[each] for each in message.occlusions)
    if Occlusion.NONE in occlusions and len(occlusions) > 1:
        raise _wrong("observation.occlusions", "must not name anything beside OCCLUSION_NONE")
    return Observation(
        features,
        _SEEN_QUALITIES_BACK[message.probe_quality],
        _SEEN_QUALITIES_BACK[message.reference_quality],
        occlusions,
        message.note.strip(),
    )


def _wrong(field: str, what: str) -> FrsError:
    return FrsError(Reason.INVALID_FIELD, f"{field}: {what}", field=field)


def observation_message(value: Observation | None) -> pb.Observation | None:
    """Return an observation with its features in the order of the form; None stays None."""
    if value is None:
        return None
    return pb.Observation(
        features=[
            pb.FeatureFinding(feature=FEATURES[feature], finding=FINDINGS[value.features[feature]])
            for feature in Feature
            if feature in value.features
        ],
        probe_quality=SEEN_QUALITIES[value.probe_quality],
        reference_quality=SEEN_QUALITIES[value.reference_quality],
        occlusions=sorted(OCCLUSIONS[each] for each in value.occlusions),
        note=value.note,
        observe_time=stamp(value.observed_at),
    )


def case_message(value: Case, pictures: Pictures | None = None) -> pb.Case:
    """Return a case as its caller may see it, with pictures where they are given."""
    shown = pictures or Pictures(b"")
    return pb.Case(
        name=names.make(names.CASE, value.id),
        kind=KINDS.get(value.kind, pb.CASE_KIND_ALERT),  # a vigilance check is an alert to everybody
        state=STATES[value.state],
        grading=GRADINGS[value.grading],
        deployment=names.make(names.DEPLOYMENT, value.deployment) if value.deployment else "",
        camera_id=value.camera,
        capture_time=stamp(value.captured_at),
        create_time=stamp(value.opened_at),
        escalate_time=stamp(value.escalates_at),
        escalations=value.escalations,
        expire_time=stamp(value.stale_at),
        claimed_by=value.claimed_by or "",
        claim_expire_time=stamp(value.claim_until),
        reviewers_needed=value.reviewers,
        decisions_made=value.decided,
        candidates=[candidate_message(each, shown.references) for each in value.candidates],
        score_withheld=value.withheld,
        probe_image_jpeg=shown.probe,
        frame_image_jpeg=shown.frame,
        observation=observation_message(value.observation),
        decision=DECISIONS[value.decision] if value.decision else pb.DECISION_UNSPECIFIED,
        decisions=[_decision_message(each, value.candidates) for each in value.decisions],
        close_time=stamp(value.closed_at),
        job=names.make(names.JOB, value.job) if value.job else "",
        subject=_subject_name(value.chosen_subject, value.candidates),
    )


def shown_message(value: ShownCase) -> pb.Case:
    """Return a case with the pictures that its caller is shown."""
    return case_message(value.case, value.pictures)


def _decision_message(value: ReviewerDecision, candidates: tuple[Candidate, ...]) -> pb.CaseDecision:
    return pb.CaseDecision(
        reviewer=value.reviewer,
        decision=DECISIONS[value.decision],
        reason=value.reason,
        observation=observation_message(value.observation),
        decide_time=stamp(value.decided_at),
        look_seconds=value.look_seconds,
        subject=_subject_name(value.chosen_subject, candidates),
    )


def _subject_name(subject: str | None, candidates: tuple[Candidate, ...]) -> str:
    """Return the resource name of one of the candidates' subjects; empty for none."""
    for each in candidates:
        if each.subject == subject:
            return names.make(names.SUBJECT, each.watchlist, each.subject)
    return ""


def explanation_message(value: Explanation) -> pb.Explanation:
    """Return why the system proposes somebody; of an uncalibrated pack the meaning is empty."""
    return pb.Explanation(
        case=names.make(names.CASE, value.case),
        candidate=candidate_message(value.candidate),
        meaning=_meaning_message(value.meaning),
        seen_seconds=value.seen_seconds,
        reference_taken_on=value.reference_taken_on,
        reference_age_days=value.reference_age_days or 0,
        reference_source=value.reference_source,
        sentences=value.sentences,
        saliency_png=value.saliency_png,
    )


def _meaning_message(value: ScoreMeaning) -> pb.ScoreMeaning:
    if not value.calibrated:
        return pb.ScoreMeaning()
    lower, upper = value.false_match_rate_95
    return pb.ScoreMeaning(
        calibrated=True,
        false_match_rate=value.false_match_rate,
        false_match_rate_lower=lower,
        false_match_rate_upper=upper,
        gallery_size=value.gallery_size,
        stranger_rate=value.stranger_rate,
        basis=value.basis,
    )
