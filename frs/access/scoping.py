"""What an actor's scope means to the database: conditions for listings, and the refusal that tells nothing.

Whoever asks for something outside their scope is told that it does not exist, in the words and with the reason of what
really does not exist: a refusal must not tell who is on which list.
"""

from __future__ import annotations

import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.store.schema import alert, deployment, review_case, review_case_watchlist
from frs.types import Actor, Scope


def watchlists_within(scope: Scope, column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Return the condition that a column's watchlist is within the scope."""
    return sa.true() if scope.watchlists is None else column.in_(sorted(scope.watchlists))


def deployments_within(scope: Scope) -> sa.ColumnElement[bool]:
    """Return the condition on the table ``deployment`` that a row is within the scope."""
    if scope.deployments is None and scope.sites is None:
        return sa.true()
    return sa.or_(
        deployment.c.id.in_(sorted(scope.deployments or ())),
        deployment.c.site.in_(sorted((scope.sites or frozenset()) - {""})),
    )


def of_deployment_within(scope: Scope, column: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Return the condition that a column names a deployment within the scope."""
    if scope.deployments is None and scope.sites is None:
        return sa.true()
    return column.in_(sa.select(deployment.c.id).where(deployments_within(scope)))


def alerts_within(scope: Scope) -> sa.ColumnElement[bool]:
    """Return the condition on the table ``alert``: its deployment and the list that it is of are within."""
    of_list = watchlists_within(scope, alert.c.watchlist_id)
    return sa.and_(of_deployment_within(scope, alert.c.deployment_id), of_list)


def cases_within(scope: Scope) -> sa.ColumnElement[bool]:
    """Return the condition on ``review_case``: its deployment, if any, and every list that it shows are within."""
    outside = sa.select(review_case_watchlist.c.case_id).where(
        review_case_watchlist.c.case_id == review_case.c.id,
        sa.not_(watchlists_within(scope, review_case_watchlist.c.watchlist_id)),
    )
    deployed = sa.or_(review_case.c.deployment_id.is_(None), of_deployment_within(scope, review_case.c.deployment_id))
    return sa.and_(deployed, sa.not_(outside.exists()))


def require_watchlist(scope: Scope, watchlist: str) -> None:
    """Raise WATCHLIST_NOT_FOUND for a watchlist outside the scope."""
    if not scope.has_watchlist(watchlist):
        raise FrsError(Reason.WATCHLIST_NOT_FOUND, f"There is no watchlist {watchlist}.", watchlist=watchlist)


def require_may_create(actor: Actor, watchlist: str) -> None:
    """Raise PERMISSION_DENIED for a new watchlist outside the actor's scope, whether its name is taken or not."""
    if not actor.scope.has_watchlist(watchlist):
        raise FrsError(Reason.PERMISSION_DENIED, f"{actor.name} may not create a watchlist outside their scope")


def require_may_open(actor: Actor, site: str) -> None:
    """Raise PERMISSION_DENIED for a new deployment that its opener could not see afterwards."""
    if not actor.scope.has_deployment("", site):
        raise FrsError(
            Reason.PERMISSION_DENIED,
            f"{actor.name} may not open a deployment outside their scope: it must name one of their sites",
        )


def require_known_deployment(connection: sa.Connection, scope: Scope, name: str | None) -> None:
    """Raise DEPLOYMENT_NOT_FOUND for a deployment that is not there or is outside the scope; None is none."""
    found = sa.select(deployment.c.id).where(deployment.c.id == name, deployments_within(scope))
    if name is not None and connection.scalar(found) is None:
        raise FrsError(Reason.DEPLOYMENT_NOT_FOUND, f"There is no deployment {name}.", deployment=name)


def require_deployment(scope: Scope, name: str, site: str) -> None:
    """Raise DEPLOYMENT_NOT_FOUND for a deployment outside the scope."""
    if not scope.has_deployment(name, site):
        raise FrsError(Reason.DEPLOYMENT_NOT_FOUND, f"There is no deployment {name}.", deployment=name)
