"""The policy for what may stand on a watchlist, checked before anything is stored.

Every check raises FrsError: INVALID_FIELD with the field's name, or the policy's own reason.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from frs.errors import FrsError, Reason
from frs.settings import WatchlistSettings
from frs.store.vault import is_pseudonym
from frs.watchlist.model import ImageDraft, SubjectDraft, ThresholdSpec, WatchlistChanges, WatchlistDraft

_ID = re.compile(r"[a-z][a-z0-9-]{0,62}")
_PROFILES = ("plain", "mirror")
LENGTHS = {
    "purpose": (3, 1000),
    "category": (1, 100),
    "legal_basis": (3, 1000),
    "authorising_officer": (1, 200),
    "nominal": (1, 100),
    "justification": (3, 2000),
    "under_18_rationale": (3, 2000),
    "source": (1, 200),
    "reason": (3, 1000),
}
"""Fewest and most characters of each text, blanks at its ends aside."""


def check_draft(draft: WatchlistDraft, settings: WatchlistSettings, now: datetime) -> None:
    """Check a new watchlist's definition."""
    if not _ID.fullmatch(draft.id):
        raise _invalid("id", "must be 1 to 63 lower-case letters, digits and hyphens, beginning with a letter")
    check_changes(
        WatchlistChanges(
            draft.purpose,
            draft.category,
            draft.legal_basis,
            draft.authorising_officer,
            draft.expires_at,
            draft.grading,
            draft.thresholds,
        ),
        settings,
        now,
    )


def check_changes(changes: WatchlistChanges, settings: WatchlistSettings, now: datetime) -> None:
    """Check the fields that are given."""
    for field in ("purpose", "category", "legal_basis", "authorising_officer"):
        value = getattr(changes, field)
        if value is not None:
            check_text(field, value)
    if changes.category is not None and changes.category not in settings.categories:
        allowed = ", ".join(settings.categories)
        message = f"The category {changes.category} is not one the policy allows: {allowed}."
        raise FrsError(Reason.CATEGORY_NOT_ALLOWED, message, field="category")
    if changes.expires_at is not None and changes.expires_at <= now:
        raise _invalid("expires_at", "must be in the future")
    if changes.thresholds is not None:
        _check_thresholds(changes.thresholds)


def check_subject(draft: SubjectDraft) -> None:
    """Check who is to be enrolled and on what grounds."""
    check_text("nominal", draft.nominal)
    if is_pseudonym(draft.nominal.strip()):
        raise _invalid("nominal", "must not have the form of a pseudonym of the log")
    check_text("justification", draft.justification)
    if not draft.lawfully_held:
        raise FrsError(
            Reason.IMAGE_NOT_LAWFUL, "It is not stated that the images are lawfully held.", field="lawfully_held"
        )
    if draft.under_18 and not draft.under_18_rationale.strip():
        message = "The subject is under 18 and no rationale is recorded."
        raise FrsError(Reason.RATIONALE_REQUIRED, message, field="under_18_rationale")
    if draft.under_18_rationale:
        check_text("under_18_rationale", draft.under_18_rationale)


def check_images(images: Sequence[ImageDraft], settings: WatchlistSettings, now: datetime) -> None:
    """Check what is said of the images and how many they are."""
    if not images:
        raise _invalid("images", "must have at least one picture")
    if len(images) > settings.max_images:
        raise too_many_images(len(images), settings.max_images)
    for number, image in enumerate(images):
        check_text("source", image.source, f"images[{number}].")
        field = f"images[{number}].taken_on"
        try:
            taken = date.fromisoformat(image.taken_on)
        except ValueError as error:
            raise _invalid(field, "must be an ISO 8601 date, YYYY-MM-DD") from error
        # a day's grace: the picture's date is local, the clock is UTC
        if image.taken_on != taken.isoformat() or taken > now.date() + timedelta(days=1):
            raise _invalid(field, "must be an ISO 8601 date, YYYY-MM-DD, and not in the future")


def check_text(field: str, value: str, prefix: str = "") -> None:
    """Check a text's length; ``prefix`` says whose field it is."""
    least, most = LENGTHS[field]
    if len(value.strip()) < least or len(value) > most:
        raise _invalid(prefix + field, f"must have {least} to {most} characters")


def too_many_images(count: int, most: int) -> FrsError:
    """Return the refusal of more images than a subject may have."""
    return FrsError(Reason.TOO_MANY_IMAGES, f"{count} images of one subject; the policy allows {most}.")


def _check_thresholds(specs: Sequence[ThresholdSpec]) -> None:
    modes = [spec.mode for spec in specs]
    if len(set(modes)) != len(modes):
        raise _invalid("thresholds", "must have at most one for each mode")
    for spec in specs:
        if spec.score is not None and not (math.isfinite(spec.score) and -1.0 < spec.score <= 1.0):
            raise _invalid("thresholds", "must have scores above -1 and at most 1")
        if spec.score is None and (spec.model or spec.profile):
            raise _invalid("thresholds", "must give a score where they name a model or profile")
        if spec.profile and spec.profile not in _PROFILES:
            raise _invalid("thresholds", f"must have a profile of {', '.join(_PROFILES)}")


def _invalid(field: str, what: str) -> FrsError:
    return FrsError(Reason.INVALID_FIELD, f"{field} {what}.", field=field)
