"""Who may decide a case: nobody alone who had a part in how it came about.

A part in it had: who enrolled one of the people it shows, who added the reference that it shows of them, who opened
its deployment, who submitted its job, and who brought the known pair of a vigilance check. Where two reviewers are
needed one of them may be such a person, because the other is not.

On plaintext loopback nobody can be told from anybody else, and nothing is separated (:mod:`frs.access.duties`).
"""

from __future__ import annotations

import sqlalchemy as sa

from frs.store.schema import (
    alert,
    deployment,
    job,
    job_candidate,
    reference_image,
    review_case,
    review_decision,
    subject,
    vigilance_pair,
)
from frs.types import Actor


def independent(actor: Actor) -> sa.ColumnElement[bool]:
    """Return the condition on ``review_case`` that the actor may be one of its reviewers."""
    if actor.credential == "loopback":
        return sa.true()
    others = sa.select(review_decision.c.reviewer).where(
        review_decision.c.case_id == review_case.c.id,
        review_decision.c.decided_at.is_not(None),
        review_decision.c.reviewer != actor.name,
        _took_part(review_decision.c.reviewer),
    )
    with_another = sa.and_(review_case.c.reviewers > 1, sa.not_(others.exists()))
    return sa.or_(sa.not_(_took_part(sa.literal(actor.name))), with_another)


def _took_part(name: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Return the condition on ``review_case`` that a person of that name had a part in it."""
    opened = sa.select(deployment.c.id).where(
        deployment.c.id == review_case.c.deployment_id, deployment.c.opened_by == name
    )
    submitted = sa.select(job.c.id).where(job.c.id == review_case.c.job_id, job.c.created_by == name)
    paired = sa.select(vigilance_pair.c.id).where(
        vigilance_pair.c.id == review_case.c.pair_id, vigilance_pair.c.created_by == name
    )
    parts = [opened, submitted, paired]
    for shown, of_case in (
        (alert, alert.c.id == review_case.c.alert_id),
        (job_candidate, job_candidate.c.probe_id == review_case.c.probe_id),
    ):
        enrolled = sa.and_(subject.c.id == shown.c.subject_id, subject.c.created_by == name)
        added = sa.and_(reference_image.c.id == shown.c.reference_id, reference_image.c.created_by == name)
        parts.append(sa.select(shown.c.subject_id).select_from(shown).join(subject, enrolled).where(of_case))
        parts.append(sa.select(shown.c.subject_id).select_from(shown).join(reference_image, added).where(of_case))
    return sa.or_(*(part.correlate(review_case, review_decision).exists() for part in parts))
