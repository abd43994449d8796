"""The register holds no personal data, escapes what people wrote, and needs nothing but itself."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from array import array
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frs.oversight import report, wording
from frs.oversight.figures import (
    DeploymentFigures,
    ListFigures,
    PeriodFigures,
    Rate,
    ResponseTimes,
    SearchFigures,
    VigilanceFigures,
)
from frs.oversight.intervals import rate
from frs.oversight.register import Register, register
from frs.oversight.tallying import Source, Tallies

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
NASTY = '</title></svg><script>alert(\'x\')</script><img src="http://evil.example/?" onload=x> & "it\'s" {{7*7}} ﷽'
VOID = {"meta", "img", "br", "hr", "input", "link"}


def figures(*places: str, alerts: int = 30, **changes: object) -> PeriodFigures:
    """Return a period with a deployment at each place: two busy cameras, a quiet one, two reviewers, two groups."""
    tallies = Tallies()
    deployments = []
    for number, place in enumerate(places):
        name = f"{number:032x}"
        for camera, share in (("north", 1.0), ("south", 0.5), ("bridge", 0.1)):
            source = Source(name, camera)
            tallies.add_faces(source, int(4000 * share))
            decided = replace(source, reviewer="Rita Rewrite", group="mixed" if camera == "bridge" else "white")
            tallies.add_alerts(decided, "confirmed-true", int(alerts * share))
            tallies.add_alerts(replace(source, reviewer="Omar Other"), "false", max(1, int(alerts * share / 10)))
            tallies.add_times(decided, array("d", [12.5]), array("d", [340.0]))
        lists = (
            ListFigures("list-of-jones", "wanted", 3, 8200, 0.62, "m@1"),
            ListFigures("l2", "missing", 1, 3, 0.6, "m@1"),
        )
        deployments.append(
            DeploymentFigures(
                deployment=name,
                purpose="Find people",
                place=place,
                authorising_officer="Supt Ada Ray",
                starts_at=START + timedelta(days=number),
                ends_at=START + timedelta(days=number, hours=4),
                watchlists=lists,
                figures=tallies.figures(name),
                cameras=tallies.breakdown("camera", name),
                reviewers=tallies.breakdown("reviewer", name),
                groups=tallies.breakdown("group", name),
            )
        )
    found = PeriodFigures(
        since=START,
        until=START + timedelta(days=30),
        total=tallies.figures(),
        deployments=tuple(deployments),
        reviewers=tallies.breakdown("reviewer"),
        groups=tallies.breakdown("group"),
        searches=SearchFigures(9, 4, 1, 1, 1, 1, 1, 2, 3, 4, 1, 1, 1, 1),
        vigilance=(VigilanceFigures("Vera Vigilant", 7, rate(3, 4), rate(1, 3), 1, ResponseTimes(7, 8.0, 20.0, 31.0)),),
        least_published=10,
    )
    return replace(found, **changes)  # type: ignore[arg-type]  # tests name fields


class Document(HTMLParser):
    """What a browser makes of a page: its elements, attributes and text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_self_contained(page: str) -> Document:
    """Check that a page can load, run and follow nothing, and is whole."""
    document = Document(page)
    assert document.open == []
    assert not {"script", "img", "iframe", "link", "object", "form", "a", "use", "image"} & set(document.tags)
    names = {name for name, _ in document.attributes}
    assert not {"src", "href", "srcset", "style", "xlink:href", "action"} & names
    assert not [name for name in names if name.startswith("on")]
    assert "url(" not in page
    assert "@import" not in page
    return document


def test_what_people_wrote_is_text() -> None:
    """Markup in places, purposes, cameras, groups and categories is shown as it was written and does nothing."""
    found = figures(NASTY, "Market Square")
    lists = (replace(found.deployments[0].watchlists[0], category=NASTY, model=NASTY),)
    cameras = tuple(replace(part, name=NASTY + part.name) for part in found.deployments[0].cameras)
    nasty = replace(found.deployments[0], purpose=NASTY, watchlists=lists, cameras=cameras, authorising_officer=NASTY)
    groups = tuple(replace(part, name=NASTY + part.name) for part in found.groups)
    found = replace(found, deployments=(nasty, found.deployments[1]), groups=groups, reviewers=groups)
    for page in (register(found).as_html(), report.as_html(found)):
        document = assert_self_contained(page)
        assert document.text.count(NASTY) > 4
        assert "<script" not in page
        assert "<img" not in page


@given(st.text(max_size=60))
def test_any_text_is_text(text: str) -> None:
    """Whatever a place is called, the page stays whole and shows it."""
    shown = "".join(c for c in text if c not in "\r\x00" and not 0xD800 <= ord(c) <= 0xDFFF)
    document = assert_self_contained(register(figures(shown)).as_html())
    assert shown in document.text


@pytest.mark.parametrize("make", [Register.as_html, Register.as_csv, lambda made: json.dumps(made.as_json())])
def test_no_person_is_in_the_register(make: object) -> None:
    """Reviewers, officers, identities, list names and small groups are in the report and not in the register."""
    found = figures("Station Road", "Queen Street")
    text = make(register(found))  # type: ignore[operator]
    for name in ("Rita", "Omar", "Vera", "Ada Ray", "list-of-jones", "mixed", "bridge"):
        assert name not in text, name
        assert name in report.as_html(found)
    assert "Station Road" in text


