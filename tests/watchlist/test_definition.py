"""Watchlist files: every problem with its line, nothing hostile gets through."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frs.errors import FrsError, Reason
from frs.types import Mode
from frs.watchlist.definition import DefinitionError, parse_definition, read_definition

GOOD = """\
purpose: find people wanted on warrant
category: wanted
legal_basis: common law; PACE
authorising_officer: Supt A
expires: 2027-01-31T18:00:00Z
grading: amber
thresholds:
  live: {score: 0.5, model: dev-pack@0123456789ab, profile: plain}
  operator: default
entries:
  - nominal: N1
    justification: warrant 12
    lawfully_held: true
    images:
      - {path: a.jpg, source: custody, taken_on: 2026-01-02}
  - nominal: N2
    justification: missing child
    grading: red
    under_18: true
    under_18_rationale: missing, aged 9
    lawfully_held: true
    images:
      - {path: b/c.jpg, source: family, taken_on: 2026-05-06}
"""


def problems(text: str, name: str = "list-a") -> list[tuple[int, str]]:
    """Return (line, message) of what is wrong with a definition."""
    with pytest.raises(DefinitionError) as caught:
        parse_definition(name, text.encode(), "watchlist.yaml")
    assert caught.value.reason is Reason.WATCHLIST_FILE_INVALID
    return [(p.line, p.message) for p in caught.value.problems]


def test_a_whole_definition_is_read() -> None:
    """Every field arrives as it was written, entries take the list's grading."""
    definition = parse_definition("list-a", GOOD.encode(), "watchlist.yaml")
    assert definition.category == "wanted"
    assert definition.expires.isoformat() == "2027-01-31T18:00:00+00:00"
    assert [(t.mode, t.score) for t in definition.thresholds] == [(Mode.LIVE, 0.5), (Mode.OPERATOR, None)]
    assert [(e.nominal, e.grading, e.under_18) for e in definition.entries] == [
        ("N1", "amber", False),
        ("N2", "red", True),
    ]
    assert definition.entries[1].images[0].path == "b/c.jpg"


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("purpose: find people wanted on warrant", "purpose: x", 1, "3 to 1000 characters"),
        ("2027-01-31T18:00:00Z", "2027-01-31", 5, "instant with a zone"),
        ("2027-01-31T18:00:00Z", "soon", 5, "instant with a zone"),
        ("score: 0.5", "score: 1.5", 8, "above -1 and at most 1"),
        ("score: 0.5", "score: nan", 8, "above -1 and at most 1"),
        ("  operator: default", "  sometimes: default", 9, "no field 'sometimes'"),
        ("lawfully_held: true\n    images:\n      - {path: a", "images:\n      - {path: a", 11, "lawfully_held"),
        ("under_18_rationale: missing, aged 9", "x: y", 16, "under_18_rationale is missing"),
        ("path: a.jpg", "path: ../../etc/passwd", 15, "inside the watchlist's folder"),
        ("taken_on: 2026-01-02", "taken_on: yesterday", 15, "must be a date"),
        ("nominal: N2", "nominal: N1", 16, "stands at line 11 already"),
        ("grading: red", "grading: blue", 18, "one of red, amber, green"),
        ("2027-01-31T18:00:00Z", "9999-12-31T23:59:59-23:59", 5, "instant with a zone"),
    ],
)
def test_each_problem_is_told_with_its_line(old: str, new: str, line: int, message: str) -> None:
    """A person finds the mistake by the line that the message names."""
    assert any(at == line and message in text for at, text in problems(GOOD.replace(old, new, 1)))


def test_all_problems_are_told_at_once() -> None:
    """Three mistakes give three messages, in the order of their lines."""
    text = GOOD.replace("category: wanted\n", "").replace("score: 0.5", "score: x").replace("taken_on: 2026-05-06", "")
    lines = [line for line, _ in problems(text)]
    assert len(lines) == 3
    assert lines == sorted(lines)


def test_aliases_and_tags_are_refused() -> None:
    """A small file cannot expand into a huge one, nor name a Python type."""
    assert "aliases" in problems("purpose: &a [x]\ncategory: *a\n")[0][1]
    assert "tags" in problems("purpose: !!python/object/apply:os.system [ls]\n")[0][1]
    assert problems("purpose: " + "[" * 50 + "]" * 50)


