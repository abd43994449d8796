"""Figures of a period: against a hand-counted deployment, a recount, periods' edges, erasure, 100,000 alerts."""

from __future__ import annotations

import csv
import io
import json
import time
from datetime import UTC, datetime, timedelta
from statistics import median

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql, sqlite

from frs.audit.log import EventFilter
from frs.embed.engine import FaceEngine
from frs.errors import FrsError, Reason
from frs.index.galleries import Galleries
from frs.match.uploads import Uploads
from frs.oversight import report
from frs.oversight.counting import SecondsBetween
from frs.oversight.figures import Figures, NamedFigures, PeriodFigures, ResponseTimes
from frs.oversight.register import register
from frs.retention.erasers import Erasers
from frs.server.conversions.statistics import statistics, statistics_message
from frs.store.schema import alert, job, operator_search
from frs.types import Event, References, new_id
from frs.watchlist.registry import Watchlists
from tests.audit_house import ALICE, BOB
from tests.oversight.statistics_house import Raised, StatisticsHouse, case_row

START = datetime(2026, 3, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)
OTHER = ("cannot-tell", "expired")
STATES = ("pending", "true", "false", "confirmed-true", "confirmed-false", "unconfirmed", "unreviewed", *OTHER)


def read(house: StatisticsHouse, since: datetime = START, until: datetime = START + DAY) -> PeriodFigures:
    return house.statistics.read(BOB, since, until)


def named(parts: tuple[NamedFigures, ...]) -> dict[str, Figures]:
    return {part.name: part.figures for part in parts}


def test_a_deployment_counted_by_hand(figures_house: StatisticsHouse) -> None:
    """Every figure of one evening is what a person with a pencil counts."""
    house = figures_house
    where = house.deploy(START)
    house.count(where, "north", START, 900)
    house.count(where, "north", START + timedelta(hours=1), 100)
    house.count(where, "south", START, 1000)
    at = START + timedelta(minutes=5)
    house.raise_alerts(
        Raised(where, at, "confirmed-true", "north", "rita", "white", 10, 100),
        Raised(where, at, "confirmed-true", "north", "omar", "black", 20, 200),
        Raised(where, at, "confirmed-false", "south", "rita", "black", 30, 300),
        Raised(where, at, "unconfirmed", "south", "rita", None, 40, 400),
        Raised(where, at, "true", "north", "omar", None, 50),
        Raised(where, at, "false", "north", "omar", None, 60),
        Raised(where, at, "false", "south", "omar", None, 70),
        Raised(where, at, "pending", "south"),
        Raised(where, at, "unreviewed", "north"),
        Raised(where, at, "expired", "north", escalations=2),
        Raised(where, at, "cannot-tell", "south", "omar, rita", None, 80, escalations=0),
        Raised(where, at, "true", "south", "omar, rita", None, 90, escalations=1),
    )
    found = read(house)
    (deployment,) = found.deployments
    figures = deployment.figures
    assert (figures.faces_seen, figures.alerts, figures.pending, figures.unreviewed) == (2000, 12, 1, 1)
    assert (figures.true_alerts, figures.false_alerts) == (6, 2)
    assert (figures.cannot_tell, figures.expired, figures.escalated) == (1, 1, 2)
    assert (figures.confirmed_true, figures.confirmed_false, figures.unconfirmed) == (2, 1, 1)
    per_face, per_alert = figures.false_alerts_per_face, figures.false_alerts_per_alert
    assert (per_face.numerator, per_face.denominator, per_face.rate) == (3, 2000, 0.0015)
    assert (per_alert.numerator, per_alert.denominator) == (3, 12)
    assert per_alert.rate == pytest.approx(1 / 4)
    assert per_alert.lower == pytest.approx(0.0549, abs=1e-4)
    assert per_alert.upper == pytest.approx(0.5719, abs=1e-4)
    assert figures.to_adjudication == ResponseTimes(9, 50.0, 90.0, 90.0)
    assert figures.to_engagement == ResponseTimes(4, 250.0, 400.0, 400.0)
    assert found.total == figures
    cameras = named(deployment.cameras)
    assert {name: (c.faces_seen, c.alerts) for name, c in cameras.items()} == {"north": (1000, 6), "south": (1000, 6)}
    reviewers = named(deployment.reviewers)
    assert {name: (r.alerts, r.true_alerts, r.false_alerts) for name, r in reviewers.items()} == {
        "omar": (6, 3, 2),
        "rita": (5, 4, 0),
    }
    assert reviewers["rita"].false_alerts_per_face.rate is None
    groups = named(deployment.groups)
    assert {name: (g.alerts, g.false_alerts_per_alert.numerator) for name, g in groups.items()} == {
        "black": (2, 1),
        "white": (1, 0),
    }
    assert (found.reviewers, found.groups) == (deployment.reviewers, deployment.groups)
    (listed,) = deployment.watchlists
    assert (listed.category, listed.version, listed.subjects, listed.threshold) == ("wanted", 3, 1200, 0.62)
    assert (deployment.place, deployment.ends_at) == ("Station Road", START + timedelta(hours=4))


