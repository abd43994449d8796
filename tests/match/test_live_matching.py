"""Listed people who walk past a camera raise one alert each; everybody else leaves a count."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from frs.embed.engine import FaceEngine
from frs.index.galleries import GalleryRow
from frs.match.alerting import PROBE
from frs.match.live import LiveFrame, LiveSession, StreamCounts
from frs.store.schema import alert, camera_count, camera_hour
from frs.store.transaction import Transaction
from frs.watchlist.model import ImageDraft, SubjectDraft
from tests.match.film import START, film
from tests.match.stage import FEED, MANAGER, OFFICER, THRESHOLD, Stage, details, play

People = tuple[bytes, ...]


def alerted(stage: Stage) -> list[str]:
    """Return the nominals alerted for, oldest first."""
    return [entry.alert.candidate.nominal for entry in stage.alerts.feed(0) if entry.change == "raised"]


def test_listed_people_are_found_once_each_and_strangers_are_counted(
    stage: Stage, sample_people: People, engine: FaceEngine
) -> None:
    """Of three who walk by, the two on the list raise one alert each, with both pictures; the third is a number."""
    stage.activate("wanted", [("N-0", sample_people[0]), ("N-2", sample_people[2]), ("N-4", sample_people[4])])
    deployment = stage.open("wanted")
    session = stage.live.open_stream(FEED, deployment.id, "cam-1")
    before = engine.counts()
    outcomes = play(session, film(sample_people[:3], 9))
    session.finish("closed")

    after = engine.counts()
    assert (after.batches - before.batches, after.faces - before.faces) == (9, 27)  # one batch a frame

    assert all(outcome.problem is None for outcome in outcomes)
    raised = [name for outcome in outcomes for name in outcome.alerts]
    assert sorted(alerted(stage)) == ["N-0", "N-2"]
    assert session.counts == StreamCounts(9, 9, 0, 0, faces_seen=3, alerts=2)
    for name in raised:
        case = stage.alerts.get(OFFICER, name)
        found, candidate = case.alert, case.alert.candidate
        assert (found.deployment, found.camera_id, found.state) == (deployment.id, "cam-1", "pending")
        assert START <= found.first_seen_at <= found.captured_at <= START + timedelta(seconds=2)
        assert candidate.score >= candidate.threshold == THRESHOLD
        assert candidate.margin is not None
        assert candidate.margin > 0.05
        assert candidate.frames == 3
        assert (candidate.model, candidate.notice) == (engine.model.id, engine.model.notice)
        probe, reference = (engine.analyse(jpeg).faces for jpeg in (case.probe, case.reference))
        one, other = engine.embed([probe[0], reference[0]])
        assert one @ other > THRESHOLD
    totals = stage.deployments.get(deployment.id).cameras[0]
    assert (totals.camera_id, totals.faces_seen, totals.frames_received, totals.alerts) == ("cam-1", 3, 9, 2)


def test_counts_are_kept_by_the_hour_in_which_they_are_written(stage: Stage, sample_people: People) -> None:
    """Each hour of the clock has its own row; together they are the camera's totals, and an alert is in its hour."""
    stage.clock.at = datetime(2026, 3, 2, 10, 59, 30, tzinfo=UTC)
    stage.activate("wanted", [("N-0", sample_people[0])])
    session = stage.live.open_stream(FEED, stage.open("wanted").id, "cam-1")
    play(session, film(sample_people[:2], 4))
    assert session.counts.alerts == 1
    stage.clock.advance(minutes=1)
    play(session, film(sample_people[:1], 4, start=START + timedelta(seconds=10), first_sequence=5))
    session.finish("closed")
    with stage.installation.store.database.read() as connection:
        hours = connection.execute(sa.select(camera_hour).order_by(camera_hour.c.hour)).all()
        total = connection.execute(sa.select(camera_count)).one()
        raised = connection.execute(sa.select(alert.c.created_at)).scalar_one()
    assert [row.hour for row in hours] == [datetime(2026, 3, 2, n, tzinfo=UTC) for n in (10, 11)]
    assert [row.alerts for row in hours] == [1, 0]
    assert hours[0].hour <= raised < hours[1].hour
    for name in ("faces_seen", "frames_received", "frames_processed", "alerts"):
        assert sum(getattr(row, name) for row in hours) == getattr(total, name), name
    assert total.frames_processed == 8


