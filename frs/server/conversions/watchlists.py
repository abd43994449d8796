"""Watchlists, subjects and reference images."""

from __future__ import annotations

from datetime import datetime

from google.protobuf.field_mask_pb2 import FieldMask

from frs.server import names
from frs.server.conversions.common import GRADINGS, quality_message
from frs.server.instants import instant, stamp
from frs.server.rules import UPDATABLE
from frs.types import Mode, Threshold
from frs.v1 import common_pb2, watchlist_pb2
from frs.watchlist.model import (
    Enrolment,
    Grading,
    ImageDraft,
    ReferenceImage,
    Subject,
    SubjectDraft,
    SubjectState,
    ThresholdSpec,
    Watchlist,
    WatchlistChanges,
    WatchlistDraft,
    WatchlistState,
)

MODES: dict[Mode, common_pb2.Mode.ValueType] = {
    Mode.LIVE: common_pb2.MODE_LIVE,
    Mode.RETROSPECTIVE: common_pb2.MODE_RETROSPECTIVE,
    Mode.OPERATOR: common_pb2.MODE_OPERATOR,
}
STATES: dict[WatchlistState, watchlist_pb2.WatchlistState.ValueType] = {
    WatchlistState.DRAFT: watchlist_pb2.WATCHLIST_STATE_DRAFT,
    WatchlistState.APPROVED: watchlist_pb2.WATCHLIST_STATE_APPROVED,
    WatchlistState.ACTIVE: watchlist_pb2.WATCHLIST_STATE_ACTIVE,
    WatchlistState.RETIRED: watchlist_pb2.WATCHLIST_STATE_RETIRED,
}
SUBJECT_STATES: dict[SubjectState, watchlist_pb2.SubjectState.ValueType] = {
    SubjectState.ENROLLED: watchlist_pb2.SUBJECT_STATE_ENROLLED,
    SubjectState.WITHDRAWN: watchlist_pb2.SUBJECT_STATE_WITHDRAWN,
    SubjectState.ERASED: watchlist_pb2.SUBJECT_STATE_ERASED,
}
_MODES_BACK = {number: mode for mode, number in MODES.items()}
_STATES_BACK = {number: state for state, number in STATES.items()}
_SUBJECT_STATES_BACK = {number: state for state, number in SUBJECT_STATES.items()}
_GRADINGS_BACK = {number: Grading(name) for name, number in GRADINGS.items()}


def watchlist_state(value: watchlist_pb2.WatchlistState.ValueType) -> WatchlistState | None:
    """Return the state that a listing is limited to; None for all."""
    return _STATES_BACK.get(value)


def subject_state(value: watchlist_pb2.SubjectState.ValueType) -> SubjectState | None:
    """Return the state that a listing is limited to; None for all."""
    return _SUBJECT_STATES_BACK.get(value)


def watchlist_draft(watchlist_id: str, message: watchlist_pb2.Watchlist) -> WatchlistDraft:
    """Return a new watchlist's definition."""
    return WatchlistDraft(
        id=watchlist_id,
        purpose=message.purpose.strip(),
        category=message.category.strip(),
        legal_basis=message.legal_basis.strip(),
        authorising_officer=message.authorising_officer.strip(),
        expires_at=instant(message.expire_time),
        grading=_GRADINGS_BACK.get(message.default_grading, Grading.AMBER),
        thresholds=_thresholds(message),
    )


def watchlist_changes(message: watchlist_pb2.Watchlist, mask: FieldMask) -> WatchlistChanges:
    """Return the fields that the mask names, or all that are set when it names none (AIP-134)."""
    paths = set(mask.paths) or {field.name for field, _ in message.ListFields()} & set(UPDATABLE)
    return WatchlistChanges(
        purpose=message.purpose.strip() if "purpose" in paths else None,
        category=message.category.strip() if "category" in paths else None,
        legal_basis=message.legal_basis.strip() if "legal_basis" in paths else None,
        authorising_officer=message.authorising_officer.strip() if "authorising_officer" in paths else None,
        expires_at=instant(message.expire_time) if "expire_time" in paths else None,
        grading=_GRADINGS_BACK.get(message.default_grading, Grading.AMBER) if "default_grading" in paths else None,
        thresholds=_thresholds(message) if "thresholds" in paths else None,
    )