def test_the_edges_of_a_period(figures_house: StatisticsHouse) -> None:
    """The first instant belongs to a period, the last does not; an hour belongs where it began."""
    house = figures_house
    where = house.deploy(START - timedelta(hours=2), hours=6)
    tick = timedelta(microseconds=1)
    half = START + timedelta(minutes=30)
    house.raise_alerts(*(Raised(where, at) for at in (START - tick, START, half - tick, half, START + DAY - tick)))
    for at in (START - tick, START, half, START + timedelta(hours=1)):
        house.count(where, "cam-1", at, 1)

    def seen(since: datetime, until: datetime) -> tuple[int, int]:
        total = read(house, since, until).total
        return total.alerts, total.faces_seen

    assert seen(START, START + DAY) == (4, 3)
    assert seen(START - DAY, START) == (1, 1)
    assert seen(START, half) == (2, 2)  # the hour that began at its start, whole
    assert seen(half, START + DAY) == (2, 1)
    assert seen(START + DAY, START + 2 * DAY) == (0, 0)


def test_which_deployments_a_period_holds(figures_house: StatisticsHouse) -> None:
    """Those that ran within it, also without a face; those that only touch its edge, or were closed before, are not."""
    house = figures_house
    before = house.deploy(START - timedelta(hours=4))
    early = house.deploy(START - timedelta(hours=3), state="ended", closed_at=START - timedelta(hours=1), hours=9)
    across = house.deploy(START - timedelta(hours=1))
    within = house.deploy(START + timedelta(hours=1))
    after = house.deploy(START + DAY)
    listed = [item.deployment for item in read(house).deployments]
    assert listed == [across, within]
    house.raise_alerts(Raised(early, START))  # what was counted is shown, whatever the clock did
    assert {item.deployment for item in read(house).deployments} == {early, across, within}
    assert not {before, after} & {item.deployment for item in read(house).deployments}


def test_one_deployment_alone(figures_house: StatisticsHouse) -> None:
    """The total is then that deployment's, and searches, which belong to none, are left out."""
    house = figures_house
    one, other = house.deploy(START), house.deploy(START)
    house.raise_alerts(Raised(one, START, "true"), Raised(other, START, "false"))
    house.count(other, "cam-1", START, 50)
    found = house.statistics.read(BOB, START, START + DAY, one)
    assert [item.deployment for item in found.deployments] == [one]
    assert (found.total.alerts, found.total.false_alerts, found.total.faces_seen) == (1, 0, 0)
    assert found.searches is None


def test_reading_is_logged_and_nonsense_is_refused(figures_house: StatisticsHouse) -> None:
    """Who read which period is in the log; a period that ends before it begins is refused."""
    house = figures_house
    where = house.deploy(START)
    house.statistics.read(BOB, START, START + DAY, where)
    (event,) = house.log.list(EventFilter(action="statistics.read"), 10, "").items
    opened = house.log.get(event.seq, open_payload=True)
    assert opened.payload is not None
    assert opened.payload["details"] == {"since": START.isoformat(), "until": (START + DAY).isoformat()}
    for since, until, name, reason in (
        (START, START, None, Reason.INVALID_FIELD),
        (START, START - DAY, None, Reason.INVALID_FIELD),
        (START, START + DAY, "f" * 32, Reason.DEPLOYMENT_NOT_FOUND),
    ):
        with pytest.raises(FrsError) as refused:
            house.statistics.read(BOB, since, until, name)
        assert refused.value.reason is reason
    assert len(house.log.list(EventFilter(action="statistics.read"), 10, "").items) == 1


def test_figures_that_cannot_be_logged_are_not_given(figures_house: StatisticsHouse) -> None:
    """When the log refuses the event, nobody is told anything."""
    house = figures_house
    house.store.database.write(lambda tx: tx.connection.execute(sa.text("DROP TABLE audit_payload")))
    with pytest.raises(FrsError) as refused:
        read(house)
    assert refused.value.reason in (Reason.LOG_UNAVAILABLE, Reason.STORAGE_FAILED)


