"""The demonstration's steps, each through the same commands that people use."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from frs.cli.demo.cast import Person, gather
from frs.cli.demo.clip import Presence, frames, scenes, write_clip
from frs.cli.demo.commands import Commands
from frs.cli.demo.deciding import People
from frs.cli.demo.pairs import PAIRS, write_pairs
from frs.cli.demo.sheet import write_sheet
from frs.cli.demo.summary import Summary
from frs.cli.demo.truth import who_is_shown
from frs.cli.output import say
from frs.clock import SystemClock
from frs.embed.decoding import encode_jpeg
from frs.embed.loading import load_engine
from frs.embed.shelf import Shelf
from frs.embed.starter import NAME as STARTER
from frs.embed.starter import ensure_starter
from frs.settings import EmbedSettings, Settings

LIST = "demonstration"
CAMERA = "high-street"
_CHECK_SECONDS = 15.0
_WHY = ("--reason", "robbery on the high street", "--incident", "DEMO-17", "--authorisation", "DEMO-AUTH-3")

_ASKED = ("--reason", "would not give a name", "--power", "PACE 1984 s64A", "--device", "handset-12")


class Story:
    """One run, from an empty folder to a summary."""

    def __init__(
        self, out: Path, data: Path, models: Path, threshold: float | None, seconds: float, *, quiet: bool
    ) -> None:
        """``threshold`` replaces the pack's live default; ``seconds`` is the length of a scene."""
        self._out = out
        self._data = data
        self._models = models
        self._threshold = threshold
        self._seconds = seconds
        self._quiet = quiet
        self._frs = Commands(data, models, quiet=quiet)
        self._summary = Summary()
        self._cast: list[Person] = []
        self._truth: list[list[Presence]] = []
        self._start = datetime.now(UTC).replace(microsecond=0)
        self._clip = out / "clip.mp4"
        self._deployment = ""

    def tell(self) -> Summary:
        """Do everything and return what came of it."""
        with self._step("set-up", "A fresh installation: model pack, authority, keys, identities"):
            self._set_up()
        with self._step("drawing", "Draw a clip of a moving camera: the six people and two passers-by"):
            self._draw()
        with self._step("server", "Start the service"):
            self._frs.start_server()
        with self._step("enrolment", "Enrol three of the six"):
            self._enrol()
        with self._step("pairs", "Known pairs, which will be mixed among the alerts to see whether people look"):
            self._load_pairs()
        with self._step("live", "Live: stream the clip into a deployment"):
            self._live()
        with self._step("review", "Review: two reviewers decide each alert, an officer goes to who they say it is"):
            self._review()
        with self._step("retrospective", "Retrospective: search a still and a short video of an incident"):
            self._retrospective()
        with self._step("operator", "Operator-initiated: one person who is listed, one who is not"):
            self._operator()
        with self._step("log", "Oversight: verify the log"):
            self._oversight()
        self._summary.drained = self._frs.stop_server()
        self._summary.write(self._out / "demo-summary.json")
        return self._summary

    def close(self) -> None:
        """End the server if it still runs."""
        self._frs.stop_server()

    @contextmanager
    def _step(self, name: str, title: str) -> Iterator[None]:
        if not self._quiet:
            say(f"\n{title}")
        begun = time.monotonic()
        yield
        self._summary.seconds[name] = round(time.monotonic() - begun, 1)

    def _set_up(self) -> None:
        self._models.mkdir(parents=True, exist_ok=True)
        ensure_starter(Shelf(self._models), SystemClock())
        self._frs.run("init", "--identities")

    def _draw(self) -> None:
        settings = Settings(
            data_dir=self._data, models_dir=str(self._models), embed=EmbedSettings(pack=STARTER, device="cpu")
        )
        engine = load_engine(settings)
        try:
            self._cast = gather(engine)
        finally:
            engine.close()
        self._truth = write_clip(self._clip, scenes(self._cast, self._seconds))
        self._summary.people_listed = sum(p.listed for p in self._cast)
        self._summary.strangers_shown = sum(not p.listed for p in self._cast)

    def _enrol(self) -> None:
        folder = self._out / "watchlist" / LIST
        folder.mkdir(parents=True, exist_ok=True)
        entries = []
        for number, person in enumerate(p for p in self._cast if p.listed):
            (folder / f"{number}.jpg").write_bytes(encode_jpeg(person.photograph(), 95))
            image = {"path": f"{number}.jpg", "source": "sample photograph", "taken_on": "2020-01-01"}
            entries.append(
                {
                    "nominal": person.nominal,
                    "justification": "listed for the demonstration",
                    "lawfully_held": True,
                    "images": [image],
                }
            )
        live = "default" if self._threshold is None else {"score": self._threshold}
        definition = {
            "purpose": "show the way of a face through the service",
            "category": "wanted",
            "legal_basis": "none: a demonstration with a published sample photograph",
            "authorising_officer": "superintendent",
            "expires": (self._start + timedelta(hours=12)).isoformat(),
            "thresholds": {"live": live, "retrospective": "default", "operator": "default"},
            "entries": entries,
        }
        (folder / "watchlist.yaml").write_text(yaml.safe_dump(definition, sort_keys=False))
        self._frs.run("watchlist", "apply", str(folder), "--yes", "--remove-pictures", identity="manager")
        self._frs.run("watchlist", "approve", LIST, identity="superintendent")
        self._frs.run("watchlist", "activate", LIST, identity="superintendent")
        self._frs.run("watchlist", "review", LIST, identity="superintendent")

    def _load_pairs(self) -> None:
        folder = self._data / "pairs"
        write_pairs(folder, self._cast)
        self._frs.run("vigilance", "load", str(folder), identity="superintendent")
        shutil.rmtree(folder)

    def _live(self) -> None:
        opened = self._frs.run(
            "deployment", "open", LIST, "--purpose", "find wanted people", "--place", "high street",
            "--authorising-officer", "superintendent", "--until", "2h", "--reviewers", "2",
            "--vigilance-rate", "1",
            identity="superintendent",
        )  # fmt: skip
        self._deployment = opened["name"]
        report = self._frs.run(
            "feed", str(self._clip), "--deployment", opened["name"], "--camera", CAMERA, "--fast",
            "--start", self._start.isoformat(), identity="camera",
        )  # fmt: skip
        self._await_checks()
        self._frs.run("deployment", "end", opened["name"], identity="superintendent")
        summary = self._summary
        summary.faces_seen, summary.frames = report["faces_seen"], report["frames_processed"]
        summary.frames_per_second = report["frames_per_second"]
        faces = sum(len(present) for present in self._truth)
        summary.faces_per_second = round(faces / report["seconds"], 2)
        summary.model, summary.provider, summary.notice = report["model"], report["provider"], report["notice"]

    def _await_checks(self) -> None:
        """Let the known pairs enter the queue before the deployment ends: they come a while after the alerts."""
        deadline = time.monotonic() + _CHECK_SECONDS
        while time.monotonic() < deadline:
            listed = self._frs.run("review", "list", "--deployment", self._deployment, identity="reviewer")
            shown = [case["candidates"][0]["nominal"] in PAIRS for case in listed]
            if sum(shown) >= min(len(PAIRS), len(shown) - sum(shown)):  # one for each alert, while there are pairs
                return
            time.sleep(0.5)

    def _review(self) -> None:
        people = People(self._frs, self._summary, self._out, self._data)
        people.review(self._deployment, lambda shown: who_is_shown(shown, self._clip, self._start, self._truth))
        people.engage()
        nominals = {line.nominal for line in self._summary.alerts if line.right}
        for person in (p for p in self._cast if p.listed):
            (self._summary.found if person.nominal in nominals else self._summary.missed).append(person.nominal)
        write_sheet(self._out / "contact-sheet.png", self._summary.alerts, people.pictures)

    def _retrospective(self) -> None:
        script = scenes(self._cast, self._seconds)
        still = self._data / "still.jpg"
        picture, _ = next(frames([script[-1]]))
        still.write_bytes(encode_jpeg(picture, 90))
        video = self._data / "incident.mp4"
        write_clip(video, script[:1])
        on = ("--watchlist", LIST, *_WHY, "--authorised-until", "8h")
        self._frs.run("search", "still", str(still), *on, identity="investigator")
        job = self._frs.run("search", "submit", str(still), str(video), *on, identity="investigator")
        subjects = self._frs.run("search", "subjects", job["name"], identity="investigator")
        self._summary.retrospective_found = sorted({subject["nominal"] for subject in subjects})
        waiting = self._frs.run("review", "list", "--kind", "candidates", identity="reviewer")
        self._summary.lists_waiting = len(waiting)

    def _operator(self) -> None:
        listed = next(p for p in self._cast if p.listed)
        stranger = next(p for p in self._cast if not p.listed)
        answers = []
        for person in (listed, stranger):
            photograph = self._data / "handset.jpg"
            photograph.write_bytes(encode_jpeg(person.photograph(), 85))
            answers.append(self._frs.run("identify", str(photograph), *_ASKED, identity="officer"))
        matched, other = answers
        self._summary.operator_match = matched["candidates"][0]["nominal"] if matched["matched"] else ""
        self._summary.operator_stranger_matched = bool(other["matched"])
        for answer in answers:
            if answer["outcome_owed"]:
                outcome = "same" if answer is matched else "not-same"
                recorded = (answer["search"], outcome, "--reason", "documents")
                self._frs.run("identify", "outcome", *recorded, identity="officer")

    def _oversight(self) -> None:
        figures = self._frs.run("report", "--since", "1h", identity="oversight")["vigilance"]
        self._summary.vigilance = {each["reviewer"]: _hits_and_accepts(each) for each in figures}
        report = self._frs.run("audit", "verify", identity="oversight", accept=(0, 5))
        self._summary.events = report["events"]
        self._summary.log_verified = report["verified"]
        self._summary.log_problems = report["problems"]


def _hits_and_accepts(figures: dict[str, Any]) -> str:
    hits, accepts = figures["hits"], figures["false_accepts"]
    recognised = f"recognised {hits['numerator']} of {hits['denominator']} pairs of one person"
    return f"{recognised}, took {accepts['numerator']} of {accepts['denominator']} pairs of two for one"
