"""What applying a definition would do: a comparison of a file with the server's present state, for a person to confirm.

Pure functions over plain values; the caller reads the state and carries the plan out. Order matters when it is carried
out: removals first, then changes, then additions, so that a nominal that is withdrawn and listed anew is legal.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC

from frs.watchlist.definition import Definition, EntryLine, ImageLine


@dataclass(frozen=True, slots=True)
class PresentImage:
    """An enrolled picture: its resource name and the SHA-256 of its bytes."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class PresentSubject:
    """An enrolled subject as the server has it."""

    name: str
    nominal: str
    justification: str
    grading: str
    under_18: bool
    under_18_rationale: str
    images: tuple[PresentImage, ...]


@dataclass(frozen=True, slots=True)
class PresentWatchlist:
    """The list as the server has it; field values are the texts a definition would give."""

    fields: Mapping[str, str]
    subjects: tuple[PresentSubject, ...]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field of the definition that changes."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class SubjectChange:
    """What changes for a subject that stays."""

    subject: PresentSubject
    entry: EntryLine
    added: tuple[ImageLine, ...]
    removed: tuple[PresentImage, ...]
    reenrol: tuple[str, ...]
    """Fields that differ; they are part of the entry's justification, so the subject is withdrawn and enrolled anew."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that applying would do."""

    creates: bool
    fields: tuple[FieldChange, ...]
    added: tuple[EntryLine, ...]
    changed: tuple[SubjectChange, ...]
    removed: tuple[PresentSubject, ...]
    unchanged: int

    @property
    def empty(self) -> bool:
        """Whether nothing would happen."""
        return not (self.creates or self.fields or self.added or self.changed or self.removed)


def definition_fields(definition: Definition) -> dict[str, str]:
    """Return the fields of a definition as texts that compare with :attr:`PresentWatchlist.fields`.

    A threshold reads ``score model profile``; ``default`` stands for the pack's own, and a part that the file leaves
    open is empty.
    """
    fields = {
        "purpose": definition.purpose,
        "category": definition.category,
        "legal_basis": definition.legal_basis,
        "authorising_officer": definition.authorising_officer,
        "expires": definition.expires.astimezone(UTC).isoformat(timespec="seconds"),
        "grading": definition.grading,
    }
    for line in definition.thresholds:
        score = "default" if line.score is None else f"{line.score:.6f}"
        fields[f"threshold.{line.mode}"] = f"{score} {line.model} {line.profile}".strip()
    return fields


def make_plan(definition: Definition, sha256: Mapping[str, str], present: PresentWatchlist | None) -> Plan:
    """Compare. ``sha256`` gives each picture's digest by its path; ``present`` is None when the list is new."""
    if present is None:
        return Plan(True, (), definition.entries, (), (), 0)
    wanted = definition_fields(definition)
    fields = tuple(
        FieldChange(key, present.fields.get(key, ""), value)
        for key, value in wanted.items()
        if not _same(key, present.fields.get(key, ""), value)
    )
    by_nominal = {subject.nominal: subject for subject in present.subjects}
    listed = {entry.nominal for entry in definition.entries}
    changed = []
    unchanged = 0
    for entry in definition.entries:
        subject = by_nominal.get(entry.nominal)
        if subject is None:
            continue
        change = _compare(entry, subject, sha256)
        if change is None:
            unchanged += 1
        else:
            changed.append(change)
    return Plan(
        creates=False,
        fields=fields,
        added=tuple(entry for entry in definition.entries if entry.nominal not in by_nominal),
        changed=tuple(changed),
        removed=tuple(subject for subject in present.subjects if subject.nominal not in listed),
        unchanged=unchanged,
    )


def _same(key: str, before: str, after: str) -> bool:
    """Compare two fields; a threshold that leaves model or profile open agrees with what the server filled in."""
    if not key.startswith("threshold."):
        return before == after
    return before == after or before.split(" ")[: len(after.split(" "))] == after.split(" ")


def _compare(entry: EntryLine, subject: PresentSubject, sha256: Mapping[str, str]) -> SubjectChange | None:
    held = {image.sha256: image for image in subject.images}
    wanted = {sha256[image.path]: image for image in entry.images}
    added = tuple(image for digest, image in wanted.items() if digest not in held)
    removed = tuple(image for digest, image in held.items() if digest not in wanted)
    differs = tuple(
        name
        for name, before, after in (
            ("justification", subject.justification, entry.justification),
            ("grading", subject.grading, entry.grading),
            ("under_18", subject.under_18, entry.under_18),
            ("under_18_rationale", subject.under_18_rationale, entry.under_18_rationale),
        )
        if before != after
    )
    if not (added or removed or differs):
        return None
    return SubjectChange(subject, entry, added, removed, differs)