def test_times_are_taken_on_postgresql_too() -> None:
    """Instants are text in both databases; each computes with its own functions."""
    seconds = SecondsBetween(alert.c.created_at, alert.c.adjudicated_at)
    for kind, function in ((sqlite.dialect, "julianday"), (postgresql.dialect, "EXTRACT(EPOCH FROM")):
        written = str(sa.select(seconds).compile(dialect=kind()))
        assert function in written
        assert written.index("adjudicated_at") < written.index("created_at")


def test_searches_of_the_period(figures_house: StatisticsHouse) -> None:
    """Operator searches by outcome, jobs and searches of stills, each in the period in which it was made."""
    house = figures_house
    outcomes = ["none-owed", "none-owed", "owed", "same", "same", "different", "cannot-tell"]
    searched = [(outcome, START) for outcome in outcomes] + [("same", START - DAY)]
    texts = dict.fromkeys(("reason", "incident", "authorisation", "model", "profile", "created_by"), "x")
    rows: list[dict[str, object]] = [
        {
            "id": new_id(),
            **dict.fromkeys(("officer", "reason", "legal_power", "device"), "x"),
            "created_at": at,
            "candidates": [],
            "outcome": outcome,
            "overdue_at": at if outcome == "owed" else None,
        }
        for outcome, at in searched
    ]
    jobs = [
        {
            "id": new_id(),
            "state": "done",
            **texts,
            "authorisation_expires_at": START,
            "watchlists": [],
            "max_candidates": 5,
            "faces": 0,
            "created_at": at,
        }
        for at in (START, START + DAY)
    ]
    database = house.store.database
    database.write(lambda tx: tx.connection.execute(sa.insert(operator_search), rows))
    database.write(lambda tx: tx.connection.execute(sa.insert(job), jobs))
    house.clock.at = START
    house.append(*(Event("search.still", ALICE, References(search=new_id()), {}) for _ in range(3)))
    house.clock.at = START + DAY
    house.append(Event("search.still", ALICE, References(search=new_id()), {}))
    found = read(house).searches
    assert found is not None
    assert (found.operator_searches, found.operator_with_candidates, found.outcomes_owed) == (7, 5, 1)
    assert found.outcomes_overdue == 1
    assert (found.outcomes_same, found.outcomes_different, found.outcomes_cannot_tell) == (2, 1, 1)
    assert (found.jobs, found.still_searches) == (1, 3)


RAISED = st.builds(
    Raised,
    deployment=st.sampled_from(["0", "1"]),
    created_at=st.integers(-3_600, 90_000).map(lambda s: START + timedelta(seconds=s)),
    state=st.sampled_from(STATES),
    camera=st.sampled_from(["north", "south"]),
    reviewer=st.sampled_from(["rita", "omar"]),
    group=st.sampled_from([None, "white", "black"]),
    decided_after=st.integers(-2_000, 60_000).map(lambda ms: ms / 1000),
    engaged_after=st.integers(0, 600_000).map(lambda ms: ms / 1000),
    escalations=st.sampled_from([None, 0, 1, 2]),
)
_DEPLOYMENTS: dict[int, list[str]] = {}


def recount(raised: list[Raised]) -> tuple[int, ...]:
    states = [item.state for item in raised]
    adjudicated_true = [s for s in states if s in ("true", "confirmed-true", "confirmed-false", "unconfirmed")]
    counted = [states.count(s) for s in ("pending", "false", "confirmed-true", "confirmed-false", "unconfirmed")]
    others = [states.count(s) for s in ("unreviewed", *OTHER)]
    return len(states), len(adjudicated_true), sum(bool(item.escalations) for item in raised), *others, *counted


def counts(figures: Figures) -> tuple[int, ...]:
    return (
        *(figures.alerts, figures.true_alerts, figures.escalated),
        *(figures.unreviewed, figures.cannot_tell, figures.expired),
        *(figures.pending, figures.false_alerts, figures.confirmed_true, figures.confirmed_false, figures.unconfirmed),
    )


def times(seconds: list[float]) -> ResponseTimes:
    """Return the figures by the definitions in docs/statistics.md, the slow way."""
    ordered = sorted(max(0.0, s) for s in seconds)
    if not ordered:
        return ResponseTimes()
    within = next(s for s in ordered if sum(other <= s for other in ordered) * 10 >= 9 * len(ordered))
    return ResponseTimes(len(ordered), median(ordered), within, ordered[-1])


