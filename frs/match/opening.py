"""What must hold before live facial recognition may start: the rules for opening a deployment.

Every watchlist is active, unexpired, has a live threshold for the model in use, and has been reviewed: in its present
version, and since the last deployment that used it ("reviewed before each deployment", College of Policing APP).
Somebody must be on one of them: cameras that can find nobody are filmed for nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.match.deployment import LONGEST, DeploymentDraft
from frs.settings import ReviewSettings
from frs.store.schema import deployment, deployment_watchlist, reference_image, subject, watchlist
from frs.types import Json
from frs.watchlist.searchable import SearchableList


def checked_draft(
    draft: DeploymentDraft, now: datetime, cooldown_seconds: float, review: ReviewSettings
) -> DeploymentDraft:
    """Return the draft with its defaults filled in; FrsError INVALID_FIELD where it cannot be opened."""
    for field in ("purpose", "place", "authorising_officer"):
        if not getattr(draft, field).strip():
            raise _invalid(field, f"The deployment's {field.replace('_', ' ')} is empty.")
    if not draft.watchlists:
        raise _invalid("watchlists", "A deployment needs at least one watchlist.")
    if len(set(draft.watchlists)) != len(draft.watchlists):
        raise _invalid("watchlists", "A watchlist is named twice.")
    starts_at = max(draft.starts_at or now, now)
    if draft.ends_at <= starts_at:
        raise _invalid("end_time", "The deployment's end is not after its start and after now.")
    if draft.ends_at - starts_at > LONGEST:
        raise _invalid("end_time", f"A deployment lasts at most {LONGEST.days} days.")
    cooldown = cooldown_seconds if draft.cooldown_seconds is None else draft.cooldown_seconds
    if not 0.0 <= cooldown <= LONGEST.total_seconds():
        raise _invalid("cooldown_seconds", "The cooldown is not a number of seconds from 0 up to 31 days.")
    return replace(draft, starts_at=starts_at, cooldown_seconds=cooldown, **_review(draft, review))


def _review(draft: DeploymentDraft, settings: ReviewSettings) -> dict[str, Any]:
    """Return how the alerts are to be reviewed: as the draft says, else as the settings do."""
    fields = ("reviewers", "officers_before_adjudication", "vigilance_rate")
    chosen = {name: getattr(draft, name) for name in fields}
    policy = {name: getattr(settings, name) if value is None else value for name, value in chosen.items()}
    if policy["reviewers"] not in (1, 2):
        raise _invalid("review_policy.reviewers", "An alert is decided by one or two independent reviewers.")
    if not 0.0 <= policy["vigilance_rate"] <= 1.0:
        raise _invalid("review_policy.vigilance_rate", "The rate of vigilance checks is a number from 0 to 1.")
    return policy


def require_reviewed(connection: sa.Connection, lists: Sequence[SearchableList], now: datetime) -> None:
    """Check within the opening's transaction that each list still is as it was found, and reviewed for this use.

    FrsError: WATCHLIST_CHANGED when it changed since, WATCHLIST_NOT_ACTIVE, WATCHLIST_EXPIRED, WATCHLIST_NOT_REVIEWED.
    """
    for entry in lists:
        row = connection.execute(sa.select(watchlist).where(watchlist.c.id == entry.id)).one()
        if row.state != "active":
            raise _refused(Reason.WATCHLIST_NOT_ACTIVE, entry.id, f"is {row.state}")
        if row.expires_at <= now:
            raise _refused(Reason.WATCHLIST_EXPIRED, entry.id, f"expired at {row.expires_at.isoformat()}")
        if row.version != entry.version:
            raise _refused(Reason.WATCHLIST_CHANGED, entry.id, "changed while the deployment was being opened")
        if row.reviewed_at is None or row.reviewed_version != row.version:
            raise _refused(
                Reason.WATCHLIST_NOT_REVIEWED, entry.id, f"has not been reviewed in its version {row.version}"
            )
        last_use = _last_opening(connection, entry.id)
        if last_use is not None and row.reviewed_at <= last_use:
            raise _refused(
                Reason.WATCHLIST_NOT_REVIEWED,
                entry.id,
                f"has not been reviewed since it was last deployed at {last_use.isoformat()}",
            )


def require_somebody(connection: sa.Connection, lists: Sequence[SearchableList]) -> None:
    """Check within the opening's transaction that a list holds somebody; FrsError WATCHLIST_EMPTY when none does."""
    names = [entry.id for entry in lists]
    found = (
        sa.select(sa.literal(1))
        .select_from(reference_image)
        .join(subject, subject.c.id == reference_image.c.subject_id)
        .where(subject.c.watchlist_id.in_(names), subject.c.state == "enrolled")
        .limit(1)
    )
    if connection.execute(found).first() is None:
        raise FrsError(
            Reason.WATCHLIST_EMPTY,
            f"No subject with an image is left on {', '.join(names)}.",
            watchlist=",".join(names),
        )


def as_opened(connection: sa.Connection, entry: SearchableList) -> dict[str, Json]:
    """Return what the deployment's record keeps of a list as it stands: what figures are later read against."""
    category = sa.select(watchlist.c.category).where(watchlist.c.id == entry.id)
    people = sa.select(sa.func.count()).where(subject.c.watchlist_id == entry.id, subject.c.state == "enrolled")
    return {
        "watchlist_id": entry.id,
        "version_at_open": entry.version,
        "category": connection.execute(category).scalar_one(),
        "subjects_at_open": connection.execute(people).scalar_one(),
        "threshold_at_open": entry.threshold.score,
        "model_at_open": entry.threshold.model,
    }


def _last_opening(connection: sa.Connection, watchlist_id: str) -> datetime | None:
    newest = (
        sa.select(deployment.c.opened_at)
        .join(deployment_watchlist, deployment_watchlist.c.deployment_id == deployment.c.id)
        .where(deployment_watchlist.c.watchlist_id == watchlist_id)
        .order_by(deployment.c.opened_at.desc())
        .limit(1)
    )
    return connection.execute(newest).scalar_one_or_none()


def _invalid(field: str, message: str) -> FrsError:
    return FrsError(Reason.INVALID_FIELD, message, field=f"deployment.{field}")


def _refused(reason: Reason, watchlist_id: str, what: str) -> FrsError:
    return FrsError(reason, f"Watchlist {watchlist_id} {what}.", watchlist=watchlist_id)
