"""Raising an alert: the row, its sealed pictures, the feed, the counts and the audit event in one transaction.

Nothing of it exists without the rest, and nobody is told before all of it is durable. Within the transaction the
alert asks once more whether it may be raised: of the gate, which a stop shuts even when it cannot be recorded, and of
the database: the deployment runs, the watchlist is active and unexpired, the subject is still enrolled and the
reference still there. The single writer puts that question and an emergency stop or a withdrawal in one order, so no
alert is raised after either has returned.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeAlias

import sqlalchemy as sa

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.embed.decoding import encode_jpeg
from frs.match.bell import Bell
from frs.match.candidate_records import candidate_columns
from frs.match.deployment import DeploymentState, state_of
from frs.match.evidence import TrackEvidence
from frs.match.frames import FrameKeeping, KeptFrame
from frs.match.gate import Gate
from frs.match.standing import standing
from frs.match.tally import StreamCounts, add_camera_counts
from frs.store.database import Database, Transaction
from frs.store.schema import alert, alert_feed, deployment
from frs.store.vault import Vault
from frs.types import Actor, Candidate, Event, Json, ListVersion, References, new_id
from frs.watchlist.registry import Watchlists

PROBE, REFERENCE, FRAME = b"probe", b"reference", b"frame"
"""Contexts under which the three pictures are sealed for the owner ``alert:<id>``."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where and when a track was decided on."""

    actor: Actor
    """The feed adapter whose stream it was."""
    deployment: str
    camera: str
    track: str
    decided_at: datetime
    """Capture time of the frame that decided."""


@dataclass(frozen=True, slots=True)
class RaisedAlert:
    """An alert that is being raised, for whoever must act in the same transaction."""

    id: str
    deployment: str
    camera: str
    watchlist: str
    grading: str
    captured_at: datetime
    raised_at: datetime


OnRaised: TypeAlias = Callable[[Transaction, RaisedAlert], object]


@dataclass(frozen=True, slots=True)
class _Pictures:
    probe: bytes
    reference: bytes
    frame: bytes | None


class Alerting:
    """Commits alerts. Thread-safe."""

    def __init__(
        self,
        database: Database,
        vault: Vault,
        audit: AuditLog,
        watchlists: Watchlists,
        bell: Bell,
        clock: Clock,
        frames: FrameKeeping | None = None,
    ) -> None:
        """Take the rooms below; without ``frames`` none is kept."""
        self._frames = frames
        self._database, self._vault, self._audit = database, vault, audit
        self._watchlists, self._bell, self._clock = watchlists, bell, clock
        self._on_raised: tuple[OnRaised, ...] = ()

    def heed(self, listener: OnRaised) -> None:
        """Have every alert told to ``listener`` within its transaction: what it raises, the alert fails with."""
        self._on_raised = (*self._on_raised, listener)

    def raise_alert(
        self,
        gate: Gate,
        sighting: Sighting,
        candidate: Candidate,
        evidence: TrackEvidence,
        uncounted: StreamCounts,
        gallery_size: int | None = None,
    ) -> str | None:
        """Raise an alert and return its id; None when it may no longer be raised (see the module).

        ``gate`` is the deployment's; ``uncounted`` are the stream's counts that are not in the database yet, the alert
        not among them: they are added with it. ``gallery_size`` is how many people were searched. FrsError
        LOG_UNAVAILABLE, STORAGE_FULL, STORAGE_FAILED: then nothing of it happened.
        """
        assert evidence.portrait is not None
        probe = encode_jpeg(evidence.portrait)
        frame = self._frames.keep(evidence.scene) if self._frames else None

        def act(tx: Transaction) -> str | None:
            now = self._clock.now()
            if gate.shut_as is not None or not _allowed(tx.connection, sighting.deployment, candidate, now):
                return None
            name = new_id()
            owner = f"alert:{name}"
            reference = self._watchlists.reference_crop(tx.connection, candidate.reference)
            sealed = _Pictures(
                self._vault.seal(owner, probe, PROBE),
                self._vault.seal(owner, reference, REFERENCE),
                self._vault.seal(owner, frame.jpeg, FRAME) if frame else None,
            )
            row = _row(name, sighting, candidate, evidence, now) | _pictures(sealed, frame)
            tx.connection.execute(sa.insert(alert).values({**row, "gallery_size": gallery_size}))
            tx.connection.execute(sa.insert(alert_feed).values(alert_id=name, kind="raised", created_at=now))
            counts = uncounted.plus(StreamCounts(alerts=1))
            add_camera_counts(tx.connection, sighting.deployment, sighting.camera, counts, now)
            self._audit.append(tx, _event(name, sighting, candidate, evidence, sealed))
            raised = RaisedAlert(
                name,
                sighting.deployment,
                sighting.camera,
                candidate.watchlist,
                candidate.grading,
                _instant(evidence.best.at),
                now,
            )
            for listener in self._on_raised:
                listener(tx, raised)
            tx.after_commit(self._bell.ring)
            return name

        return self._database.write(act)


