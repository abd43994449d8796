"""What reviewers see, checked and read back: a comparison feature by feature (FISWG, morphological analysis)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from frs.errors import FrsError, Reason
from frs.review.case import Feature, Finding, Observation, Occlusion, SeenQuality


def check_observation(seen: Observation, min_features: int) -> None:
    """Raise INVALID_FIELD for an observation that compares too little or contradicts itself."""
    if len(seen.features) < min_features:
        message = f"An observation compares at least {min_features} features; this one has {len(seen.features)}."
        raise FrsError(Reason.INVALID_FIELD, message, field="observation.features")
    if not seen.occlusions:
        message = "Say what hides parts of the face, or that nothing does (none)."
        raise FrsError(Reason.INVALID_FIELD, message, field="observation.occlusions")
    if Occlusion.NONE in seen.occlusions and len(seen.occlusions) > 1:
        message = "Either nothing hides the face, or something does: none stands alone."
        raise FrsError(Reason.INVALID_FIELD, message, field="observation.occlusions")


def observation_from(stored: Mapping[str, Any] | None, at: datetime | None) -> Observation | None:
    """Read what :meth:`Observation.as_json` wrote; None where nothing is held."""
    if stored is None:
        return None
    return Observation(
        features={Feature(feature): Finding(finding) for feature, finding in stored["features"].items()},
        probe_quality=SeenQuality(stored["probe_quality"]),
        reference_quality=SeenQuality(stored["reference_quality"]),
        occlusions=frozenset(Occlusion(each) for each in stored["occlusions"]),
        note=stored["note"],
        observed_at=at,
    )
