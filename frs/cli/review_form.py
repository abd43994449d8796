"""The structured form of what a reviewer sees, a keystroke for each answer, before the score is shown.

Feature by feature as facial comparison does it; a feature may be left out, and every answer changed until the form is
recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rich.text import Text

from frs.cli.keystrokes import ENTER
from frs.cli.output import short
from frs.v1 import review_pb2 as pb

Ask = Callable[[str, Mapping[str, str], Callable[[], Sequence[Text]]], str]
"""Asks a question with choices under a panel, and returns the key chosen."""

_FEATURES = [number for number in pb.Feature.values() if number]
_FINDINGS = {"a": pb.FINDING_AGREES, "d": pb.FINDING_DIFFERS, "v": pb.FINDING_NOT_VISIBLE}
_MARKS: dict[int, tuple[str, str]] = {
    pb.FINDING_AGREES: ("=", "green"),
    pb.FINDING_DIFFERS: ("\u2260", "red"),
    pb.FINDING_NOT_VISIBLE: ("-", "dim"),
}
_QUALITIES = {"g": pb.SEEN_QUALITY_GOOD, "u": pb.SEEN_QUALITY_USABLE, "p": pb.SEEN_QUALITY_POOR}
_OCCLUSIONS = {
    str(digit): number
    for digit, number in enumerate((each for each in pb.Occlusion.values() if each > pb.OCCLUSION_NONE), 1)
}
_BACK = {"b": "back"}
_COLUMN = 25


class Form:
    """One reviewer's observation of one case while it is being filled in."""

    def __init__(self, probe: str) -> None:
        """``probe`` says what is compared with the reference: the camera's picture, or that of a file."""
        self._probe = probe
        self._features: dict[int, int] = {}
        self._qualities: dict[str, int] = {}
        self._hidden: set[int] = set()
        self._note = ""

    def fill(self, ask: Ask, line: Callable[[str], str]) -> pb.Observation:
        """Ask everything, from the first question; returns what is to be recorded."""
        steps: list[Callable[[], bool]] = [self._feature_step(ask, feature) for feature in _FEATURES]
        steps.append(lambda: self._quality(ask, "probe", f"How good is {self._probe}?"))
        steps.append(lambda: self._quality(ask, "reference", "How good is the reference?"))
        steps.append(lambda: self._occlusions(ask))
        steps.append(lambda: self._end(ask, line))
        at = 0
        while at < len(steps):
            at = at + 1 if steps[at]() else max(0, at - 1)
        return self.observation()

    def observation(self) -> pb.Observation:
        """Return what has been answered."""
        return pb.Observation(
            features=[
                pb.FeatureFinding(feature=feature, finding=self._features[feature])  # type: ignore[arg-type]
                for feature in _FEATURES
                if feature in self._features
            ],
            probe_quality=self._qualities.get("probe"),  # type: ignore[arg-type]
            reference_quality=self._qualities.get("reference"),  # type: ignore[arg-type]
            occlusions=sorted(self._hidden) or [pb.OCCLUSION_NONE],  # type: ignore[arg-type]
            note=self._note,
        )

    def panel(self) -> list[Text]:
        """Return the form as far as it is filled in, four lines."""
        lines = []
        for row in range(0, len(_FEATURES), 3):
            text = Text("  ")
            for feature in _FEATURES[row : row + 3]:
                mark, style = _MARKS.get(self._features.get(feature, 0), ("\u00b7", ""))
                name = short(pb.Feature.Name(feature))
                text.append(f"{mark} {name}".ljust(_COLUMN), style)
            lines.append(text)
        told = [f"{what} {_quality_word(number)}" for what, number in self._qualities.items()]
        if self._hidden:
            told.append("hidden by " + ", ".join(map(_occlusion_word, sorted(self._hidden))))
        lines.append(Text("  " + "; ".join(told), "dim"))
        return lines

    def _feature_step(self, ask: Ask, feature: pb.Feature.ValueType) -> Callable[[], bool]:
        def step() -> bool:
            name = short(pb.Feature.Name(feature))
            number = _FEATURES.index(feature) + 1
            leave = "keep" if feature in self._features else "leave out"
            words = {key: short(pb.Finding.Name(finding)) for key, finding in _FINDINGS.items()}
            chosen = ask(f"{number}/{len(_FEATURES)} {name}", {**words, ENTER: leave, **_BACK}, self.panel)
            if chosen in _FINDINGS:
                self._features[feature] = _FINDINGS[chosen]
            return chosen != "b"

        return step

    def _quality(self, ask: Ask, what: str, question: str) -> bool:
        words = {key: _quality_word(number) for key, number in _QUALITIES.items()}
        chosen = ask(question, {**words, **_BACK}, self.panel)
        if chosen in _QUALITIES:
            self._qualities[what] = _QUALITIES[chosen]
        return chosen != "b"

    def _occlusions(self, ask: Ask) -> bool:
        while True:
            words = {key: _occlusion_word(number) for key, number in _OCCLUSIONS.items()}
            done = "that is all" if self._hidden else "nothing"
            chosen = ask(f"What hides parts of the face in {self._probe}?", {**words, ENTER: done, **_BACK}, self.panel)
            if chosen not in _OCCLUSIONS:
                return chosen != "b"
            self._hidden ^= {_OCCLUSIONS[chosen]}

    def _end(self, ask: Ask, line: Callable[[str], str]) -> bool:
        while True:
            words = {ENTER: "record it, once and for all", "n": "add a note", **_BACK}
            chosen = ask("What you see is recorded before the score is shown.", words, self.panel)
            if chosen != "n":
                return chosen != "b"
            self._note = line("Note:")


def _quality_word(number: int) -> str:
    return short(pb.SeenQuality.Name(number))  # type: ignore[arg-type]


def _occlusion_word(number: int) -> str:
    return short(pb.Occlusion.Name(number))  # type: ignore[arg-type]
