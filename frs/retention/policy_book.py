"""The versions of the installation's policy: every event says under which one its act was done.

At each start the settings that decide (:mod:`frs.retention.policy`) and the model are compared with the version
recorded last. Where they differ the next version, the event ``policy.changed`` with every changed setting before and
after, and ``model.changed`` where the model differs, are one transaction. Versions count from 1 without gaps and are
never changed or removed, so that the policy behind any decision in the log can be shown.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.retention.policy import differences, digest_of, policy_of
from frs.settings import Settings
from frs.store.database import Database, Transaction
from frs.store.schema import policy_version
from frs.types import Actor, Event, Json, ModelInfo

_NEWEST = sa.select(policy_version).order_by(policy_version.c.number.desc()).limit(1)


class PolicyBook:
    """The policy in force, once :meth:`record` has been called."""

    version: int
    """Of the policy in force, from 1; 0 before :meth:`record`."""
    since: datetime
    """When that version was recorded."""

    def __init__(self, database: Database, audit: AuditLog, settings: Settings, clock: Clock) -> None:
        self._database, self._audit, self._clock = database, audit, clock
        self._policy = policy_of(settings)
        self.version, self.since = 0, clock.now()

    def record(self, actor: Actor, model: ModelInfo) -> int:
        """Make the settings and the model the policy in force and return its version; once, before any other event.

        Raises FrsError: LOG_UNAVAILABLE or what the storage raises; then no version was begun.
        """
        self.version, self.since = self._database.write(lambda tx: self._record(tx, actor, model))
        self._audit.under_policy(self.version)
        return self.version

    def at(self, number: int) -> dict[str, Json] | None:
        """Return the settings of a version, by dotted name; None when there is no such version."""
        query = sa.select(policy_version.c.settings).where(policy_version.c.number == number)
        with self._database.read() as connection:
            settings: dict[str, Json] | None = connection.scalar(query)
        return settings

    def _record(self, tx: Transaction, actor: Actor, model: ModelInfo) -> tuple[int, datetime]:
        last = tx.connection.execute(_NEWEST).first()
        before = dict(last.settings) if last is not None else {}
        changed, same_model = differences(before, self._policy), last is not None and last.model == _name(model)
        if last is not None and not changed and same_model:
            return last.number, last.recorded_at
        number, now = (last.number + 1 if last is not None else 1), self._clock.now()
        row = {"number": number, "settings": self._policy, "model": _name(model), "recorded_at": now}
        tx.connection.execute(sa.insert(policy_version), row)
        self._audit.under_policy(number)  # the events of the change are the first under it
        said: dict[str, Json] = {"version": number, "sha256": digest_of(self._policy), "changed": changed}
        self._audit.append(tx, Event(Action.POLICY_CHANGED, actor, payload=said))
        if not same_model:
            self._audit.append(tx, Event(Action.MODEL_CHANGED, actor, payload=_model_change(number, last, model)))
        return number, now


def _name(model: ModelInfo) -> str:
    """Return model version and scoring profile: scores of two models, or two profiles, do not compare."""
    return f"{model.id} {model.profile}"


def _model_change(number: int, last: sa.Row[Any] | None, model: ModelInfo) -> dict[str, Json]:
    before: Json = None
    if last is not None:
        was, _, profile = last.model.rpartition(" ")
        before = {"model": was, "profile": profile}
    return {"version": number, "before": before, "after": {"model": model.id, "profile": model.profile}}