def test_left_out_is_said() -> None:
    """Where parts were left out the page says so and why; the same in JSON."""
    found = figures("Station Road")
    page = register(found).as_html()
    assert "Some cameras were left out: those with fewer than 10 alerts" in page
    assert "Some groups were left out" in page
    whole = replace(found, least_published=1)
    page = register(whole).as_html()
    assert "No cameras were left out." in page
    assert "bridge" in page
    (entry,) = json.loads(json.dumps(register(found).as_json()))["deployments"]
    assert entry["cameras"]["suppressed"] is True


def test_charts_speak_to_those_who_do_not_see_them() -> None:
    """Each chart is an image with a title and a description of its own, well-formed, and its values are in a table."""
    found = figures("Station Road", "Queen Street")
    page = register(found).as_html()
    charts = re.findall(r"<svg.*?</svg>", page, re.S)
    assert len(charts) == 4
    seen = set()
    for chart in charts:
        root = ET.fromstring(chart)
        title, about = root.find("title"), root.find("desc")
        assert title is not None
        assert about is not None
        assert title.text
        assert about.text
        assert root.get("role") == "img"
        assert root.get("aria-labelledby") == f"{title.get('id')} {about.get('id')}"
        seen |= {title.get("id"), about.get("id")}
    assert len(seen) == 8
    assert page.count("<table>") >= 7
    assert page.count("<caption>") == page.count("<table>")
    assert '<html lang="en">' in page
    assert "@media print" in page
    for figure in ("33", wording.per_thousand(found.total.false_alerts_per_face)):
        assert figure in page


def test_every_mark_is_within_its_chart() -> None:
    """No bar, dot or line leaves the drawing, whether much is known, little or nothing."""
    empty = figures("Nowhere", alerts=0)
    for found in (figures("A", "B"), empty, figures("Huge", alerts=9_000_000), figures()):
        for chart in re.findall(r"<svg.*?</svg>", register(found).as_html(), re.S):
            root = ET.fromstring(chart)
            _, _, width, height = (float(n) for n in (root.get("viewBox") or "").split())
            for mark in root.iter():
                for name, most in (
                    ("x", width),
                    ("x1", width),
                    ("x2", width),
                    ("cx", width),
                    ("y", height),
                    ("y2", height),
                ):
                    if mark.get(name) is not None:
                        assert 0 <= float(mark.get(name) or 0) + float(mark.get("width") or 0) * (name == "x") <= most


def test_a_spreadsheet_takes_no_text_for_a_formula() -> None:
    """Places that begin like a formula are given an apostrophe; figures stay figures."""
    for place in ("=1+1", "+44", "-x", "@here", "\t=1", " =1"):
        rows = list(csv.DictReader(io.StringIO(register(figures(place)).as_csv())))
        (row,) = [row for row in rows if row["scope"] == "deployment"]
        assert row["place"] == f"'{place}"
        assert int(row["alerts"]) > 0


def test_json_and_csv_say_the_same() -> None:
    """Each deployment's and the total's figures, in both."""
    made = register(figures("Station Road", "Queen Street"))
    data = json.loads(json.dumps(made.as_json()))
    rows = list(csv.DictReader(io.StringIO(made.as_csv())))
    assert data["format"] == "frs-register/1"
    (total,) = [row for row in rows if row["scope"] == "total"]
    deployments = [row for row in rows if row["scope"] == "deployment"]
    pairs = [(data["total"], total), *zip((d["figures"] for d in data["deployments"]), deployments, strict=True)]
    for one, other in pairs:
        for name in ("faces_seen", "alerts", "true_alerts", "false_alerts", "confirmed_true"):
            assert one[name] == int(other[name])
        assert one["false_alerts_per_face"]["upper"] == float(other["false_alerts_per_face_upper"])
        assert one["to_adjudication"]["p90_seconds"] == float(other["to_adjudication_p90_seconds"])


@pytest.mark.parametrize(
    ("given_rate", "thousand", "cent"),
    [
        (rate(10, 2077), "4.81 (2.31 to 8.84)", "0.481 % (0.231 to 0.884 %)"),
        (rate(10, 3_100_000), "0.00323 (0.00155 to 0.00593)", "0.000323 % (0.000155 to 0.000593 %)"),
        (Rate(0, 0, None, 0.0, 1.0), "not known", "not known"),
        (rate(1, 1), "1000 (25 to 1000)", "100 % (2.5 to 100 %)"),
    ],
)
def test_rates_are_written_for_people(given_rate: Rate, thousand: str, cent: str) -> None:
    """Three digits, the interval, and no exponents."""
    assert wording.per_thousand(given_rate) == thousand
    assert wording.per_cent(given_rate) == cent


@pytest.mark.parametrize(("seconds", "text"), [(4.21, "4.2 s"), (200, "3 min 20 s"), (7500, "2 h 5 min"), (0, "0.0 s")])
def test_times_are_written_for_people(seconds: float, text: str) -> None:
    """Two units at most."""
    assert wording.span(seconds) == text