def test_an_alert_is_logged_with_all_that_decided_it(stage: Stage, sample_people: People) -> None:
    """The event has score, threshold, list version, the frames that counted and commitments to the sealed pictures."""
    stage.activate("wanted", [("N-0", sample_people[0])])
    deployment = stage.open("wanted")
    session = stage.live.open_stream(FEED, deployment.id, "cam-1")
    (name,) = (found for outcome in play(session, film(sample_people[:1], 3)) for found in outcome.alerts)
    (event,) = stage.events(alert=name)
    said, kept = details(event), stage.alerts.list().items[0]
    assert event.action == "alert.raised"
    assert event.seq == stage.events(subject="N-0", action="alert")[0].seq
    assert (said["camera"], said["nominal"], said["score"]) == ("cam-1", "N-0", kept.candidate.score)
    assert (said["threshold"], said["margin"], said["model"]) == (THRESHOLD, None, kept.candidate.model)
    assert [frame["captured_at"] for frame in said["frames"]].count(kept.captured_at.isoformat()) == 1
    assert len(said["frames"]) == kept.candidate.frames == 3
    with stage.installation.store.database.read() as connection:
        sealed = connection.execute(sa.select(alert.c.probe_sealed)).scalar_one()
    assert said["probe_sha256"] == hashlib.sha256(sealed).hexdigest()
    case = stage.alerts.get(OFFICER, name)
    assert stage.installation.store.vault.open(f"alert:{name}", sealed, PROBE) == case.probe
    assert b"N-0" not in event.leaf


def test_the_score_is_the_mean_over_the_best_frames(stage: Stage, sample_people: People, engine: FaceEngine) -> None:
    """What the alert says the score is, is the mean of the three frames' cosines with the reference."""
    stage.activate("wanted", [("N-0", sample_people[0])])
    session = stage.live.open_stream(FEED, stage.open("wanted").id, "cam-1")
    frames = film(sample_people[:1], 3)
    play(session, frames)
    (reference,) = engine.embed(engine.analyse(sample_people[0]).faces[:1])
    templates = engine.embed([engine.analyse(frame.data).faces[0] for frame in frames])
    assert stage.alerts.list().items[0].candidate.score == pytest.approx(np.mean(templates @ reference), abs=1e-4)


def test_nothing_is_decided_before_enough_frames(stage: Stage, sample_people: People) -> None:
    """Two usable frames of a listed person are no alert; the third is."""
    stage.activate("wanted", [("N-0", sample_people[0])])
    session = stage.live.open_stream(FEED, stage.open("wanted").id, "cam-1")
    outcomes = play(session, film(sample_people[:1], 3))
    assert [len(outcome.alerts) for outcome in outcomes] == [0, 0, 1]


def test_a_person_alerts_again_only_after_the_cooldown(stage: Stage, sample_people: People) -> None:
    """Across tracks, reconnections and a restart there is one alert a cooldown; another camera has its own."""
    stage.activate("wanted", [("N-0", sample_people[0])])
    deployment = stage.open("wanted", cooldown=60.0)

    def walk(camera: str, after: float) -> int:
        """Let the person walk by once more, seconds of capture time after the first time; as a new stream."""
        session = stage.live.open_stream(FEED, deployment.id, camera)
        play(session, film(sample_people[:1], 4, start=START + timedelta(seconds=after)))
        session.finish("closed")
        return session.counts.alerts

    session = stage.live.open_stream(FEED, deployment.id, "cam-1")
    once = film(sample_people[:1], 4)
    again = film(sample_people[:1], 4, start=START + timedelta(seconds=10), first_sequence=5)
    play(session, [*once, *again])
    assert (session.counts.faces_seen, session.counts.alerts) == (2, 1)
    session.finish("closed")
    assert walk("cam-1", 30.0) == 0
    assert walk("cam-2", 30.0) == 1
    stage.restart()
    assert walk("cam-1", 50.0) == 0
    assert walk("cam-1", 70.0) == 1


