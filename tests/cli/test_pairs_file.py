"""``pairs.csv`` is read whole: every line that is wrong is named before anything is sent."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from frs.cli.pairs_file import COLUMNS, NAME, read_pairs

_TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1, max_size=12)


def written(folder: Path, *lines: tuple[str, ...], columns: tuple[str, ...] = COLUMNS) -> Path:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([columns, *lines])
    (folder / NAME).write_text(text.getvalue(), encoding="utf-8-sig")
    for name in ("a.jpg", "b.jpg"):
        (folder / name).write_bytes(b"picture")
    return folder


@given(_TEXT, _TEXT, st.sampled_from([("yes", True), ("TRUE", True), ("1", True), ("No", False), ("0", False)]))
@settings(max_examples=25, deadline=None)
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, nominal: str, source: str, truth: tuple[str, bool]
) -> None:
    """Quotes, commas and other alphabets come through; relative files are the folder's."""
    folder = written(tmp_path_factory.mktemp("pairs"), ("a.jpg", "b.jpg", truth[0], nominal, source))
    (line,) = read_pairs(folder)
    assert (line.probe, line.reference) == (folder / "a.jpg", folder / "b.jpg")
    assert (line.number, line.matching, line.nominal, line.source) == (2, truth[1], nominal.strip(), source.strip())


def test_every_wrong_line_is_named(tmp_path: Path) -> None:
    """A file that is missing, a truth that is none, an empty field, a line that is too short."""
    lines = [
        ("a.jpg", "c.jpg", "yes", "T-1", "school"),
        ("a.jpg", "b.jpg", "perhaps", "T-1", "school"),
        ("a.jpg", "b.jpg", "no", "", "school"),
        ("a.jpg", "b.jpg", "no"),
    ]
    with pytest.raises(typer.BadParameter) as refused:
        read_pairs(written(tmp_path, *lines))
    for said in ("no file c.jpg", "not 'perhaps'", "line 4 has no nominal", "line 5 has no source"):
        assert said in refused.value.message


def test_a_file_that_is_none_is_refused(tmp_path: Path) -> None:
    """No file, no lines, a column missing, bytes that are no text."""
    with pytest.raises(typer.BadParameter, match="cannot be read"):
        read_pairs(tmp_path)
    with pytest.raises(typer.BadParameter, match="lists no pair"):
        read_pairs(written(tmp_path))
    with pytest.raises(typer.BadParameter, match="no column source"):
        read_pairs(written(tmp_path, columns=COLUMNS[:-1]))
    (tmp_path / NAME).write_bytes(b"probe,reference,matching,nominal,source\n\xff\xfe,b,yes,n,s\n")
    with pytest.raises(typer.BadParameter, match="UTF-8"):
        read_pairs(tmp_path)
