"""Watchlist definitions as files: ``watchlists/NAME/watchlist.yaml`` beside its pictures.

A definition is read by people before it is read by the service, so every problem is told at once, each with its line
and column. Hostile files are expected: aliases and tags are refused (no expansion bombs), size and depth are
limited, and picture paths must stay inside the folder. The folder's name is the watchlist's: it enters the permanent
log in clear, so it must not contain a person's name. Raises :class:`DefinitionError`, a
``WATCHLIST_FILE_INVALID`` error that carries the problems.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path, PurePosixPath

from frs.errors import FrsError, Reason
from frs.types import Mode
from frs.watchlist.yaml_reading import Node, Problem, read_document

FILE_NAME = "watchlist.yaml"
MAX_BYTES = 8 * 1024 * 1024
GRADINGS = ("red", "amber", "green")
_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}")
_FIELDS = {
    "purpose", "category", "legal_basis", "authorising_officer", "expires", "grading", "thresholds", "entries",
}  # fmt: skip
_ENTRY_FIELDS = {"nominal", "justification", "lawfully_held", "grading", "under_18", "under_18_rationale", "images"}
_IMAGE_FIELDS = {"path", "source", "taken_on"}
_THRESHOLD_FIELDS = {"score", "model", "profile"}


@dataclass(frozen=True, slots=True)
class ThresholdLine:
    """A threshold as the file gives it; ``score`` None asks for the pack's default."""

    mode: Mode
    score: float | None
    model: str
    profile: str


@dataclass(frozen=True, slots=True)
class ImageLine:
    """One picture of an entry."""

    path: str
    """Relative to the definition's folder, with forward slashes."""
    source: str
    taken_on: date


@dataclass(frozen=True, slots=True)
class EntryLine:
    """One person."""

    nominal: str
    justification: str
    lawfully_held: bool
    grading: str
    under_18: bool
    under_18_rationale: str
    images: tuple[ImageLine, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Definition:
    """A whole definition."""

    name: str
    purpose: str
    category: str
    legal_basis: str
    authorising_officer: str
    expires: datetime
    grading: str
    thresholds: tuple[ThresholdLine, ...]
    entries: tuple[EntryLine, ...]


class DefinitionError(FrsError):
    """The file cannot be used; ``problems`` are in the order of their lines."""

    def __init__(self, path: str, problems: list[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.line, p.column)))
        lines = "\n".join(f"{path}:{p.line}:{p.column}: {p.message}" for p in self.problems)
        super().__init__(Reason.WATCHLIST_FILE_INVALID, lines)


def read_definition(folder: Path) -> Definition:
    """Read and validate ``folder/watchlist.yaml``; every picture named must be there."""
    path = folder / FILE_NAME
    if not path.is_file():
        raise DefinitionError(str(path), [Problem(1, 1, "the file does not exist")])
    if path.stat().st_size > MAX_BYTES:
        raise DefinitionError(str(path), [Problem(1, 1, f"the file is larger than {MAX_BYTES} bytes")])
    return parse_definition(folder.resolve().name, path.read_bytes(), str(path), folder)


def parse_definition(name: str, data: bytes, label: str, folder: Path | None = None) -> Definition:
    """Parse the bytes of a definition; with ``folder`` its pictures are looked for too."""
    problems: list[Problem] = []
    if not _NAME.fullmatch(name):
        problems.append(
            Problem(1, 1, f"the folder's name {name!r} must be lower-case letters, digits and hyphens, from a letter")
        )
    root = read_document(data, problems)
    definition = _Reader(problems, folder).definition(name, root) if root is not None else None
    if problems or definition is None:
        raise DefinitionError(label, problems)
    return definition


