"""Searches one of a job's media, a still or a video, and commits what it finds.

A video is searched in stretches of ``retrospective.segment_seconds``. At the end of each, its tracks end, are searched
in one call, and their results are committed with the time code reached; a restart goes on behind it. A person seen
across the boundary is two probes of one subject. A video that breaks off keeps what was found up to there and fails
with the reason.

Before each stretch the job's authority is looked at again: an authorisation that has ended, a model that is another,
or lists of which none may be searched any more fail the medium; single lists that have expired or been retired are
left out. Of a probe without candidates nothing remains but the count.
"""

from __future__ import annotations

import errno
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Protocol, cast

import numpy as np
import numpy.typing as npt

from frs.clock import Clock
from frs.embed.decoding import encode_jpeg
from frs.embed.engine import FaceEngine
from frs.embed.video import VideoFrame, read_video
from frs.errors import FrsError, Reason
from frs.match.authority import require_authority
from frs.match.candidate_records import versions
from frs.match.job_ledger import JobLedger, MatchedProbe, Stretch
from frs.match.job_records import ItemState, Job, JobItem
from frs.match.probe_search import ProbeSearch, overwrite
from frs.match.upload_records import MediaKind
from frs.match.uploads import Uploads
from frs.match.video_tracks import MediaProbe, VideoTracks
from frs.settings import Settings
from frs.types import Face, Mode
from frs.watchlist.registry import Watchlists
from frs.watchlist.searchable import SearchableList

Frames = Generator[VideoFrame, None, None]

PATIENCE_SECONDS = 0.5
"""How long the search waits before it asks a recogniser again that was full: live faces go first."""


_SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""What a read fails with that is no fault of the file, and passes."""


class Pulse(Protocol):
    """How a search tells of its progress and learns that it should stop."""

    def beat(self, share: float, frames: int, faces: int) -> None:
        """Tell how far the medium is (0 to 1); raises to stop."""

    def pause(self, seconds: float) -> None:
        """Wait; raises to stop."""


@dataclass(slots=True)
class _Walk:
    """How far a video has been searched."""

    frames: int
    faces: int
    reached_ms: int
    ended: bool = False

    def stretch(self, matched: Sequence[MatchedProbe], lists: Sequence[SearchableList]) -> Stretch:
        state = ItemState.DONE if self.ended else ItemState.QUEUED
        return Stretch(matched, self.frames, self.faces, self.reached_ms, state, versions(lists))


class MediaSearch:
    """Searches media for the runner's thread."""

    def __init__(
        self,
        uploads: Uploads,
        watchlists: Watchlists,
        probes: ProbeSearch,
        engine: FaceEngine,
        ledger: JobLedger,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._uploads, self._watchlists, self._probes = uploads, watchlists, probes
        self._engine, self._ledger, self._settings, self._clock = engine, ledger, settings, clock

    def search(self, job: Job, item: JobItem, pulse: Pulse) -> None:
        """Search what is left of a medium and commit it. Raises what the pulse raises, JobOverError, FrsError."""
        if item.kind is MediaKind.STILL:
            self._still(job, item, pulse)
        else:
            self._video(job, item, pulse)

    def _still(self, job: Job, item: JobItem, pulse: Pulse) -> None:
        lists = self._lists(job)
        analysis = self._engine.analyse(b"".join(_readable(self._uploads.open(item.upload))))
        try:
            usable = [(n, face) for n, face in enumerate(analysis.faces, 1) if face.quality.usable]
            probes = [MediaProbe(n, 0, 0, 0, face.quality, 1, analysis.portrait(face)) for n, face in usable]
            queries = self._embed([face for _, face in usable], pulse)
            matched = self._matched(job, lists, probes, queries)
        finally:
            overwrite(analysis)
        stretch = Stretch(matched, 1, len(usable), -1, ItemState.DONE, versions(lists))
        self._ledger.settle(job.id, item.position, stretch)

    def _video(self, job: Job, item: JobItem, pulse: Pulse) -> None:
        walk = _Walk(item.frames, item.faces, item.reached_ms)
        with closing(self._frames(item)) as frames:
            problem = None
            while problem is None and not walk.ended:
                lists = self._lists(job)
                tracks = self._tracks(walk.faces + 1, pulse)
                try:
                    problem = self._stretch(walk, frames, tracks, pulse)
                    probes, queries = tracks.probes()
                    matched = self._matched(job, lists, probes, queries)
                finally:
                    tracks.forget()
                walk.faces += len(probes)
                self._ledger.settle(job.id, item.position, walk.stretch(matched, lists))
        if problem is not None:
            raise problem

    def _stretch(self, walk: _Walk, frames: Frames, tracks: VideoTracks, pulse: Pulse) -> FrsError | None:
        """Follow the faces of the next stretch; returns why the video broke off, if it did."""
        length_ms = self._settings.retrospective.segment_seconds * 1000
        first_ms: int | None = None
        while first_ms is None or walk.reached_ms - first_ms < length_ms:
            try:
                frame = next(frames, None)
            except FrsError as error:
                return error
            if frame is None:
                walk.ended = True
                break
            if frame.time_ms > walk.reached_ms:  # what lies before was committed before a restart
                first_ms = frame.time_ms if first_ms is None else first_ms
                tracks.see(frame.time_ms, frame.picture)
                frame.picture.fill(0)
                walk.frames += 1
                walk.reached_ms = frame.time_ms
            share = frame.time_ms / frame.duration_ms if frame.duration_ms else 0.0
            pulse.beat(share, walk.frames, walk.faces + tracks.faces)
        return None

    def _frames(self, item: JobItem) -> Frames:
        settings = self._settings.retrospective
        pixels = self._settings.embed.max_picture_megapixels * 1_000_000
        media = _readable(self._uploads.open(item.upload))
        return cast(Frames, read_video(media, settings.video_fps, settings.video_stall_seconds, pixels))

    def _tracks(self, first_number: int, pulse: Pulse) -> VideoTracks:
        live = self._settings.live
        embed = partial(self._embed, pulse=pulse)
        return VideoTracks(self._engine, embed, live.track_lost_seconds, live.max_frames, first_number)

    def _lists(self, job: Job) -> tuple[SearchableList, ...]:
        """Return the job's lists that may be searched now."""
        require_authority(job.authority, self._clock)
        model = self._engine.model
        if (model.id, model.profile) != (job.model, job.profile):
            raise FrsError(
                Reason.THRESHOLD_OTHER_MODEL,
                f"The job was submitted for {job.model} ({job.profile}); {model.id} ({model.profile}) is in use now.",
            )
        lists: tuple[SearchableList, ...] = self._watchlists.matchable(
            [version.watchlist for version in job.searched], Mode.RETROSPECTIVE
        )
        if not lists:
            raise FrsError(Reason.WATCHLIST_NOT_ACTIVE, "None of the job's watchlists may be searched any more.")
        return lists

    def _embed(self, faces: Sequence[Face], pulse: Pulse) -> npt.NDArray[np.float32]:
        """Embed at the recogniser's leisure: a batch at a time, again while it is full."""
        size = self._settings.embed.max_batch
        parts = [np.empty((0, self._engine.model.dimension), np.float32)]
        for first in range(0, len(faces), size):
            while True:
                try:
                    parts.append(self._engine.embed(faces[first : first + size]))
                    break
                except FrsError as error:
                    if error.reason is not Reason.OVERLOADED:
                        raise
                pulse.pause(PATIENCE_SECONDS)
        return np.concatenate(parts)

    def _matched(
        self,
        job: Job,
        lists: Sequence[SearchableList],
        probes: Sequence[MediaProbe],
        queries: npt.NDArray[np.float32],
    ) -> list[MatchedProbe]:
        """Search all probes in one call and keep those that found somebody; the queries are overwritten."""
        try:
            found = self._probes.queries(
                queries,
                [probe.quality for probe in probes],
                [probe.frames for probe in probes],
                lists,
                job.max_candidates,
            )
        finally:
            queries.fill(0.0)
        return [
            MatchedProbe(probe, encode_jpeg(probe.portrait), candidates)
            for probe, candidates in zip(probes, found.candidates, strict=True)
            if candidates
        ]


def _readable(media: Iterator[bytes]) -> Iterator[bytes]:
    """Pass a medium's bytes on; a file that cannot be read is this medium's failure and not one that passes."""
    try:
        yield from media
    except FrsError as error:
        cause = error.__cause__
        if error.reason is not Reason.STORAGE_FAILED or not isinstance(cause, OSError) or cause.errno in _SCARCE:
            raise
        raise FrsError(
            Reason.UPLOAD_CHECKSUM_MISMATCH,
            f"The uploaded file on the data volume cannot be read: {cause.strerror}.",
        ) from error
