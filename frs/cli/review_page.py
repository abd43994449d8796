"""One case on a reviewer's terminal: what it is, its faces beside each other, and after the observation its score."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.text import Text

from frs.cli.case_view import write_pictures
from frs.cli.output import short, when, write_private
from frs.cli.review_screen import Screen
from frs.cli.terminal_pictures import Look, beside, drawn
from frs.errors import FrsError
from frs.v1 import common_pb2 as common
from frs.v1 import review_pb2 as pb

_BESIDE = 4
_SHORT = 8  # of an id, where a line must fit
_STYLES = {common.GRADING_RED: "bold white on red", common.GRADING_AMBER: "black on yellow"}


class Page:
    """Shows a case. Its candidates keep the numbers that they had when they were first shown, whatever they score."""

    def __init__(
        self, screen: Screen, look: Look, folder: Path, case: pb.Case, waiting: int = 0, decided: int = 0
    ) -> None:
        """Write the pictures into ``folder``; ``waiting`` cases wait behind this one, ``decided`` are done."""
        self._screen, self._look, self._folder = screen, look, folder
        self.case, self._waiting, self._decided = case, waiting, decided
        self.files = write_pictures(case, folder)

    @property
    def of_alert(self) -> bool:
        """Whether it proposes one person."""
        return self.case.kind == pb.CASE_KIND_ALERT

    @property
    def probe_name(self) -> str:
        """What the picture that is compared is called."""
        return "the camera's picture" if self.of_alert else "the picture"

    def show(self) -> None:
        """Begin a page: what it is about and the faces; nothing of a score."""
        self._screen.begin(self._header())
        self.show_faces()

    def show_faces(self) -> None:
        """Draw the faces, the reference of each candidate by its number, or name the files."""
        references = [each.reference_image_jpeg for each in self.case.candidates]
        for start in range(0, max(1, len(references)), _BESIDE):
            shown = [each for each in references[start : start + _BESIDE] if each]
            self._draw([self.case.probe_image_jpeg, *shown], self._screen.picture_rows)
        if self._look is Look.FILES:
            for path in self.files:
                self._screen.say(f"  {path}", "dim")

    def show_frame(self) -> None:
        """Draw the whole frame, in which everybody else is blurred."""
        if not self.case.frame_image_jpeg:
            self._screen.say("No frame was kept for this case.")
        elif self._look is Look.FILES:
            self._screen.say(next(f"  {path}" for path in self.files if path.stem.endswith("-frame")))
        else:
            self._draw([self.case.frame_image_jpeg], self._screen.picture_rows + 4)

    def show_map(self, png: bytes) -> None:
        """Draw the map of what drives the similarity, or name its file."""
        path = self._folder / f"{self.case.name.removeprefix('cases/')}-map.png"
        write_private(path, png)
        self._screen.say("The face, the reference, and the regions of each that drive the similarity:")
        if self._look is Look.FILES:
            self._screen.say(f"  {path}")
        self._draw([png], self._screen.picture_rows)

    def _draw(self, pictures: Sequence[bytes], rows: int) -> None:
        given = [each for each in pictures if each]
        if self._look is Look.FILES or not given:
            return
        try:
            self._screen.draw_raw(drawn(beside(given, self._screen.columns - 1, rows), self._look))
        except FrsError as error:  # a picture that cannot be drawn is still a file
            self._screen.say(f"The pictures cannot be drawn: {error.message}")

    def _header(self) -> list[Text]:
        case = self.case
        grading = Text(f" {short(common.Grading.Name(case.grading)).upper()} ", _STYLES.get(case.grading, "reverse"))
        place = f"{case.camera_id} in {self._name(case.deployment or case.job)}"
        head = Text.assemble(grading, f" {self._name(case.name)}  {place}  {when(case.capture_time)}")
        behind = f"{self._waiting} more wait" if self._waiting else "nothing else waits"
        told = [f"reviewer {case.decisions_made + 1} of {case.reviewers_needed}", behind]
        if case.escalations:
            told.insert(0, "ESCALATED")
        if self._decided:
            told.append(f"{self._decided} decided")
        if case.HasField("expire_time"):
            left = (case.expire_time.ToDatetime(UTC) - datetime.now(UTC)).total_seconds()
            told.append(f"stale in {max(0, int(left)) // 60} min")
        lines = [head, Text("  " + " | ".join(told), "dim")]
        if self.of_alert:
            lines.append(Text(f"  Is this {self._whom(case.candidates[0])}? Camera left, reference right."))
        else:
            lines.append(Text(f"  {case.camera_id}: who is this? The picture left, then the candidates:"))
            lines += [Text(f"  {number} {self._whom(each)}") for number, each in enumerate(case.candidates, 1)]
        return lines

    def _name(self, resource: str) -> str:
        """Return a resource name, its id cut where lines must fit."""
        collection, _, given = resource.partition("/")
        return f"{collection}/{given[:_SHORT]}" if self._screen.in_place else resource

    def _whom(self, candidate: common.Candidate) -> str:
        return f"{candidate.nominal} of {candidate.watchlist.removeprefix('watchlists/')}"

    def show_scores(self, observed: pb.Case) -> None:
        """Print what the system made of it; ``observed`` is the case as the service shows it now."""
        scores = {(each.subject, each.reference_image): each for each in observed.candidates}
        for number, before in enumerate(self.case.candidates, 1):
            each = scores.get((before.subject, before.reference_image))
            if each is not None:
                who = each.nominal if self.of_alert else f"{number} {each.nominal}"
                self._screen.say(f"  {who}: {_score(each)}", "bold")


def _score(candidate: common.Candidate) -> str:
    told = f"score {candidate.score:.3f}, threshold {candidate.threshold:.3f}"
    if candidate.HasField("margin"):
        told += f", {candidate.margin:.3f} above the next person"
    return f"{told}, {candidate.frames} frame{'s' if candidate.frames != 1 else ''}"