def assert_times(found: ResponseTimes, expected: ResponseTimes) -> None:
    assert found.count == expected.count
    for name in ("median_seconds", "p90_seconds", "longest_seconds"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=0.0021), name


@hypothesis_settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=st.lists(RAISED, max_size=30))
def test_every_figure_is_what_a_recount_finds(figures_house: StatisticsHouse, drawn: list[Raised]) -> None:
    """For any alerts: each part's counts and times, added up in Python row by row, are those of the database."""
    house = figures_house
    ids = _DEPLOYMENTS.setdefault(id(house), [])
    if not ids:
        ids += [house.deploy(START), house.deploy(START + timedelta(hours=1))]
    raised = [item.at(ids[int(item.deployment)]) for item in drawn]
    house.clear()
    house.raise_alerts(*raised)
    found = read(house)
    inside = [item for item in raised if START <= item.created_at < START + DAY]
    parts: list[tuple[Figures, list[Raised]]] = [(found.total, inside)]
    parts += [(p.figures, [i for i in inside if i.adjudicated and i.reviewer == p.name]) for p in found.reviewers]
    parts += [(p.figures, [i for i in inside if i.engaged and i.group == p.name]) for p in found.groups]
    for deployment in found.deployments:
        here = [item for item in inside if item.deployment == deployment.deployment]
        parts.append((deployment.figures, here))
        parts += [(p.figures, [i for i in here if i.camera == p.name]) for p in deployment.cameras]
        parts += [
            (p.figures, [i for i in here if i.adjudicated and i.reviewer == p.name]) for p in deployment.reviewers
        ]
        parts += [(p.figures, [i for i in here if i.engaged and i.group == p.name]) for p in deployment.groups]
        assert {p.name for p in deployment.cameras} == {item.camera for item in here}
    assert {p.name for p in found.reviewers} == {i.reviewer for i in inside if i.adjudicated}
    assert {p.name for p in found.groups} == {i.group for i in inside if i.engaged and i.group}
    for figures, alerts in parts:
        assert counts(figures) == recount(alerts)
        decided = figures.true_alerts + figures.false_alerts + figures.cannot_tell
        assert figures.alerts == decided + figures.pending + figures.expired + figures.unreviewed
        wrong = figures.false_alerts + figures.confirmed_false
        assert figures.false_alerts_per_alert.numerator == figures.false_alerts_per_face.numerator == wrong
        assert_times(figures.to_adjudication, times([i.decided_after for i in alerts if i.adjudicated]))
        assert_times(figures.to_engagement, times([i.engaged_after for i in alerts if i.engaged]))


def test_reviewers_are_measured_on_known_pairs(figures_house: StatisticsHouse) -> None:
    """Hits and false accepts with intervals, by who decided; no check is an alert, and no alert a check."""
    house = figures_house
    where, at = house.deploy(START), START + timedelta(hours=1)
    house.raise_alerts(Raised(where, at, "true", escalations=0))
    for _ in range(3):
        house.check(True, at, {"rita": "true"}, 12.0)
    house.check(True, at, {"rita": "cannot-tell", "omar": "true"}, 4.0)
    house.check(False, at, {"rita": "false", "omar": "true"}, 2.0)
    house.check(False, at, {"omar": "true"}, 2.0)
    house.check(True, START - DAY, {"rita": "false"})
    found = read(house)
    assert found.vigilance is not None
    omar, rita = found.vigilance
    assert (rita.reviewer, rita.checks, rita.cannot_tell) == ("rita", 5, 1)
    assert (rita.hits.numerator, rita.hits.denominator, rita.hits.rate) == (3, 4, 0.75)
    assert rita.hits.lower == pytest.approx(0.1941, abs=1e-4)
    assert rita.hits.upper == pytest.approx(0.9937, abs=1e-4)
    assert (rita.false_accepts.numerator, rita.false_accepts.denominator) == (0, 1)
    assert rita.look == ResponseTimes(5, 12.0, 12.0, 12.0)
    assert (omar.hits.rate, omar.false_accepts.rate, omar.checks) == (1.0, 1.0, 3)
    assert omar.false_accepts.lower == pytest.approx(0.1581, abs=1e-4)
    assert (found.total.alerts, found.total.escalated) == (1, 0)
    assert named(found.reviewers).keys() == {"rita"}
    assert house.statistics.read(BOB, START, START + DAY, where).vigilance is None
    assert statistics(statistics_message(found)) == found
    assert "Vigilance checks by reviewer" in report.as_html(found)
    (line, _) = [row for row in csv.DictReader(io.StringIO(report.as_csv(found))) if row["scope"] == "vigilance"]
    assert (line["name"], line["checks"], line["hits_of"], line["false_accepts"]) == ("omar", "3", "1", "1.0")
    public = register(found)
    for text in (public.as_html(), public.as_csv(), json.dumps(public.as_json())):
        assert "omar" not in text
        assert "vigilance" not in text.lower()


