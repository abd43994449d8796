"""What the log says of one camera stream: its opening, one event a minute, its close.

Each of these events is in one transaction with the camera's totals. A minute's event names every version of every
list that was searched since the last event, the thresholds, the settings that decide, and the counts since then; it
is written for a minute without frames too, because an open stream is use.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from frs.audit.actions import Action
from frs.audit.log import AuditLog
from frs.clock import Clock
from frs.match.decisions import as_json
from frs.match.deployment import Deployment
from frs.match.tally import StreamCounts, Tally, add_camera_counts
from frs.settings import Settings
from frs.store.database import Database, Transaction
from frs.types import Actor, Event, Json, ListVersion, ModelInfo, References
from frs.watchlist.searchable import SearchableList


class LiveLog:
    """Writes the events of one stream. Used by the stream's thread."""

    def __init__(
        self,
        database: Database,
        audit: AuditLog,
        settings: Settings,
        clock: Clock,
        actor: Actor,
        deployment: Deployment,
        camera: str,
        stream: str,
        model: ModelInfo,
        tally: Tally,
    ) -> None:
        self._database, self._audit, self._clock = database, audit, clock
        self._actor, self._deployment, self._camera, self._stream = actor, deployment, camera, stream
        self._model, self._tally = model, tally
        self._minute = settings.live.minute_seconds
        self._settings = _deciding(settings, deployment)
        self._since = clock.now()
        self._reported = StreamCounts()
        self._stored = StreamCounts()
        self._used: dict[tuple[str, int], SearchableList] = {}

    def searched(self, lists: Sequence[SearchableList]) -> None:
        """Take note that these lists were in force."""
        for entry in lists:
            self._used.setdefault((entry.id, entry.version), entry)

    @property
    def unstored(self) -> StreamCounts:
        """Counts that are not in the camera's totals yet."""
        return self._tally.counts.since(self._stored)

    def stored(self, counts: StreamCounts) -> None:
        """Take note that an alert added these counts to the camera's totals."""
        self._stored = self._stored.plus(counts)

    def due(self) -> bool:
        """Whether a minute has passed since the last event."""
        return (self._clock.now() - self._since).total_seconds() >= self._minute

    def opened(self) -> None:
        """Log that the stream was opened."""
        self._write({Action.LIVE_STREAM_OPENED: {}})

    def minute(self) -> None:
        """Log the counts since the last event."""
        self._write({Action.LIVE_MINUTE: {}})

    def closed(self, reason: str) -> None:
        """Log the counts since the last event, and that the stream was closed."""
        total = self._tally.counts.as_json()
        self._write({Action.LIVE_MINUTE: {}, Action.LIVE_STREAM_CLOSED: {"reason": reason, "total": total}})

    def _write(self, actions: Mapping[Action, Mapping[str, Json]]) -> None:
        now, counts, unstored = self._clock.now(), self._tally.counts, self.unstored
        versions = tuple(ListVersion(*key) for key in self._used)
        references = References(watchlists=versions, deployment=self._deployment.id)
        payload = self._payload(now, counts)

        def act(tx: Transaction) -> None:
            add_camera_counts(tx.connection, self._deployment.id, self._camera, unstored, now)
            for action, more in actions.items():
                self._audit.append(tx, Event(action, self._actor, references, {**payload, **more}))

        self._database.write(act)
        self._since, self._reported = now, counts
        self._stored = self._stored.plus(unstored)
        self._used.clear()

    def _payload(self, now: datetime, counts: StreamCounts) -> dict[str, Json]:
        return {
            "camera": self._camera,
            "stream": self._stream,
            "from": self._since.isoformat(),
            "until": now.isoformat(),
            "model": self._model.id,
            "profile": self._model.profile,
            "provider": self._model.provider,
            "lists": [as_json(entry) for entry in self._used.values()],
            "settings": self._settings,
            "counts": counts.since(self._reported).as_json(),
        }


def _deciding(settings: Settings, deployment: Deployment) -> dict[str, Json]:
    """Return the settings on which decisions depend."""
    live = settings.live
    return {
        "min_frames": live.min_frames,
        "max_frames": live.max_frames,
        "track_lost_seconds": live.track_lost_seconds,
        "cooldown_seconds": deployment.cooldown_seconds,
        "detector_size": settings.embed.detector_size,
        "detector_score": settings.embed.detector_score,
        "quality": dict(settings.quality.model_dump()),
    }
