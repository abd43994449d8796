"""One camera's stream: what happens to a frame, from its bytes to an alert or to nothing but a count.

A frame costs one run of the detector, one batch for the recogniser and one search, whatever the number of faces.
Templates live in this object while their track lives and are overwritten when it ends; a face that matches nobody
leaves a count. A frame that cannot be read is a problem of that frame, and the stream goes on; whatever else fails
(the log, the storage, the index) ends the stream with its error, because a search that cannot be logged does not
answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from frs.embed.engine import Analysis, FaceEngine
from frs.errors import FrsError, Reason
from frs.index.galleries import Galleries
from frs.match.alerting import Alerting, Sighting
from frs.match.cooldown import Cooldown
from frs.match.decisions import best_person, decide
from frs.match.deployment import Deployment, DeploymentState
from frs.match.deployments import Deployments
from frs.match.depth import search_deep
from frs.match.evidence import queries
from frs.match.following import Followed, Following
from frs.match.gate import Gate
from frs.match.live_frame import PROBLEMS_OF_A_FRAME, FrameOutcome, LiveFrame
from frs.match.live_log import LiveLog
from frs.match.probe_search import overwrite
from frs.match.tally import StreamCounts, Tally
from frs.settings import LiveSettings
from frs.types import Actor, Candidate, Hit, Mode
from frs.watchlist.registry import Watchlists
from frs.watchlist.searchable import SearchableList

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class LiveParts:
    """What all sessions share."""

    galleries: Galleries
    watchlists: Watchlists
    deployments: Deployments
    engine: FaceEngine
    alerting: Alerting
    settings: LiveSettings


class LiveSession:
    """A camera's open stream. Used by one thread at a time, but for ``counts``, ``received`` and ``dropped``."""

    def __init__(
        self,
        parts: LiveParts,
        actor: Actor,
        deployment: Deployment,
        camera: str,
        stream: str,
        gate: Gate,
        cooldown: Cooldown,
        log: LiveLog,
        tally: Tally,
        release: Callable[[], None],
    ) -> None:
        self.deployment = deployment
        self.camera = camera
        self._parts, self._actor, self._stream = parts, actor, stream
        self._gate, self._cooldown, self._log, self._tally = gate, cooldown, log, tally
        self._release: Callable[[], None] | None = release
        self._following = Following(parts.engine, parts.settings, tally)
        self._last: LiveFrame | None = None

    @property
    def counts(self) -> StreamCounts:
        """Counts since the stream was opened."""
        return self._tally.counts

    @property
    def state(self) -> DeploymentState:
        """The deployment's state as far as the stream knows."""
        return self._gate.shut_as or (DeploymentState.ENDED if self._gate.lapsed else DeploymentState.RUNNING)

    def received(self) -> None:
        """Count a frame that came in."""
        self._tally.add(StreamCounts(frames_received=1))

    def dropped(self, n: int = 1) -> None:
        """Count frames that could not be kept up with."""
        self._tally.add(StreamCounts(frames_dropped=n))

    def tick(self) -> None:
        """Write the minute's event when it is due. FrsError DEPLOYMENT_ENDED when the deployment is over."""
        self._require_open()
        if self._log.due():
            self._log.searched(self._matchable())
            self._log.minute()

    def process(self, frame: LiveFrame) -> FrameOutcome:
        """Take a frame in.

        FrsError DEPLOYMENT_ENDED, STREAM_PROTOCOL, INDEX_UNAVAILABLE, LOG_UNAVAILABLE, STORAGE_*: the stream is over.
        """
        self._require_open()
        self._in_order(frame)
        try:
            analysis = self._parts.engine.analyse(frame.data)
        except FrsError as problem:
            if problem.reason not in PROBLEMS_OF_A_FRAME:
                raise
            self._tally.add(StreamCounts(frames_rejected=1))
            return FrameOutcome(problem, ())
        try:
            return self._match(analysis, frame)
        finally:
            overwrite(analysis)

    def finish(self, reason: str) -> None:
        """Log the last counts and the stream's close, and let the camera go; a second call does nothing.

        Frames that came in and were given no result by then (the stream ended before their turn, or while one was
        being worked on) are counted as dropped, so that the counts of a closed stream add up.
        FrsError when it cannot be logged; the camera is let go all the same.
        """
        release, self._release = self._release, None
        if release is None:
            return
        try:
            self._following.finish()
            self._drop_the_rest()
            self._log.closed(reason)
        finally:
            release()

    def _drop_the_rest(self) -> None:
        now = self._tally.counts
        left = now.frames_received - now.frames_processed - now.frames_dropped - now.frames_rejected
        if left > 0:
            self._tally.add(StreamCounts(frames_dropped=left))

    def _require_open(self) -> None:
        if self._release is None:
            raise FrsError(Reason.STREAM_PROTOCOL, "The stream has been closed.")
        if self._gate.lapsed:
            self._parts.deployments.close_due()
        self._gate.require_open()

    def _in_order(self, frame: LiveFrame) -> None:
        last = self._last
        if frame.sequence < 1 or (last is not None and frame.sequence <= last.sequence):
            raise FrsError(Reason.STREAM_PROTOCOL, f"Sequence {frame.sequence} does not grow.", field="sequence")
        if last is not None and frame.captured_at < last.captured_at:
            raise FrsError(
                Reason.STREAM_PROTOCOL,
                f"Frame {frame.sequence} was captured before frame {last.sequence}.",
                field="capture_time",
            )
        self._last = LiveFrame(b"", frame.captured_at, frame.sequence)

    def _match(self, analysis: Analysis, frame: LiveFrame) -> FrameOutcome:
        lists, at = self._matchable(), frame.captured_at
        self._log.searched(lists)
        try:
            seen = self._following.take(analysis, at.timestamp(), embedding=bool(lists), data=frame.data)
        except FrsError as problem:
            if problem.reason is not Reason.OVERLOADED:
                raise
            self._tally.add(StreamCounts(frames_dropped=1))
            return FrameOutcome(problem, ())
        self._tally.add(StreamCounts(frames_processed=1))
        return FrameOutcome(None, self._decide(seen, lists, at) if lists else ())

    def _matchable(self) -> tuple[SearchableList, ...]:
        return self._parts.watchlists.matchable(self.deployment.list_ids, Mode.LIVE)

    def _decide(self, seen: Sequence[Followed], lists: tuple[SearchableList, ...], at: datetime) -> tuple[str, ...]:
        """Search the tracks whose evidence may say something new, in one call, and raise what alerts follow."""
        version = tuple((entry.id, entry.version) for entry in lists)
        ripe = [f for f in seen if f.settled != version and f.evidence.ripe(self._parts.settings.min_frames)]
        if not ripe:
            return ()
        lists, found = self._search(ripe, lists)
        alerts = []
        for followed, hits in zip(ripe, found, strict=True):
            candidate = self._propose(followed, hits, lists)
            if candidate is None or candidate.nominal in followed.alerted:
                followed.settled = version
            elif not self._cooldown.holds(candidate.nominal, at):
                people = sum(self._parts.galleries.people(entry.id) for entry in lists)
                alerts.append(self._alert(followed, candidate, at, people))
        return tuple(name for name in alerts if name is not None)

    def _search(
        self, ripe: Sequence[Followed], lists: tuple[SearchableList, ...]
    ) -> tuple[tuple[SearchableList, ...], list[list[Hit]]]:
        """Return the lists that were searched and the best subjects of each track.

        A list that was retired or changed since ``lists`` was asked for is asked for again.
        """
        tracks = queries([followed.evidence for followed in ripe])
        for _ in range(_ATTEMPTS):
            try:
                found = search_deep(self._parts.galleries, tracks, lists, None)
            except FrsError as error:
                if error.reason is not Reason.INDEX_UNAVAILABLE:
                    raise
                lists = self._matchable()
                self._log.searched(lists)
            else:
                return lists, found
        raise FrsError(Reason.INDEX_UNAVAILABLE, "The index of the deployment's watchlists keeps changing.")

    def _propose(self, followed: Followed, hits: Sequence[Hit], lists: tuple[SearchableList, ...]) -> Candidate | None:
        """Return whom the track's evidence proposes to alert for; who is below threshold is not even looked up."""
        least = {entry.id: entry.threshold.score for entry in lists}
        if not any(hit.score >= least[hit.watchlist] for hit in hits):
            return None
        evidence, model = followed.evidence, self._parts.engine.model
        described = self._parts.watchlists.describe(hits)
        candidates = decide(hits, lists, described, evidence.best.quality, model, len(hits), evidence.frames)
        return best_person(hits, described, candidates)

    def _alert(self, followed: Followed, candidate: Candidate, at: datetime, people: int) -> str | None:
        self._require_open()
        track = f"{self._stream[:8]}-{followed.evidence.number}"
        sighting = Sighting(self._actor, self.deployment.id, self.camera, track, at)
        uncounted = self._log.unstored
        name = self._parts.alerting.raise_alert(self._gate, sighting, candidate, followed.evidence, uncounted, people)
        if name is None:  # stopped, withdrawn or expired since the search: the next frame knows
            self._require_open()
            return None
        raised = StreamCounts(alerts=1)
        self._log.stored(uncounted.plus(raised))
        self._tally.add(raised)
        followed.alerted.add(candidate.nominal)
        self._cooldown.raised(candidate.nominal, at)
        return name