def test_a_false_alert_ends_its_cooldown(stage: Stage, sample_people: People) -> None:
    """Who was taken for the person must not hide them: the same camera, or a new stream of it, alerts at once again."""
    stage.activate("wanted", [("N-0", sample_people[0])])
    deployment = stage.open("wanted", cooldown=600.0)
    database = stage.installation.store.database

    def walk(session: LiveSession, after: float, sequence: int) -> int:
        at = START + timedelta(seconds=after)
        return sum(
            len(each.alerts) for each in play(session, film(sample_people[:1], 4, start=at, first_sequence=sequence))
        )

    def found_false() -> None:
        """Put down what reviewers decided of the last alert, and tell live matching, as the composition root does."""
        stage.clock.advance(seconds=1)  # alerts of one instant stand in no order
        name = stage.alerts.list().items[0].id
        values = {"state": "false", "adjudicated_at": stage.clock.now(), "adjudicated_by": "rita"}

        def act(tx: Transaction) -> None:
            tx.connection.execute(sa.update(alert).where(alert.c.id == name).values(values))
            stage.live.alert_again(tx, name)

        database.write(act)

    session = stage.live.open_stream(FEED, deployment.id, "cam-1")
    assert walk(session, 0.0, 1) == 1
    assert walk(session, 10.0, 5) == 0
    found_false()
    assert walk(session, 20.0, 9) == 1
    assert walk(session, 30.0, 13) == 0
    session.finish("closed")
    found_false()
    again = stage.live.open_stream(FEED, deployment.id, "cam-1")
    assert walk(again, 40.0, 1) == 1


def test_who_stays_in_view_is_one_alert_even_without_cooldown(stage: Stage, sample_people: People) -> None:
    """One alert per person per track, however long the track and however short the cooldown."""
    stage.activate("wanted", [("N-0", sample_people[0])])
    session = stage.live.open_stream(FEED, stage.open("wanted", cooldown=0.0).id, "cam-1")
    play(session, film(sample_people[:1], 12))
    assert (session.counts.faces_seen, session.counts.alerts) == (1, 1)


def test_who_takes_anothers_place_is_not_averaged_with_them(stage: Stage, sample_people: People) -> None:
    """In a queue the next person stands where the last one stood: both are found, each on their own frames."""
    stage.activate("wanted", [("N-0", sample_people[0]), ("N-4", sample_people[4])])
    session = stage.live.open_stream(FEED, stage.open("wanted").id, "cam-1")
    first, nobody, second = (
        film(people, 5, start=START + timedelta(seconds=i), first_sequence=1 + 5 * i, step=0.0)
        for i, people in enumerate((sample_people[:1], (), sample_people[4:5]))
    )
    play(session, [*first, *nobody, *second])
    assert alerted(stage) == ["N-0", "N-4"]
    assert {found.track_id[-2:] for found in stage.alerts.list().items} == {"-1"}
    assert all(found.candidate.frames == 3 for found in stage.alerts.list().items)


def test_a_person_on_two_lists_is_one_alert(stage: Stage, sample_people: People) -> None:
    """The same nominal in two lists is one person: one alert, and the margin is to somebody else."""
    stage.activate("wanted", [("N-0", sample_people[0]), ("N-1", sample_people[1])])
    stage.activate("missing", [("N-0", sample_people[0])])
    session = stage.live.open_stream(FEED, stage.open("wanted", "missing").id, "cam-1")
    play(session, film(sample_people[:1], 6))
    (found,) = stage.alerts.list().items
    assert found.candidate.nominal == "N-0"
    assert found.candidate.margin is not None
    assert found.candidate.margin > 0.05


def test_a_withdrawn_subject_is_not_found_from_then_on(stage: Stage, sample_people: People) -> None:
    """Withdrawn in the middle of a track, before it is decided: no alert."""
    subjects = stage.activate("wanted", [("N-0", sample_people[0]), ("N-1", sample_people[1])])
    session = stage.live.open_stream(FEED, stage.open("wanted").id, "cam-1")
    frames = film(sample_people[:2], 6)
    play(session, frames[:2])
    stage.installation.watchlists.withdraw(MANAGER, subjects["N-0"], "warrant cancelled")
    play(session, frames[2:])
    assert alerted(stage) == ["N-1"]


