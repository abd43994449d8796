"""The parts that the public register and the report for oversight share: figures, charts and their tables.

Nothing here names a person: deployments by day and place, figures, watchlists by category.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from frs.oversight import wording
from frs.oversight.charts import Bar, Span, bars, spans
from frs.oversight.definitions import DEFINITIONS
from frs.oversight.figures import DeploymentFigures, Figures, PeriodFigures, ResponseTimes, SearchFigures
from frs.oversight.page import Markup, cards, section, table, terms

GUIDE = 0.001
"""False alerts per face seen: no more than 1 in 1,000, as published operating procedures ask (2018)."""
_ALL = "All deployments"


def glance(total: Figures) -> Markup:
    """Return the figures of the period at a glance."""
    return section(
        "At a glance",
        cards(
            [
                ("Faces seen", f"{total.faces_seen:,}", "faces good enough to compare"),
                ("Alerts", f"{total.alerts:,}", f"{total.pending:,} pending, {_nobody(total):,} decided by nobody"),
                ("True alerts", f"{total.true_alerts:,}", f"{total.confirmed_true:,} confirmed after engagement"),
                (
                    "False alerts",
                    f"{total.false_alerts_per_alert.numerator:,}",
                    f"{total.false_alerts:,} by adjudication, {total.confirmed_false:,} confirmed false",
                ),
                (
                    "Per 1,000 faces seen",
                    wording.per_thousand(total.false_alerts_per_face).split(" (")[0],
                    f"false alerts; 95 %: {_interval(wording.per_thousand(total.false_alerts_per_face))}",
                ),
                (
                    "Of all alerts",
                    wording.per_cent(total.false_alerts_per_alert).split(" (")[0],
                    f"were false; 95 %: {_interval(wording.per_cent(total.false_alerts_per_alert))}",
                ),
            ]
        ),
    )


def outcomes(found: PeriodFigures) -> Markup:
    """Return what became of the alerts of each deployment."""
    rows = [
        Bar(_name(item), decided, f"{item.figures.alerts:,} ({' + '.join(f'{n:,}' for n in decided)})")
        for item in found.deployments
        for decided in [(_true(item.figures), _false(item.figures), _open(item.figures))]
    ]
    about = f"For each deployment a bar: true, false and undecided alerts. In all {_summary(found.total)}."
    drawn = bars("outcomes", "Alerts by deployment", about, ("true", "false", "undecided"), rows)
    columns = (
        *("Deployment", "Place", "Purpose", "From", "Until", "Faces seen", "Alerts", "True", "False", "Pending"),
        *("Cannot tell", "Expired", "Unreviewed", "Confirmed true", "Confirmed false", "Unconfirmed", "Escalated"),
    )
    lines: list[Sequence[str | int]] = [
        (
            *(item.deployment[:8], item.place, item.purpose),
            *(wording.minute(item.starts_at), wording.minute(item.ends_at)),
            *_counts(item.figures),
        )
        for item in found.deployments
    ]
    lines.append((_ALL, "", "", wording.minute(found.since), wording.minute(found.until), *_counts(found.total)))
    return section(
        "What became of the alerts",
        *([Markup(drawn)] if rows else []),
        table("Faces, alerts and outcomes by deployment; times in UTC", columns, lines, texts=5),
    )


def rates(found: PeriodFigures) -> Markup:
    """Return the false alert rates with their intervals, over both denominators."""
    parts = _with_total(found)
    face = [
        Span(name, r.rate, r.lower, r.upper, wording.per_thousand(r))
        for name, figures in parts
        for r in [figures.false_alerts_per_face]
    ]
    alert = [
        Span(name, r.rate, r.lower, r.upper, wording.per_cent(r))
        for name, figures in parts
        for r in [figures.false_alerts_per_alert]
    ]
    drawn = (
        spans(
            "per-face",
            "False alerts per 1,000 faces seen",
            f"For each deployment the rate as a dot and its 95 % interval as a line. {_ALL}: {face[0].note}.",
            face,
            lambda value: f"{value * 1000:g}",
            (GUIDE, "1 in 1,000 faces"),
        ),
        spans(
            "per-alert",
            "False alerts among alerts",
            f"For each deployment the rate as a dot and its 95 % interval as a line. {_ALL}: {alert[0].note}.",
            alert,
            lambda value: f"{value * 100:g} %",
        ),
    )
    lines = [
        (
            name,
            f.false_alerts_per_alert.numerator,
            f.faces_seen,
            wording.per_thousand(f.false_alerts_per_face),
            f.alerts,
            wording.per_cent(f.false_alerts_per_alert),
        )
        for name, f in parts
    ]
    columns = ("Deployment", "False alerts", "Faces seen", "Per 1,000 faces", "Alerts", "Of alerts")
    return section(
        "How often alerts were false",
        "False alerts per 1,000 faces seen, with the 95 % interval:",
        Markup(drawn[0]),
        "False alerts among all alerts, with the 95 % interval:",
        Markup(drawn[1]),
        table("False alert rates with 95 % intervals", columns, lines),
    )


def response(found: PeriodFigures) -> Markup:
    """Return how long people took."""
    parts = [(name, figures) for name, figures in _with_total(found) if figures.to_adjudication.count]
    times = [(name, figures.to_adjudication) for name, figures in parts]
    unit, word = _unit(max((t.p90_seconds for _, t in times), default=0.0))
    rows = [
        Span(
            *(name, t.median_seconds, 0.0, t.p90_seconds),
            f"{wording.span(t.median_seconds)} (9 of 10: {wording.span(t.p90_seconds)})",
        )
        for name, t in times
    ]
    about = "For each deployment the median as a dot, and a line to the time within which nine of ten were decided."
    drawn = spans(
        "response", "From alert to decision", about, rows, lambda value: f"{value / unit:g} {word}" if value else "0"
    )
    columns = (
        *("Deployment", "Decided", "Median", "Nine of ten within", "Longest"),
        *("Engagements", "Median", "Nine of ten within", "Longest"),
    )
    lines = [(name, *_times(f.to_adjudication), *_times(f.to_engagement)) for name, f in _with_total(found)]
    return section(
        "How long people took",
        *(["From the alert to a person's decision:", Markup(drawn)] if rows else []),
        table("From alert to decision, and from decision to the record of the engagement", columns, lines),
    )


def watchlists(deployments: Iterable[DeploymentFigures], with_names: bool = False) -> Markup:
    """Return the watchlists of each deployment by category, as they stood when it was opened."""
    columns = ["Deployment", *(["Watchlist"] if with_names else []), "Category", "Model", "People", "Threshold"]
    lines: list[Sequence[str | int]] = [
        (
            *(_name(item), *([f"{w.watchlist} v{w.version}"] if with_names else [])),
            *(w.category, w.model, w.subjects, f"{w.threshold:.4f}"),
        )
        for item in deployments
        for w in sorted(item.watchlists, key=lambda w: (w.category, w.subjects, w.watchlist))
    ]
    return section(
        "Watchlists",
        "As they stood when the deployment was opened. A threshold is the least score that raises an alert; it means "
        "something only for its model.",
        table("Watchlists by deployment and category", columns, lines, texts=4 if with_names else 3),
    )


def searches(found: SearchFigures) -> Markup:
    """Return the searches that belong to no deployment."""
    lines = [
        ("Operator-initiated searches", found.operator_searches),
        ("of these with at least one candidate", found.operator_with_candidates),
        ("the officer decided: the same person", found.outcomes_same),
        ("the officer decided: another person", found.outcomes_different),
        ("the officer could not tell", found.outcomes_cannot_tell),
        ("the officer's decision is still owed", found.outcomes_owed),
        ("the officer's decision was not recorded in time", found.outcomes_overdue),
        ("Retrospective jobs", found.jobs),
        ("Candidate lists of these, each for a person to decide", found.candidate_lists),
        ("decided: it is one of them", found.candidate_lists_true),
        ("decided: it is none of them", found.candidate_lists_false),
        ("the pictures did not tell", found.candidate_lists_cannot_tell),
        ("nobody decided before the candidates were erased", found.candidate_lists_unreviewed),
        ("Searches of single stills", found.still_searches),
    ]
    return section("Searches", table("Searches of the period", ("What", "Number"), lines))


def definitions() -> Markup:
    """Return what the words mean."""
    return section("What the words mean", terms(DEFINITIONS))


def _with_total(found: PeriodFigures) -> list[tuple[str, Figures]]:
    return [(_ALL, found.total), *((_name(item), item.figures) for item in found.deployments)]


def _name(item: DeploymentFigures) -> str:
    return f"{wording.day(item.starts_at)}, {item.place}"


def _counts(figures: Figures) -> tuple[int, ...]:
    return (
        *(figures.faces_seen, figures.alerts, figures.true_alerts, figures.false_alerts, figures.pending),
        *(figures.cannot_tell, figures.expired, figures.unreviewed),
        *(figures.confirmed_true, figures.confirmed_false, figures.unconfirmed, figures.escalated),
    )


def _true(figures: Figures) -> int:
    return figures.true_alerts - figures.confirmed_false


def _false(figures: Figures) -> int:
    return figures.false_alerts + figures.confirmed_false


def _open(figures: Figures) -> int:
    return figures.pending + figures.cannot_tell + _nobody(figures)


def _nobody(figures: Figures) -> int:
    return figures.expired + figures.unreviewed


def _summary(figures: Figures) -> str:
    return f"{_true(figures):,} true, {_false(figures):,} false, {_open(figures):,} undecided"


def _interval(written: str) -> str:
    return written.partition("(")[2].rstrip(")") or "not known"


def _times(times: ResponseTimes) -> tuple[str | int, ...]:
    if not times.count:
        return 0, "", "", ""
    spoken = (times.median_seconds, times.p90_seconds, times.longest_seconds)
    return times.count, *(wording.span(seconds) for seconds in spoken)


def _unit(longest: float) -> tuple[float, str]:
    if longest < 180:
        return 1.0, "s"
    return (60.0, "min") if longest < 3 * 3600 else (3600.0, "h")