def _allowed(connection: sa.Connection, deployment_id: str, candidate: Candidate, now: datetime) -> bool:
    """Whether deployment, list, subject and reference still permit the alert."""
    stands = connection.execute(
        sa.select(deployment.c.state, deployment.c.starts_at, deployment.c.ends_at).where(
            deployment.c.id == deployment_id
        )
    ).one()
    if state_of(stands.state, stands.starts_at, stands.ends_at, now) is not DeploymentState.RUNNING:
        return False
    return bool(standing(connection, [[candidate]], now)[0])


def _row(
    name: str, sighting: Sighting, candidate: Candidate, evidence: TrackEvidence, now: datetime
) -> dict[str, object]:
    return {
        "id": name,
        "deployment_id": sighting.deployment,
        "camera_id": sighting.camera,
        "track_id": sighting.track,
        "captured_at": _instant(evidence.best.at),
        "first_seen_at": _instant(evidence.first_at),
        "decided_at": sighting.decided_at,
        "created_at": now,
        **candidate_columns(candidate),
        "model": candidate.model,
        "profile": candidate.profile,
        "notice": candidate.notice,
        "probe_quality": candidate.probe_quality.as_json(),
        "seen_seconds": evidence.last_at - evidence.first_at,
        "state": "pending",
    }


def _pictures(sealed: _Pictures, frame: KeptFrame | None) -> dict[str, object]:
    pictures = {"probe_sealed": sealed.probe, "reference_sealed": sealed.reference, "frame_sealed": sealed.frame}
    return {**pictures, "frame_faces": frame.faces_json() if frame else None}


def _event(name: str, sighting: Sighting, candidate: Candidate, evidence: TrackEvidence, sealed: _Pictures) -> Event:
    """Return what is logged of an alert: all that decided it, and commitments in place of its pictures."""
    payload: dict[str, Json] = {
        "camera": sighting.camera,
        "track": sighting.track,
        "decided_at": sighting.decided_at.isoformat(),
        "first_seen_at": _instant(evidence.first_at).isoformat(),
        "nominal": candidate.nominal,
        "subject": candidate.subject,
        "reference": candidate.reference,
        "grading": candidate.grading,
        "score": candidate.score,
        "threshold": candidate.threshold,
        "margin": candidate.margin,
        "model": candidate.model,
        "profile": candidate.profile,
        "usable_frames": evidence.usable,
        "frames": [
            {"captured_at": _instant(shot.at).isoformat(), "quality": shot.quality.as_json()} for shot in evidence.shots
        ],
        "reference_quality": candidate.reference_quality.as_json(),
        "probe_sha256": hashlib.sha256(sealed.probe).hexdigest(),
        "reference_sha256": hashlib.sha256(sealed.reference).hexdigest(),
        "frame_sha256": hashlib.sha256(sealed.frame).hexdigest() if sealed.frame else None,
    }
    references = References(
        watchlists=(ListVersion(candidate.watchlist, candidate.watchlist_version),),
        subjects=(candidate.nominal,),
        deployment=sighting.deployment,
        alert=name,
    )
    return Event(Action.ALERT_RAISED, sighting.actor, references, payload)


def _instant(at: float) -> datetime:
    """Seconds of the epoch to the instant; exact to the microsecond."""
    return datetime.fromtimestamp(at, UTC)
