"""The report for oversight: all figures of a period, reviewers by name, nothing left out. Not for publication. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from frs.oversight import flat, sections, wording
from frs.oversight.figures import DeploymentFigures, NamedFigures, PeriodFigures, VigilanceFigures
from frs.oversight.page import Markup, page, section, table

TITLE = "Report on the use of live facial recognition"
COLUMNS = (
    *("Faces seen", "Alerts", "Pending", "True", "False", "Confirmed true", "Confirmed false", "Unconfirmed"),
    *("Of alerts false", "Median to decision"),
)
VIGILANCE_COLUMNS = (
    *("Reviewer", "Checks", "Hits", "Hit rate (95 %)", "False accepts", "False accept rate (95 %)"),
    *("Cannot tell", "Median look"),
)


def as_csv(found: PeriodFigures) -> str:
    """Return all figures as lines: total, reviewers, groups; each deployment and its parts."""
    lines = [flat.figures_line("total", "", found.total)]
    lines += flat.part_lines("reviewer", found.reviewers)
    lines += flat.part_lines("group", found.groups)
    for item in found.deployments:
        lines.append(flat.figures_line("deployment", "", item.figures, item))
        for scope, parts in (("camera", item.cameras), ("reviewer", item.reviewers), ("group", item.groups)):
            lines += flat.part_lines(scope, parts, item)
    lines += [flat.vigilance_line(each) for each in found.vigilance or ()]
    return flat.written(lines, (*flat.COLUMNS, *flat.VIGILANCE))


def as_html(found: PeriodFigures) -> str:
    """Return all figures as a page."""
    lead = (
        f"From {wording.minute(found.since)} to {wording.minute(found.until)} UTC. For oversight: it names reviewers "
        "and small groups, and is not for publication."
    )
    parts = [
        sections.glance(found.total),
        sections.outcomes(found),
        sections.rates(found),
        sections.response(found),
        sections.watchlists(found.deployments, with_names=True),
        _authorised(found.deployments),
        _parts("By camera", ((item, item.cameras) for item in found.deployments)),
        _parts("By reviewer", [(None, found.reviewers), *((item, item.reviewers) for item in found.deployments)]),
        _parts("By self-defined group", [(None, found.groups), *((item, item.groups) for item in found.deployments)]),
        *([] if found.vigilance is None else [_vigilance(found.vigilance)]),
        *([] if found.searches is None else [sections.searches(found.searches)]),
        sections.definitions(),
    ]
    return page(TITLE, lead, parts)


def row(part: NamedFigures) -> tuple[str, ...]:
    """Return the figures of a part as they are shown in a table."""
    f = part.figures
    counts = (f.faces_seen, f.alerts, f.pending, f.true_alerts, f.false_alerts)
    after = (f.confirmed_true, f.confirmed_false, f.unconfirmed)
    median = wording.span(f.to_adjudication.median_seconds) if f.to_adjudication.count else ""
    return (part.name, *(f"{n:,}" for n in (*counts, *after)), wording.per_cent(f.false_alerts_per_alert), median)


def vigilance_row(found: VigilanceFigures) -> tuple[str, ...]:
    """Return how one reviewer did on known pairs, as it is shown in a table with :data:`VIGILANCE_COLUMNS`."""
    rates = [f"{share.numerator:,} of {share.denominator:,}" for share in (found.hits, found.false_accepts)]
    shares = [wording.per_cent(share) for share in (found.hits, found.false_accepts)]
    look = wording.span(found.look.median_seconds) if found.look.count else ""
    return (
        found.reviewer,
        f"{found.checks:,}",
        rates[0],
        shares[0],
        rates[1],
        shares[1],
        f"{found.cannot_tell:,}",
        look,
    )


def _vigilance(found: tuple[VigilanceFigures, ...]) -> Markup:
    return section(
        "Vigilance checks",
        "Known pairs that were shown as alerts. Who says true to everything has all the hits and all the false "
        "accepts: neither means anything without the other, nor without its interval.",
        table("Vigilance checks by reviewer", VIGILANCE_COLUMNS, [vigilance_row(each) for each in found]),
    )


def _authorised(deployments: Iterable[DeploymentFigures]) -> Markup:
    lines = [(item.deployment, item.place, item.purpose, item.authorising_officer) for item in deployments]
    columns = ("Deployment", "Place", "Purpose", "Authorising officer")
    return section("Who authorised", table("Deployments and their authorising officers", columns, lines, texts=4))


def _parts(heading: str, breakdowns: Iterable[tuple[DeploymentFigures | None, tuple[NamedFigures, ...]]]) -> Markup:
    lines = [
        ("All deployments" if item is None else f"{wording.day(item.starts_at)}, {item.place}", *row(part))
        for item, parts in breakdowns
        for part in parts
    ]
    return section(heading, table(heading, ("Deployment", "Name", *COLUMNS), lines, texts=2))
