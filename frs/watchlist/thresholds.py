"""Thresholds of a watchlist: resolved once, when they are set, and tied to the model and profile they were set for.

A stored threshold never changes its number because the model did: with another model it is refused
(THRESHOLD_OTHER_MODEL) until a person sets it anew. Pure functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from frs.errors import FrsError, Reason
from frs.types import Mode, ModelInfo, Threshold
from frs.watchlist.model import ThresholdSpec

EXPLICIT, PACK_DEFAULT = "explicit", "pack-default"


def resolve(specs: Sequence[ThresholdSpec], model: ModelInfo) -> tuple[Threshold, ...]:
    """Return the thresholds to store: those asked for, and the pack's defaults for modes that are not mentioned.

    FrsError THRESHOLD_MISSING when a default is asked for by name and the pack has none for the mode.
    """
    given = {spec.mode: spec for spec in specs}
    found: list[Threshold] = []
    for mode in Mode:
        spec = given.get(mode)
        if spec is not None and spec.score is not None:
            found.append(Threshold(mode, spec.score, spec.model or model.id, spec.profile or model.profile, EXPLICIT))
            continue
        default = _default(mode, model)
        if default is not None:
            found.append(default)
        elif spec is not None:
            message = f"The pack {model.id} with profile {model.profile} has no default threshold for mode {mode}."
            raise FrsError(Reason.THRESHOLD_MISSING, message, mode=mode)
    return tuple(found)


def refreshed(stored: Sequence[Threshold], model: ModelInfo) -> tuple[Threshold, ...]:
    """Return the thresholds as they are at activation: explicit ones as stored, defaults of the pack now in use."""
    by_mode = {threshold.mode: threshold for threshold in stored}
    found: list[Threshold] = []
    for mode in Mode:
        threshold = by_mode.get(mode)
        if threshold is None or threshold.source == PACK_DEFAULT:
            threshold = _default(mode, model) or threshold
        if threshold is not None:
            found.append(threshold)
    return tuple(found)


def required(watchlist: str, thresholds: Mapping[Mode, Threshold], mode: Mode, model: ModelInfo) -> Threshold:
    """Return the threshold a search uses. FrsError THRESHOLD_MISSING, THRESHOLD_OTHER_MODEL."""
    threshold = thresholds.get(mode)
    if threshold is None:
        raise FrsError(
            Reason.THRESHOLD_MISSING, f"Watchlist {watchlist} has no threshold for mode {mode}.", watchlist=watchlist
        )
    _require_own(watchlist, threshold, model)
    return threshold


def require_usable(watchlist: str, thresholds: Sequence[Threshold], model: ModelInfo) -> None:
    """Check what a list is activated with: at least one mode can be searched, and none would be refused its threshold.

    FrsError THRESHOLD_MISSING, THRESHOLD_OTHER_MODEL.
    """
    if not thresholds:
        message = f"Watchlist {watchlist} has no threshold for any mode: it could not be searched."
        raise FrsError(Reason.THRESHOLD_MISSING, message, watchlist=watchlist)
    for threshold in thresholds:
        _require_own(watchlist, threshold, model)


def _require_own(watchlist: str, threshold: Threshold, model: ModelInfo) -> None:
    if (threshold.model, threshold.profile) != (model.id, model.profile):
        message = (
            f"The {threshold.mode} threshold of watchlist {watchlist} was set for {threshold.model} with profile"
            f" {threshold.profile}; in use is {model.id} with profile {model.profile}."
        )
        raise FrsError(Reason.THRESHOLD_OTHER_MODEL, message, watchlist=watchlist, mode=threshold.mode)


def _default(mode: Mode, model: ModelInfo) -> Threshold | None:
    default = model.default_threshold(mode)
    return None if default is None else Threshold(mode, default.score, model.id, model.profile, PACK_DEFAULT)