class _Reader:
    """Reads nodes into values and collects what is wrong with them."""

    def __init__(self, problems: list[Problem], folder: Path | None) -> None:
        self._problems = problems
        self._folder = folder

    def definition(self, name: str, root: Node) -> Definition | None:
        fields = root.mapping(self._problems, _FIELDS, "a watchlist")
        if fields is None:
            return None
        grading = self._choice(fields.get("grading"), GRADINGS, "amber")
        return Definition(
            name=name,
            purpose=self._text(root, fields, "purpose", 3, 1000),
            category=self._text(root, fields, "category", 1, 100),
            legal_basis=self._text(root, fields, "legal_basis", 3, 1000),
            authorising_officer=self._text(root, fields, "authorising_officer", 1, 200),
            expires=self._instant(root, fields),
            grading=grading,
            thresholds=self._thresholds(fields.get("thresholds")),
            entries=self._entries(fields.get("entries"), grading),
        )

    def _say(self, node: Node, message: str) -> None:
        self._problems.append(Problem(node.line, node.column, message))

    def _text(self, owner: Node, fields: dict[str, Node], key: str, least: int, most: int) -> str:
        node = fields.get(key)
        if node is None:
            self._say(owner, f"{key} is missing")
            return ""
        value = node.text(self._problems, key)
        if value is not None and not least <= len(value.strip()) <= most:
            self._say(node, f"{key} must have {least} to {most} characters")
        return (value or "").strip()

    def _flag(self, fields: dict[str, Node], key: str) -> bool:
        node = fields.get(key)
        if node is None:
            return False
        value = node.scalar
        if value not in {"true", "false"}:
            self._say(node, f"{key} must be true or false")
        return value == "true"

    def _choice(self, node: Node | None, choices: tuple[str, ...], default: str) -> str:
        if node is None:
            return default
        if node.scalar not in choices:
            self._say(node, f"must be one of {', '.join(choices)}")
            return default
        return str(node.scalar)

    def _instant(self, owner: Node, fields: dict[str, Node]) -> datetime:
        text = self._text(owner, fields, "expires", 1, 64)
        try:
            value = datetime.fromisoformat(text)
            if value.tzinfo is not None:
                return value.astimezone(UTC)
        except (ValueError, OverflowError):
            pass
        if "expires" in fields:
            self._say(fields["expires"], "expires must be an instant with a zone, for example 2027-01-31T18:00:00Z")
        return datetime.max.replace(tzinfo=UTC)

    def _thresholds(self, node: Node | None) -> tuple[ThresholdLine, ...]:
        modes = {str(m) for m in Mode}
        fields = node.mapping(self._problems, modes, "thresholds") if node is not None else None
        return tuple(self._threshold(Mode(key), value) for key, value in (fields or {}).items())

    def _threshold(self, mode: Mode, node: Node) -> ThresholdLine:
        if node.scalar == "default":
            return ThresholdLine(mode, None, "", "")
        fields = node.mapping(self._problems, _THRESHOLD_FIELDS, f"the {mode} threshold") or {}
        score_node = fields.get("score")
        score: float | None = None
        if score_node is None:
            self._say(node, f"the {mode} threshold must be default or give a score")
        else:
            try:
                score = float(score_node.scalar or "")
            except ValueError:
                score = None
            if score is None or not -1.0 < score <= 1.0:
                self._say(score_node, "score must be a number above -1 and at most 1")
        model, profile = fields.get("model"), fields.get("profile")
        return ThresholdLine(
            mode,
            score,
            (model.text(self._problems, "model") or "") if model else "",
            self._choice(profile, ("plain", "mirror"), ""),
        )

    def _entries(self, node: Node | None, grading: str) -> tuple[EntryLine, ...]:
        items = node.sequence(self._problems, "entries") if node is not None else None
        entries = [self._entry(item, grading) for item in items or []]
        seen: dict[str, int] = {}
        for item, entry in zip(items or [], entries, strict=True):
            if entry.nominal and entry.nominal in seen:
                self._say(item, f"nominal {entry.nominal} stands at line {seen[entry.nominal]} already")
            seen.setdefault(entry.nominal, entry.line)
        return tuple(entries)

    def _entry(self, node: Node, grading: str) -> EntryLine:
        fields = node.mapping(self._problems, _ENTRY_FIELDS, "an entry") or {}
        lawful, under_18 = self._flag(fields, "lawfully_held"), self._flag(fields, "under_18")
        if fields and not lawful:
            self._say(fields.get("lawfully_held", node), "lawfully_held must be stated, and true")
        rationale = ""
        if under_18 or "under_18_rationale" in fields:
            rationale = self._text(node, fields, "under_18_rationale", 3, 2000)
        images = fields.get("images")
        nodes = images.sequence(self._problems, "images") or () if images else ()
        pictures = tuple(self._image(image) for image in nodes)
        for place, picture in enumerate(pictures):
            if picture.path and picture.path in {other.path for other in pictures[:place]}:
                self._say(nodes[place], f"{picture.path} stands twice")
        if fields and not pictures:
            self._say(images or node, "an entry needs at least one image")
        return EntryLine(
            nominal=self._text(node, fields, "nominal", 1, 100),
            justification=self._text(node, fields, "justification", 3, 2000),
            lawfully_held=lawful,
            grading=self._choice(fields.get("grading"), GRADINGS, grading),
            under_18=under_18,
            under_18_rationale=rationale,
            images=pictures,
            line=node.line,
        )

    def _image(self, node: Node) -> ImageLine:
        fields = node.mapping(self._problems, _IMAGE_FIELDS, "an image") or {}
        path = self._text(node, fields, "path", 1, 500)
        if path:
            self._look_for(fields["path"], path)
        taken = self._text(node, fields, "taken_on", 1, 20)
        try:
            day = date.fromisoformat(taken)
        except ValueError:
            day = date.min
            if "taken_on" in fields:
                self._say(fields["taken_on"], "taken_on must be a date, for example 2026-03-31")
        return ImageLine(path=path, source=self._text(node, fields, "source", 1, 200), taken_on=day)

    def _look_for(self, node: Node, path: str) -> None:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts or "\x00" in path:
            self._say(node, "the picture must lie inside the watchlist's folder")
            return
        if self._folder is None:
            return
        try:
            file = (self._folder / path).resolve()
            inside, there = file.is_relative_to(self._folder.resolve()), file.is_file()
        except (OSError, RuntimeError, ValueError):  # too long a name, a loop of links, a name that is no text
            inside, there = True, False
        if not inside:
            self._say(node, "the picture must lie inside the watchlist's folder")
        elif not there:
            self._say(node, f"{path} is not there")