def _thresholds(message: watchlist_pb2.Watchlist) -> tuple[ThresholdSpec, ...]:
    return tuple(
        ThresholdSpec(
            mode=_MODES_BACK[item.mode],
            # Six decimals are what a float32 of the contract holds; so 0.535 is logged as 0.535.
            score=round(item.score, 6) if item.HasField("score") else None,
            model=item.model.strip() or None,
            profile=item.profile or None,
        )
        for item in message.thresholds
    )


def subject_draft(message: watchlist_pb2.Subject) -> SubjectDraft:
    """Return a person to be enrolled."""
    return SubjectDraft(
        nominal=message.nominal.strip(),
        justification=message.justification.strip(),
        grading=_GRADINGS_BACK.get(message.grading),
        lawfully_held=message.lawfully_held,
        under_18=message.under_18,
        under_18_rationale=message.under_18_rationale.strip(),
    )


def image_draft(message: watchlist_pb2.ImageDraft) -> ImageDraft:
    """Return a picture to be enrolled."""
    return ImageDraft(data=message.data, source=message.source.strip(), taken_on=message.taken_on)


def watchlist_message(value: Watchlist, now: datetime) -> watchlist_pb2.Watchlist:
    """Return a watchlist as it stands."""
    return watchlist_pb2.Watchlist(
        name=names.make(names.WATCHLIST, value.id),
        purpose=value.purpose,
        category=value.category,
        legal_basis=value.legal_basis,
        authorising_officer=value.authorising_officer,
        expire_time=stamp(value.expires_at),
        default_grading=GRADINGS[str(value.grading)],
        thresholds=[_threshold(item) for item in value.thresholds],
        state=STATES[value.state],
        version=value.version,
        subject_count=value.subject_count,
        image_count=value.image_count,
        create_time=stamp(value.created_at),
        created_by=value.created_by,
        update_time=stamp(value.updated_at),
        approve_time=stamp(value.approved_at),
        approved_by=value.approved_by or "",
        review_time=stamp(value.reviewed_at),
        reviewed_by=value.reviewed_by or "",
        reviewed_version=value.reviewed_version or 0,
        expired=value.expired(now),
    )


def _threshold(value: Threshold) -> watchlist_pb2.Threshold:
    return watchlist_pb2.Threshold(
        mode=MODES[value.mode], score=value.score, model=value.model, profile=value.profile, source=value.source
    )


def subject_message(value: Subject) -> watchlist_pb2.Subject:
    """Return a person on a watchlist, without pictures."""
    return watchlist_pb2.Subject(
        name=names.make(names.SUBJECT, value.watchlist, value.id),
        nominal=value.nominal,
        justification=value.justification,
        grading=GRADINGS[str(value.grading)],
        under_18=value.under_18,
        under_18_rationale=value.under_18_rationale,
        lawfully_held=value.lawfully_held,
        state=SUBJECT_STATES[value.state],
        images=[_image(item) for item in value.images],
        create_time=stamp(value.created_at),
        created_by=value.created_by,
        withdraw_time=stamp(value.withdrawn_at),
        withdrawn_by=value.withdrawn_by or "",
        withdraw_reason=value.withdrawn_reason or "",
    )


def _image(value: ReferenceImage) -> watchlist_pb2.ReferenceImage:
    return watchlist_pb2.ReferenceImage(
        name=names.make(names.IMAGE, value.watchlist, value.subject, value.id),
        source=value.source,
        taken_on=value.taken_on,
        sha256=value.sha256,
        quality=quality_message(value.quality),
        model=value.model,
        profile=value.profile,
        create_time=stamp(value.created_at),
    )


def enrolment_message(value: Enrolment) -> watchlist_pb2.EnrolSubjectResponse:
    """Return what came of an enrolment."""
    return watchlist_pb2.EnrolSubjectResponse(subject=subject_message(value.subject), warnings=value.warnings)