def test_a_row_left_in_the_index_raises_no_alert(stage: Stage, sample_people: People, engine: FaceEngine) -> None:
    """Even if the index still held a withdrawn subject, nobody would be alerted for."""
    subjects = stage.activate("wanted", [("N-0", sample_people[0]), ("N-1", sample_people[1])])
    lists, galleries = stage.installation.watchlists, stage.installation.galleries
    (image,) = lists.get_subject(subjects["N-0"]).images
    (template,) = engine.embed(engine.analyse(sample_people[0]).faces[:1])
    lists.withdraw(MANAGER, subjects["N-0"], "warrant cancelled")
    session = stage.live.open_stream(FEED, stage.open("wanted").id, "cam-1")
    galleries.load("wanted", lists.get("wanted").revision, [GalleryRow(999, subjects["N-0"], image.id, template)])
    assert galleries.search(template[None], ["wanted"], 1)[0][0].score > THRESHOLD
    play(session, film(sample_people[:1], 4))
    assert alerted(stage) == []


def test_a_person_added_meanwhile_is_found_in_a_track_that_has_nothing_new(stage: Stage, sample_people: People) -> None:
    """The evidence of a face in view is searched again when a list has changed."""
    stage.activate("wanted", [("N-1", sample_people[1])])
    session = stage.live.open_stream(FEED, stage.open("wanted").id, "cam-1")
    (still,) = film(sample_people[:1], 1)
    frames = [LiveFrame(still.data, START + timedelta(seconds=i / 5), i + 1) for i in range(14)]
    play(session, frames[:12])
    assert alerted(stage) == []
    image = ImageDraft(sample_people[0], "custody", "2025-06-01")
    stage.installation.watchlists.enrol(OFFICER, "wanted", SubjectDraft("N-0", "Wanted", lawfully_held=True), [image])
    play(session, frames[12:])
    assert alerted(stage) == ["N-0"]
    assert session.counts.faces_seen == 1


@pytest.mark.parametrize("way", ["expire", "retire"])
def test_a_list_stops_matching_at_once(stage: Stage, sample_people: People, way: str) -> None:
    """From the instant of its expiry or retirement a list matches nobody; faces are still counted."""
    stage.activate("wanted", [("N-0", sample_people[0])])
    stage.activate("missing", [("N-1", sample_people[1])])
    session = stage.live.open_stream(FEED, stage.open("wanted", "missing", hours=24.0 * 31).id, "cam-1")
    frames = film(sample_people[:2], 6)
    play(session, frames[:2])
    if way == "retire":
        stage.installation.watchlists.retire(OFFICER, "wanted", "over")
        found = ["N-1"]
    else:
        stage.clock.at = stage.installation.watchlists.get("missing").expires_at
        found = []
    play(session, frames[2:])
    assert alerted(stage) == found
    assert session.counts.faces_seen == 2


def test_who_matches_nobody_leaves_no_byte(
    stage: Stage, sample_people: People, engine: FaceEngine, tmp_path: Path
) -> None:
    """After a stream of strangers the data directory holds none of their bytes; planted ones are found."""
    stage.activate("wanted", [("N-0", sample_people[0])])
    session = stage.live.open_stream(FEED, stage.open("wanted").id, "cam-1")
    frames = film(sample_people[3:6], 5)
    traces: dict[str, bytes] = {}
    for frame in frames:
        analysis = engine.analyse(frame.data)
        templates = engine.embed(analysis.faces)
        traces[f"frame {frame.sequence}"] = frame.data
        for number, face in enumerate(analysis.faces):
            traces[f"crop {frame.sequence}.{number}"] = face.aligned.tobytes()
            traces[f"template {frame.sequence}.{number}"] = templates[number].tobytes()
            traces[f"float64 template {frame.sequence}.{number}"] = templates[number].astype(np.float64).tobytes()
    play(session, frames)
    session.finish("closed")
    assert session.counts == StreamCounts(5, 5, 0, 0, faces_seen=3, alerts=0)
    assert found_in(tmp_path, traces) == []
    (tmp_path / "data" / "planted").write_bytes(b"head" + traces["template 5.2"] + b"tail")
    assert found_in(tmp_path, traces) == ["template 5.2"]


def found_in(folder: Path, traces: dict[str, bytes]) -> list[str]:
    """Return which traces have any of several 64-byte pieces somewhere in the folder's files."""
    held = [path.read_bytes() for path in folder.rglob("*") if path.is_file()]
    assert held
    return [
        name
        for name, data in traces.items()
        if any(data[start : start + 64] in content for start in _starts(len(data)) for content in held)
    ]


def _starts(length: int) -> list[int]:
    """Return where pieces are taken: not the head of a JPEG, which is the same tables in every file."""
    return [length // 4, length // 2, 3 * length // 4, length - 64]
