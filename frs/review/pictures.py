"""What a reviewer looks at: the sealed pictures of a case, opened, with everybody hidden whom the case is not about.

Portraits were cut with their neighbours hidden and hold nothing more. The frame is sealed with nobody hidden; here it
is blurred after it was opened and before anybody is given it (:mod:`frs.embed.blurring`), so that the unblurred frame
exists in its sealed form alone. Only :class:`frs.review.unblurring.Unblurring` gives it out as it is.
"""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

import sqlalchemy as sa

from frs.embed.blurring import hide
from frs.embed.decoding import decode_picture, encode_jpeg
from frs.errors import FrsError, Reason
from frs.match.alerting import FRAME, PROBE, REFERENCE
from frs.match.candidate_records import probe_owner
from frs.match.frames import boxes_from
from frs.review.case import CaseKind, Pictures
from frs.review.shown import ShownCheck
from frs.review.vigilance_pair import pair_owner
from frs.store.schema import alert, job_candidate, job_probe, review_case, vigilance_pair
from frs.store.vault import Vault

# What we encoded ourselves (review.frame_pixels is at most 4,096).
_MOST_BYTES, _MOST_PIXELS = 1 << 26, 1 << 25


class ReferencePictures(Protocol):
    """Opens pictures of people on watchlists (:class:`frs.watchlist.registry.Watchlists`)."""

    def reference_crop(self, connection: sa.Connection, reference: str) -> bytes:
        """Return the JPEG of a reference's face. FrsError when it is no longer there."""
        ...


class CasePictures:
    """Opens the pictures of cases. Thread-safe; logs nothing: whoever shows them does."""

    def __init__(self, vault: Vault, watchlists: ReferencePictures) -> None:
        self._vault, self._watchlists = vault, watchlists

    def of(self, connection: sa.Connection, case_id: str) -> Pictures:
        """Return the pictures of a case. FrsError CASE_NOT_FOUND; ERASED when they are no longer held."""
        row = _case(connection, case_id)
        if row.kind == CaseKind.CANDIDATES:
            return self._candidates(connection, row.probe_id)
        owner, held, reference = _held(connection, row)
        frame = self._frame(row, owner, held)
        return Pictures(
            probe=self._vault.open(owner, held.probe_sealed, PROBE),
            frame=blurred(frame, held.frame_faces) if frame else b"",
            references={reference: self._vault.open(owner, held.reference_sealed, REFERENCE)},
        )

    def unblurred(self, connection: sa.Connection, case_id: str) -> bytes:
        """Return the frame of a case with nobody hidden. FrsError as :meth:`of`; FRAME_NOT_KEPT."""
        row = _case(connection, case_id)
        frame = b""
        if row.kind != CaseKind.CANDIDATES:
            owner, held, _ = _held(connection, row)
            frame = self._frame(row, owner, held)
        if not frame:
            raise FrsError(Reason.FRAME_NOT_KEPT, f"No frame was kept for case {case_id}.", case=case_id)
        return frame

    def require_held(self, connection: sa.Connection, case_id: str) -> None:
        """Raise what :meth:`of` would, without opening anything."""
        row = _case(connection, case_id)
        if row.kind != CaseKind.CANDIDATES:
            _held(connection, row)
        elif connection.scalar(sa.select(job_probe.c.id).where(job_probe.c.id == row.probe_id)) is None:
            raise _erased()

    def _frame(self, case: sa.Row[Any], owner: str, held: sa.Row[Any]) -> bytes:
        # A check shows a frame where an alert raised then would.
        kept = case.kind == CaseKind.ALERT or ShownCheck.from_json(case.shown).with_frame
        return self._vault.open(owner, held.frame_sealed, FRAME) if kept and held.frame_sealed is not None else b""

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


def blurred(frame: bytes, faces: list[list[float]] | None) -> bytes:
    """Return a frame (JPEG) with every face but the first of ``faces`` hidden; with none known, it is not shown."""
    boxes = boxes_from(faces)
    if not boxes:
        return b""
    picture = decode_picture(frame, _MOST_BYTES, _MOST_PIXELS)
    shown, *others = boxes
    return encode_jpeg(hide(picture, others, shown), 85)


def _case(connection: sa.Connection, case_id: str) -> sa.Row[Any]:
    row = connection.execute(sa.select(review_case).where(review_case.c.id == case_id)).one_or_none()
    if row is None:
        raise FrsError(Reason.CASE_NOT_FOUND, f"There is no case {case_id}.", case=case_id)
    return row


def _held(connection: sa.Connection, case: sa.Row[Any]) -> tuple[str, sa.Row[Any], str]:
    """Return whose key seals the pictures of an alert's case, the row that has them, and the reference's id."""
    if case.kind == CaseKind.VIGILANCE:
        row = connection.execute(sa.select(vigilance_pair).where(vigilance_pair.c.id == case.pair_id)).one_or_none()
        shown = ShownCheck.from_json(case.shown)
        owner, reference = pair_owner(case.pair_id), shown.candidate.reference
        row = None if shown.erased else row
    else:
        row = connection.execute(sa.select(alert).where(alert.c.id == case.alert_id)).one()
        owner, reference = f"alert:{row.id}", row.reference_id
    if row is None or row.probe_sealed is None or row.reference_sealed is None:
        raise _erased()
    return owner, row, reference


def _erased() -> FrsError:
    return FrsError(Reason.ERASED, "The pictures of this case have been erased.")