def test_pictures_must_be_there(tmp_path: Path) -> None:
    """A missing picture is a problem of its line, and so is a link that leads out of the folder."""
    folder = tmp_path / "list-a"
    (folder / "b").mkdir(parents=True)
    (folder / "watchlist.yaml").write_text(GOOD)
    (tmp_path / "secret.jpg").write_bytes(b"x")
    (folder / "a.jpg").symlink_to(tmp_path / "secret.jpg")
    with pytest.raises(DefinitionError) as caught:
        read_definition(folder)
    assert [(p.line, p.message.split(" ", 2)[-1]) for p in caught.value.problems] == [
        (15, "must lie inside the watchlist's folder"),
        (23, "not there"),
    ]


@given(st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_arbitrary_bytes_raise_only_the_documented_error(data: bytes) -> None:
    """Whatever the file holds, the answer is a definition or a WATCHLIST_FILE_INVALID."""
    try:
        parse_definition("list-a", data, "watchlist.yaml")
    except FrsError as error:
        assert error.reason is Reason.WATCHLIST_FILE_INVALID  # noqa: PT017  # either outcome is allowed


@given(st.data())
def test_mutated_definitions_raise_only_the_documented_error(data: st.DataObject) -> None:
    """A good file with any slice replaced by any text is read or refused, never a crash."""
    start = data.draw(st.integers(0, len(GOOD)))
    stop = data.draw(st.integers(start, min(len(GOOD), start + 40)))
    text = GOOD[:start] + data.draw(st.text(max_size=20)) + GOOD[stop:]
    try:
        parse_definition("list-a", text.encode("utf-8", "surrogatepass"), "watchlist.yaml")
    except FrsError as error:
        assert error.reason is Reason.WATCHLIST_FILE_INVALID  # noqa: PT017


@pytest.mark.parametrize("path", ["x" * 255 + ".jpg", "loop", "b", ".", '"a\\0b"'])
def test_a_path_that_is_no_file_is_a_problem_of_its_line(tmp_path: Path, path: str) -> None:
    """Too long a name, a link to itself, a folder: the line is named, nothing breaks."""
    folder = tmp_path / "list-a"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "c.jpg").write_bytes(b"x")
    (folder / "loop").symlink_to(folder / "loop")
    (folder / "watchlist.yaml").write_text(GOOD.replace("a.jpg", path))
    with pytest.raises(DefinitionError) as caught:
        read_definition(folder)
    assert [p.line for p in caught.value.problems] == [15]


def test_a_picture_named_twice_for_a_person_is_a_problem() -> None:
    """The server would refuse it; the file says so first."""
    line = "      - {path: a.jpg, source: custody, taken_on: 2026-01-02}\n"
    assert problems(GOOD.replace(line, line * 2)) == [(16, "a.jpg stands twice")]


def test_a_list_of_seventeen_thousand_is_read_in_seconds() -> None:
    """Lists of that size are common in the field."""
    head, entry = (
        GOOD.split("  - nominal: N1", maxsplit=1)[0],
        GOOD[GOOD.index("  - nominal: N1") : GOOD.index("  - nominal: N2")],
    )
    text = head + "".join(entry.replace("N1", f"N{number}") for number in range(17_000))
    start = time.monotonic()
    assert len(parse_definition("list-a", text.encode(), "watchlist.yaml").entries) == 17_000
    assert time.monotonic() - start < 60


def test_the_example_is_valid_with_and_without_its_entries(tmp_path: Path) -> None:
    """What is commented out in the shipped example is a definition too."""
    example = Path(__file__).resolve().parents[2] / "watchlists" / "example"
    assert read_definition(example).entries == ()
    text = (example / "watchlist.yaml").read_text()
    fields, entries = text.split("entries: []\n")
    fields = re.sub(r"^# (thresholds:|  \w+: [{d])", r"\1", fields, flags=re.MULTILINE)
    whole = fields + re.sub(r"^# ", "", entries, flags=re.MULTILINE)
    found = parse_definition("example", whole.encode(), "watchlist.yaml")
    assert [len(entry.images) for entry in found.entries] == [2, 1]
    assert [t.mode for t in found.thresholds] == [Mode.LIVE, Mode.RETROSPECTIVE, Mode.OPERATOR]
