"""What a reviewer looks at: the sealed pictures of a case, opened."""

from __future__ import annotations

import contextlib

import sqlalchemy as sa

from frs.errors import FrsError, Reason
from frs.match.alerting import PROBE, REFERENCE
from frs.match.candidate_records import probe_owner
from frs.review.case import CaseKind, Pictures
from frs.store.schema import alert, job_candidate, job_probe, review_case
from frs.store.vault import Vault
from frs.watchlist.registry import Watchlists


class CasePictures:
    """Opens the pictures of cases. Thread-safe; logs nothing: whoever shows them does."""

    def __init__(self, vault: Vault, watchlists: Watchlists) -> None:
        self._vault, self._watchlists = vault, watchlists

    def of(self, connection: sa.Connection, case_id: str) -> Pictures:
        """Return the pictures of a case. FrsError CASE_NOT_FOUND; ERASED when they are no longer held."""
        row = connection.execute(sa.select(review_case).where(review_case.c.id == case_id)).one_or_none()
        if row is None:
            raise FrsError(Reason.CASE_NOT_FOUND, f"There is no case {case_id}.", case=case_id)
        if row.kind == CaseKind.ALERT:
            return self._alert(connection, row.alert_id)
        return self._candidates(connection, row.probe_id)

    def _alert(self, connection: sa.Connection, alert_id: str) -> Pictures:
        row = connection.execute(sa.select(alert).where(alert.c.id == alert_id)).one()
        if row.probe_sealed is None or row.reference_sealed is None:
            raise _erased()
        owner = f"alert:{alert_id}"
        reference = self._vault.open(owner, row.reference_sealed, REFERENCE)
        return Pictures(self._vault.open(owner, row.probe_sealed, PROBE), b"", {row.reference_id: reference})

    def _candidates(self, connection: sa.Connection, probe_id: str) -> Pictures:
        sealed = connection.scalar(sa.select(job_probe.c.crop_sealed).where(job_probe.c.id == probe_id))
        if sealed is None:
            raise _erased()
        ids = connection.scalars(sa.select(job_candidate.c.reference_id).where(job_candidate.c.probe_id == probe_id))
        references = {}
        for reference in ids:
            with contextlib.suppress(FrsError):  # it was removed since: the fact of the match stays
                references[reference] = self._watchlists.reference_crop(connection, reference)
        return Pictures(self._vault.open(probe_owner(probe_id), sealed), b"", references)


def _erased() -> FrsError:
    return FrsError(Reason.ERASED, "The pictures of this case have been erased.")