def test_candidate_lists_are_counted_by_what_was_decided(figures_house: StatisticsHouse) -> None:
    """Each face of a job for which somebody was found, in the period in which its case was opened."""
    house = figures_house
    drawn = [("adjudicated", "true"), ("adjudicated", "false"), ("adjudicated", "false"), ("unreviewed", None)]
    for state, decision in (*drawn, ("adjudicated", "cannot-tell"), ("pending", None)):
        house.open_cases(case_row(START, "candidates", state=state, decision=decision))
    house.open_cases(case_row(START - DAY, "candidates"))
    found = read(house).searches
    assert found is not None
    assert (found.candidate_lists, found.candidate_lists_true, found.candidate_lists_false) == (6, 1, 2)
    assert (found.candidate_lists_cannot_tell, found.candidate_lists_unreviewed) == (1, 1)


def test_erasure_leaves_the_figures_as_they_were(figures_house: StatisticsHouse, engine: FaceEngine) -> None:
    """When every alert has been erased all figures stand, save that what nobody decided is unreviewed."""
    house = figures_house
    where = house.deploy(START)
    house.count(where, "cam-1", START, 500)
    drawn = [Raised(where, START, state, reviewer="rita", group="mixed") for state in STATES]
    house.raise_alerts(*drawn)
    before = read(house)
    database, vault = house.store.database, house.store.vault
    galleries = Galleries(128)
    watchlists = Watchlists(database, vault, house.log, galleries, engine, house.settings, house.clock)
    uploads = Uploads(database, vault, house.log, house.settings, house.clock)
    erasers = Erasers(database, vault, house.log, galleries, watchlists.erasing, uploads, house.settings, house.clock)
    with database.read() as connection:
        ids = connection.execute(sa.select(alert.c.id)).scalars().all()
    for name in ids:
        assert database.write(lambda tx, name=name: erasers.alert(tx, name))  # type: ignore[misc]
    after = read(house)
    assert (before.total.pending, before.total.unreviewed) == (1, 1)
    assert (after.total.pending, after.total.unreviewed) == (0, 2)
    same = [f for f in Figures.__slots__ if f not in ("pending", "unreviewed")]
    for one, other in ((before.total, after.total), (before.deployments[0].figures, after.deployments[0].figures)):
        assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
    assert (after.reviewers, after.groups) == (before.reviewers, before.groups)


def test_a_hundred_thousand_alerts_are_counted_from_the_index(figures_house: StatisticsHouse) -> None:
    """Within seconds, and from the covering index alone, so that no picture is read."""
    house = figures_house
    places = [house.deploy(START) for _ in range(20)]
    first = [
        Raised(
            place, START + timedelta(seconds=n), STATES[n % 7], f"cam-{n % 3}", f"r-{n % 9}", "other", n % 50, n % 90
        )
        for n, place in enumerate(places * 50)
    ]
    house.raise_alerts(*first)
    columns = ", ".join(column.name for column in alert.c if column.name != "id")
    copy = f"INSERT INTO alert (id, {columns}) SELECT id || '-' || n, {columns} FROM alert, times"
    series = "WITH RECURSIVE times(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM times WHERE n < 99)"
    house.store.database.write(lambda tx: tx.connection.execute(sa.text(f"{series} {copy}")))
    begun = time.perf_counter()
    found = read(house)
    assert time.perf_counter() - begun < 15  # about a second on a quiet core
    assert found.total.alerts == 100_000
    assert len(found.deployments) == 20
    query = "SELECT deployment_id, camera_id, adjudicated_by, self_defined_group, state, count(*) FROM alert"
    plan = f"EXPLAIN QUERY PLAN {query} WHERE created_at >= '2026' AND created_at < '2027' GROUP BY 1, 2, 3, 4, 5"
    with house.store.database.read() as connection:
        steps = " ".join(str(row) for row in connection.execute(sa.text(plan)))
    assert "COVERING INDEX ix_alert_figures" in steps
