"""The commands over a real service: a list from its definition, a deployment, searches, review and the log."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from frs.audit.checkpoints import CheckpointSigner
from frs.types import new_id
from frs.v1 import watchlist_pb2
from tests.journeys.conftest import Desk
from tests.journeys.pictures import empty_frame, frames
from tests.journeys.service import ROOT, Service, prepare
from tests.journeys.terminal import Terminal

pytestmark = pytest.mark.journey

AUTHORITY = (
    "--reason",
    "burglary",
    "--incident",
    "CR/26/0042",
    "--authorisation",
    "DI Osei",
    "--authorised-until",
    "1h",
)
OPENING = (
    "--purpose",
    "find wanted people",
    "--place",
    "Station Road",
    "--authorising-officer",
    "Supt",
    "--until",
    "1h",
)


@pytest.fixture(scope="module")
def terminal(service: Service) -> Terminal:
    return Terminal(service)


def write_definition(folder: Path, people: dict[str, bytes], **changes: Any) -> Path:
    """Write a definition with one picture for each nominal; returns its folder."""
    folder.mkdir(exist_ok=True)
    entries = []
    for number, (nominal, picture) in enumerate(people.items()):
        (folder / f"{number}.jpg").write_bytes(picture)
        image = {"path": f"{number}.jpg", "source": "custody", "taken_on": "2026-01-31"}
        entry = {"nominal": nominal, "justification": "warrant", "lawfully_held": True, "images": [image]}
        entries.append(entry)
    definition = {
        "purpose": "people wanted on warrant",
        "category": "wanted",
        "legal_basis": "common law",
        "authorising_officer": "Supt A. Ray",
        "expires": (datetime.now(UTC) + timedelta(days=1)).isoformat(timespec="seconds"),
        "thresholds": {mode: {"score": 0.955} for mode in ("live", "retrospective", "operator")},
        "entries": entries,
        **changes,
    }
    (folder / "watchlist.yaml").write_text(yaml.safe_dump(definition))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / f"list-{new_id()[:12]}"


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory, sample_people: tuple[bytes, ...]) -> Path:
    """Write a folder of frames on which the first and the fourth person walk by."""
    folder = tmp_path_factory.mktemp("recording")
    for number, data in enumerate(frames([sample_people[0], sample_people[3]], 12)):
        (folder / f"{number:03d}.jpg").write_bytes(data)
    return folder


# --- watchlists ---


def test_applying_a_definition_is_a_plan_a_person_confirms(
    terminal: Terminal, folder: Path, sample_people: Sequence[bytes]
) -> None:
    """No is no: nothing happens. Yes carries it out; applying it again has nothing to do."""
    write_definition(folder, {"N/1": sample_people[0], "N/2": sample_people[1]})
    declined = terminal.run("watchlist", "apply", str(folder), identity="manager", typed="n\n")
    assert declined.status == 1
    assert "+" in declined.out
    assert "N/1" in declined.out
    assert "WATCHLIST_NOT_FOUND" in terminal.run("watchlist", "show", folder.name, identity="manager").err
    confirmed = terminal.run("watchlist", "apply", str(folder), identity="manager", typed="y\n")
    assert confirmed.status == 0
    assert "3 done, 0 refused" in confirmed.out
    assert "plaintext pictures remain" in confirmed.err
    shown = terminal.ask("watchlist", "show", folder.name, identity="manager")
    assert {subject["nominal"] for subject in shown["subjects"]} == {"N/1", "N/2"}
    assert shown["state"] == "WATCHLIST_STATE_DRAFT"
    again = terminal.ask("watchlist", "apply", str(folder), identity="manager")
    assert (again["done"], again["refused"]) == ([], [])


def test_a_refused_picture_stops_no_other_and_stays(
    terminal: Terminal, folder: Path, sample_people: Sequence[bytes]
) -> None:
    """The entry is named with its reason, the status tells, and only enrolled pictures are removed."""
    write_definition(folder, {"N/1": sample_people[0], "N/2": empty_frame(), "N/3": sample_people[2]})
    ran = terminal.run("watchlist", "apply", str(folder), "--yes", "--remove-pictures", "--json", identity="manager")
    assert ran.status == 1
    assert [refusal["nominal"] for refusal in ran.json["refused"]] == ["N/2"]
    assert "NO_FACE" in ran.json["refused"][0]["why"]
    assert ran.json["done"] == [f"created watchlists/{folder.name}", "enrolled N/1", "enrolled N/3"]
    assert sorted(path.name for path in folder.glob("*.jpg")) == ["1.jpg"]


def test_a_changed_definition_adds_changes_and_withdraws(
    terminal: Terminal, folder: Path, sample_people: Sequence[bytes]
) -> None:
    """The plan names each; after it the server has what the file says, and the next plan is empty."""
    write_definition(folder, {"N/1": sample_people[0], "N/2": sample_people[1]})
    terminal.ask("watchlist", "apply", str(folder), "--yes", identity="manager")
    write_definition(folder, {"N/1": sample_people[0], "N/3": sample_people[2]}, purpose="people wanted in June")
    plan = terminal.run("watchlist", "apply", str(folder), "--yes", identity="manager")
    assert plan.status == 0, plan.err
    assert "people wanted on warrant -> people wanted in June" in plan.out
    shown = terminal.ask("watchlist", "show", folder.name, identity="manager")
    states = {subject["nominal"]: subject["state"] for subject in shown["subjects"]}
    assert states == {
        "N/1": "SUBJECT_STATE_ENROLLED",
        "N/2": "SUBJECT_STATE_WITHDRAWN",
        "N/3": "SUBJECT_STATE_ENROLLED",
    }
    assert shown["purpose"] == "people wanted in June"
    assert terminal.run("watchlist", "apply", str(folder), identity="manager").out.endswith("2 unchanged\n")


def test_a_wrong_definition_is_told_by_line(terminal: Terminal, folder: Path) -> None:
    """Every problem at once, without a server."""
    folder.mkdir()
    (folder / "watchlist.yaml").write_text("purpose: x\ncategory: wanted\nexpires: tomorrow\n")
    ran = terminal.run("watchlist", "apply", str(folder), identity="manager")
    assert ran.status == 2
    assert "watchlist.yaml:1:10: purpose must have 3 to 1000 characters" in ran.err
    assert "watchlist.yaml:3:10: expires must be an instant" in ran.err


def test_a_list_goes_through_its_states(terminal: Terminal, folder: Path, sample_people: Sequence[bytes]) -> None:
    """Approve, activate, review, enrol one more, withdraw by nominal, retire; each is shown in the listing."""
    write_definition(folder, {"N/1": sample_people[0]})
    terminal.ask("watchlist", "apply", str(folder), "--yes", identity="manager")
    for step, state in (("approve", "APPROVED"), ("activate", "ACTIVE"), ("review", "ACTIVE")):
        assert terminal.ask("watchlist", step, folder.name, identity="superintendent")["state"].endswith(state)
    extra = folder / "extra.jpg"
    extra.write_bytes(sample_people[4])
    person = ("--nominal", "N/9", "--justification", "warrant", "--source", "custody", "--taken-on", "2026-02-01")
    refused = terminal.run("watchlist", "enrol", folder.name, str(extra), *person, identity="manager")
    assert refused.status == 2
    assert "IMAGE_NOT_LAWFUL" in refused.err
    enrolled = terminal.ask(
        "watchlist", "enrol", folder.name, str(extra), *person, "--lawfully-held", "--grading", "green",
        identity="superintendent",
    )  # fmt: skip
    assert enrolled["subject"]["grading"] == "GRADING_GREEN"
    gone = terminal.ask(
        "watchlist", "withdraw", folder.name, "--nominal", "N/9", "--reason", "arrested", identity="superintendent"
    )
    assert (gone["name"], gone["state"]) == (enrolled["subject"]["name"], "SUBJECT_STATE_WITHDRAWN")
    unknown = terminal.run(
        "watchlist", "withdraw", folder.name, "--nominal", "N/9", "--reason", "again", identity="superintendent"
    )
    assert "SUBJECT_NOT_FOUND" in unknown.err
    terminal.ask("watchlist", "retire", folder.name, "--reason", "operation over", identity="superintendent")
    listed = terminal.run("watchlist", "list", identity="manager").out
    assert next(line for line in listed.splitlines() if folder.name in line).split()[1] == "retired"


def test_who_may_not_is_told_so(terminal: Terminal, wanted: watchlist_pb2.Watchlist) -> None:
    """The status is 4, and the advice is printed."""
    ran = terminal.run("watchlist", "approve", wanted.name, identity="camera")
    assert ran.status == 4
    assert "PERMISSION_DENIED" in ran.err
    assert "Ask an administrator" in ran.err


# --- live ---


def test_a_recording_raises_alerts_that_are_reviewed(
    terminal: Terminal, desk: Desk, sample_people: Sequence[bytes], recording: Path, tmp_path: Path
) -> None:
    """Deployment, feed, alert with both pictures, adjudication, engagement, counts, end: all through commands."""
    made = desk.active_list(sample_people[:3])
    terminal.ask("watchlist", "review", made.name, identity="superintendent")
    opened = terminal.ask("deployment", "open", made.name, *OPENING, identity="superintendent")
    name = opened["name"]
    report = terminal.ask("feed", str(recording), "--deployment", name, "--camera", "c1", identity="camera")
    assert (report["frames_sent"], report["frames_processed"], report["done"]) == (12, 12, True)
    assert len(report["alerts"]) == 1
    alert = report["alerts"][0].removeprefix("alerts/")
    (raised,) = terminal.ask("review", "alerts", "--deployment", name, identity="superintendent")
    assert (raised["name"], raised["candidate"]["nominal"]) == (f"alerts/{alert}", "NOM-0")
    shown = terminal.run("review", "alert", alert, "--out", str(tmp_path), identity="superintendent")
    assert shown.status == 0
    assert "Demonstration model" in shown.err
    for kind in ("probe", "reference"):
        picture = tmp_path / f"{alert}-{kind}.jpg"
        assert picture.read_bytes().startswith(b"\xff\xd8")
        assert picture.stat().st_mode & 0o077 == 0
    (case,) = terminal.ask("review", "list", "--deployment", name, identity="reviewer")
    decide(terminal, case["name"], tmp_path)
    engage(terminal, alert, name, tmp_path)
    assert terminal.ask("review", "list", "--deployment", name, identity="reviewer") == []
    (raised,) = terminal.ask("review", "alerts", "--state", "all", "--deployment", name, identity="superintendent")
    assert raised["state"] == "ALERT_STATE_CONFIRMED_TRUE"
    ended = terminal.ask("deployment", "end", name, "--reason", "done", identity="superintendent")
    assert ended["state"] == "DEPLOYMENT_STATE_ENDED"
    assert (ended["cameras"][0]["frames_processed"], ended["cameras"][0]["alerts"]) == (12, 1)
    late = terminal.run("feed", str(recording), "--deployment", name, "--camera", "c1", identity="camera")
    assert late.status == 1
    assert "DEPLOYMENT_ENDED" in late.err


def decide(terminal: Terminal, case: str, folder: Path) -> None:
    """Claim a case, say what is seen, decide: the score comes after the observation, and nobody decides twice."""
    claimed = terminal.ask("review", "claim", case, "--out", str(folder), identity="reviewer")
    assert (claimed["score_withheld"], claimed["candidates"][0]["score"]) == (True, 0.0)
    early = terminal.run("review", "decide", case, "true", "--reason", "same face", identity="reviewer")
    assert (early.status, "OBSERVATION_REQUIRED" in early.err) == (1, True)
    features = [part for each in ("nose", "ears", "mouth") for part in ("--feature", f"{each}=agrees")]
    seen = ("--probe-quality", "usable", "--reference-quality", "good")
    observed = terminal.ask("review", "observe", case, *features, *seen, identity="reviewer")
    assert observed["candidates"][0]["score"] > 0.9
    decided = terminal.ask("review", "decide", case, "true", "--reason", "same face", identity="reviewer")
    assert (decided["state"], decided["decision"]) == ("CASE_STATE_ADJUDICATED", "DECISION_TRUE")
    twice = terminal.run("review", "decide", case, "false", "--reason", "other", identity="reviewer")
    assert "CASE_CLOSED" in twice.err or "CASE_DECIDED" in twice.err


def engage(terminal: Terminal, alert: str, deployment: str, folder: Path) -> None:
    """Take the assignment, without a score, and say what came of it: once, and by nobody else."""
    (offered,) = terminal.ask("officer", "list", "--deployment", deployment, identity="officer")
    name = offered["name"].removeprefix("assignments/")
    assert (offered["alert"], offered["adjudication_reason"]) == (f"alerts/{alert}", "same face")
    assert not {"score", "threshold", "candidate"} & offered.keys()
    taken = terminal.run("officer", "take", name, "--out", str(folder), identity="officer")
    assert (taken.status, "same face" in taken.out, "Demonstration model" in taken.err) == (0, True, True)
    assert f"frs officer engage {name} confirmed-true | confirmed-false | not-engaged" in taken.out
    assert (folder / f"{name}-probe.jpg").stat().st_mode & 0o077 == 0
    late = terminal.run("officer", "take", name, identity="officer2")
    assert (late.status, "ASSIGNMENT_WRONG_STATE" in late.err) == (1, True)
    outcome = ("officer", "engage", name, "confirmed-true", "--note", "spoken to")
    assert "ASSIGNMENT_WRONG_STATE" in terminal.run(*outcome, identity="officer2").err
    engaged = terminal.ask(*outcome, identity="officer")
    assert (engaged["state"], engaged["engagement_note"]) == ("ASSIGNMENT_STATE_ENGAGED", "spoken to")
    listed = terminal.run("officer", "list", "--state", "engaged", "--deployment", deployment, identity="officer2")
    assert "NOM-0" in listed.out


def test_watching_tells_alerts_as_they_happen(
    terminal: Terminal, desk: Desk, sample_people: Sequence[bytes], recording: Path
) -> None:
    """A superintendent's terminal prints each change as one line of JSON with the position to resume after."""
    made = desk.active_list(sample_people[:1])
    deployment = desk.deployment(made.name)
    arguments = ["review", "watch", "--deployment", deployment.name, "--json", "--identity", "superintendent"]
    command = [sys.executable, "-m", "frs.cli.main", *arguments, "--data", str(terminal.service.data)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as watching:
        terminal.ask("feed", str(recording), "--deployment", deployment.name, "--camera", "c1", identity="camera")
        assert watching.stdout is not None
        change = json.loads(watching.stdout.readline())
        watching.send_signal(signal.SIGINT)
        assert watching.wait(20) == 130
    assert change["change"] == "ALERT_CHANGE_RAISED"
    assert change["position"] > 0
    assert change["alert"]["candidate"]["nominal"] == "NOM-0"


def test_a_feed_goes_on_over_a_restart_of_the_service(
    tmp_path: Path, models: Path, sample_people: Sequence[bytes], recording: Path
) -> None:
    """The service is stopped and started in the middle: the recording is played to its end and no frame is lost."""
    data = prepare(tmp_path / "data", models)
    with Service(data, models) as first:
        desk = Desk(first)
        made = desk.active_list(sample_people[:1])
        deployment = desk.deployment(made.name)
        address = first.address
        arguments = ["--deployment", deployment.name, "--camera", "c1", "--loop", "--max-frames", "60", "--json"]
        command = [sys.executable, "-m", "frs.cli.main", "feed", str(recording), *arguments, "--identity", "camera"]
        feeding = subprocess.Popen(
            [*command, "--data", str(data), "--address", address],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ,
        )  # fmt: skip
        assert feeding.stderr is not None
        assert feeding.stderr.readline().startswith("alerts/")  # it is under way
    with Service(data, models, "--address", address) as second:
        out, err = feeding.communicate(timeout=120)
        assert feeding.returncode == 0, err
        report = json.loads(out)
        listed = Terminal(second).ask("review", "alerts", "--state", "all", identity="superintendent")
    assert report["reconnections"] >= 1
    assert "connecting again" in err
    assert report["done"]
    # Frames that were processed but not yet acknowledged when the connection broke are sent, and counted, twice.
    assert report["frames_processed"] >= 60
    assert set(report["alerts"]) <= {alert["name"] for alert in listed}


def test_a_feed_ends_in_the_ordinary_way_at_sigterm(
    terminal: Terminal, desk: Desk, sample_people: Sequence[bytes], recording: Path
) -> None:
    """What was sent is processed and the summary printed, with success."""
    deployment = desk.deployment(desk.active_list(sample_people[:1]).name)
    arguments = ["--deployment", deployment.name, "--camera", "c1", "--loop", "--realtime", "--json"]
    command = [sys.executable, "-m", "frs.cli.main", "feed", str(recording), *arguments, "--identity", "camera"]
    with subprocess.Popen(
        [*command, "--data", str(terminal.service.data)], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True,
    ) as feeding:  # fmt: skip
        assert feeding.stderr is not None
        assert feeding.stderr.readline().startswith("alerts/")
        time.sleep(0.3)
        feeding.terminate()
        out, _ = feeding.communicate(timeout=60)
        assert feeding.returncode == 0
    report = json.loads(out)
    assert report["done"]
    assert report["frames_processed"] + report["frames_dropped"] == report["frames_sent"] > 0


def test_a_recording_that_cannot_be_read_is_an_error(
    terminal: Terminal, desk: Desk, wanted: watchlist_pb2.Watchlist, tmp_path: Path
) -> None:
    """Not an empty success."""
    deployment = desk.deployment(wanted.name)
    film = tmp_path / "clip.mp4"
    film.write_bytes(b"no video" * 1000)
    ran = terminal.run("feed", str(film), "--deployment", deployment.name, "--camera", "c1", identity="camera")
    assert ran.status == 2
    assert "VIDEO_UNREADABLE" in ran.err


# --- searches ---


def test_stills_and_folders_are_searched_as_one_job(
    terminal: Terminal, wanted: watchlist_pb2.Watchlist, sample_people: Sequence[bytes], tmp_path: Path
) -> None:
    """Upload, wait, subjects, results with crops; a picture that cannot be read is named and stops nothing."""
    media = tmp_path / "media"
    media.mkdir()
    for name, data in (("a.jpg", sample_people[0]), ("b.jpg", sample_people[4]), ("c.jpg", b"\xff\xd8 cut off")):
        (media / name).write_bytes(data)
    lists = ("--watchlist", wanted.name)
    ran = terminal.run("search", "submit", str(media), *lists, *AUTHORITY, identity="investigator")
    assert ran.status == 0, ran.err
    assert "c.jpg was not searched" in ran.err
    row = next(line for line in ran.out.splitlines() if line.lstrip().startswith("a.jpg"))
    assert "NOM-0" in row
    job = terminal.ask("search", "jobs", identity="investigator")[0]
    assert (job["state"], job["probes_matched"]) == ("JOB_STATE_DONE", 1)
    name = job["name"].removeprefix("jobs/")
    assert terminal.ask("search", "show", name, identity="investigator")["progress"] == 1
    subjects = terminal.ask("search", "subjects", name, identity="investigator")
    assert [subject["nominal"] for subject in subjects] == ["NOM-0"]
    results = terminal.ask("search", "results", name, "--out", str(tmp_path / "crops"), identity="investigator")
    assert [result["file_name"] for result in results] == ["a.jpg"]
    assert (tmp_path / "crops" / "000-0001.jpg").read_bytes().startswith(b"\xff\xd8")
    over = terminal.run("search", "cancel", name, identity="investigator")
    assert "JOB_FINISHED" in over.err


def test_a_refused_job_leaves_no_upload_behind(
    terminal: Terminal, sample_people: Sequence[bytes], tmp_path: Path
) -> None:
    """Media of a search that may not be made is destroyed at once, not a day later."""
    picture = tmp_path / "a.jpg"
    picture.write_bytes(sample_people[0])
    before = terminal.ask("audit", "list", "--action", "upload.destroyed", "--limit", "0", identity="oversight")
    ran = terminal.run("search", "submit", str(picture), "--watchlist", "nothing", *AUTHORITY, identity="investigator")
    assert "WATCHLIST_NOT_FOUND" in ran.err
    after = terminal.ask("audit", "list", "--action", "upload.destroyed", "--limit", "0", identity="oversight")
    assert len(after) == len(before) + 1


def test_one_picture_is_searched_at_once(
    terminal: Terminal, wanted: watchlist_pb2.Watchlist, sample_people: Sequence[bytes], tmp_path: Path
) -> None:
    """Candidates in a table; an expired authorisation is refused."""
    picture = tmp_path / "a.jpg"
    picture.write_bytes(sample_people[1])
    found = terminal.run(
        "search", "still", str(picture), "--watchlist", wanted.name, *AUTHORITY, identity="investigator"
    )
    assert "NOM-1" in found.out
    expired = (*AUTHORITY[:-1], "2020-01-01T00:00:00Z")
    ran = terminal.run("search", "still", str(picture), "--watchlist", wanted.name, *expired, identity="investigator")
    assert "AUTHORISATION_EXPIRED" in ran.err


def test_an_officer_identifies_and_owes_an_outcome(
    terminal: Terminal, wanted: watchlist_pb2.Watchlist, sample_people: Sequence[bytes], tmp_path: Path
) -> None:
    """``frs identify PHOTO``: a match is owed an outcome until it is recorded; a stranger is an explicit no match."""
    asked = ("--reason", "gave no name", "--power", "PACE s.24", "--device", "phone-7", "--watchlist", wanted.name)
    photograph = tmp_path / "photo.jpg"
    photograph.write_bytes(sample_people[2])
    matched = terminal.run("identify", str(photograph), *asked, identity="officer2")
    assert matched.status == 0, matched.err
    assert "NOM-2" in matched.out
    assert "Outcomes you owe" in matched.out
    owed = terminal.ask("identify", "--owed", identity="officer2")
    search = owed[0]["name"]
    terminal.ask("identify", "outcome", search, "same", "--reason", "passport", identity="officer2")
    assert search not in {s["name"] for s in terminal.ask("identify", "--owed", identity="officer2")}
    photograph.write_bytes(sample_people[5])
    stranger = terminal.run("identify", str(photograph), *asked, identity="officer2")
    assert stranger.out.startswith("No match.")


# --- the log ---


def test_the_log_is_listed_shown_and_verified(
    terminal: Terminal, wanted: watchlist_pb2.Watchlist, tmp_path: Path
) -> None:
    """Filters, an event with its payload, then the whole tree, by the verifier's key; the next continues the first."""
    key = tmp_path / "log.vkey"
    key.write_bytes((terminal.service.data / "log.vkey").read_bytes())
    name = wanted.name.removeprefix("watchlists/")
    events = terminal.ask("audit", "list", "--watchlist", name, "--action", "subject", identity="oversight")
    assert {event["action"] for event in events} == {"subject.enrolled"}
    assert len(events) == 3
    shown = terminal.ask("audit", "show", str(events[0]["index"]), identity="oversight")
    assert shown["verified"]
    assert "manager" in json.dumps(shown["payload"])
    first = terminal.run("audit", "verify", "--key", str(key), identity="oversight")
    assert first.status == 0
    assert "no earlier checkpoint was kept" in first.out
    second = terminal.ask("audit", "verify", "--key", str(key), identity="oversight")
    assert second["verified"]
    assert second["earlier_checkpoint"].startswith("it continues the")


def test_a_log_signed_by_another_key_does_not_verify(terminal: Terminal, tmp_path: Path) -> None:
    """The verifier's own key decides, not what the server says of itself; the status is 5."""
    origin = (terminal.service.data / "log.vkey").read_text().partition("+")[0]
    key = tmp_path / "log.vkey"
    key.write_text(CheckpointSigner(origin, bytes(range(32)), tmp_path).vkey)
    verified = terminal.run("audit", "verify", "--key", str(key), identity="oversight")
    assert verified.status == 5
    assert "DOES NOT VERIFY" in verified.out
    assert not (tmp_path / "log.seen").exists()
    shown = terminal.run("audit", "show", "0", "--key", str(key), identity="oversight")
    assert shown.status == 5


def test_a_log_that_shrank_does_not_verify(terminal: Terminal, tmp_path: Path) -> None:
    """A checkpoint seen before for more events than the log has now is evidence."""
    key = tmp_path / "log.vkey"
    key.write_bytes((terminal.service.data / "log.vkey").read_bytes())
    assert terminal.run("audit", "verify", "--key", str(key), identity="oversight").status == 0
    seen = tmp_path / "log.seen"
    note = seen.read_text().splitlines()
    note[1] = str(int(note[1]) + 1000)
    seen.write_text("\n".join(note) + "\n")
    ran = terminal.run("audit", "verify", "--key", str(key), identity="oversight")
    assert ran.status == 5
    assert "DOES NOT VERIFY" in ran.out
