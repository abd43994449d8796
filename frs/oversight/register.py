"""The public register: what a force publishes of its use of live facial recognition, without personal data.

In it: places, purposes, times, watchlists by category and size, thresholds, figures with intervals, response times,
and breakdowns by camera (of a deployment) and by self-defined group (of all deployments together) as far as they may
be published (:mod:`frs.oversight.suppression`). Not in it, whatever the figures hold: names of reviewers, authorising
officers or any other person, names of watchlists and of identities. Groups are broken down over the whole period only:
one breakdown, one total, nothing to subtract from anything else.

Pure: made of a period's figures, and made the same every time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from frs.oversight import flat, sections, wording
from frs.oversight.definitions import DEFINITIONS
from frs.oversight.figures import DeploymentFigures, Figures, NamedFigures, PeriodFigures, Rate
from frs.oversight.intervals import rate
from frs.oversight.page import Markup, page, section, table
from frs.oversight.suppression import Breakdown, Cell, cell, published
from frs.types import Json

FORMAT = "frs-register/1"
TITLE = "Register of live facial recognition"


@dataclass(frozen=True, slots=True)
class Register:
    """Figures of a period with what of their breakdowns may be published."""

    figures: PeriodFigures
    cameras: tuple[Breakdown, ...]
    """One for each deployment, in their order."""
    groups: Breakdown

    def as_json(self) -> dict[str, Json]:
        """Return ``register.json``."""
        found = self.figures
        pairs = zip(found.deployments, self.cameras, strict=True)
        return {
            "format": FORMAT,
            "since": wording.iso(found.since),
            "until": wording.iso(found.until),
            "least_published": found.least_published,
            "definitions": dict(DEFINITIONS),
            "total": _json(found.total),
            "groups": _breakdown_json(self.groups, with_faces=False),
            "deployments": [
                {
                    "deployment": item.deployment,
                    "place": item.place,
                    "purpose": item.purpose,
                    "from": wording.iso(item.starts_at),
                    "until": wording.iso(item.ends_at),
                    "watchlists": _lists_json(item),
                    "figures": _json(item.figures),
                    "cameras": _breakdown_json(cameras, with_faces=True),
                }
                for item, cameras in pairs
            ],
            "searches": None if found.searches is None else dict(asdict(found.searches)),
        }

    def as_csv(self) -> str:
        """Return ``register.csv``."""
        found = self.figures
        lines = [flat.figures_line("total", "", found.total)]
        lines += [flat.cell_line("group", part, _rates(part, False), None) for part in self.groups.cells]
        for item, cameras in zip(found.deployments, self.cameras, strict=True):
            lines.append(flat.figures_line("deployment", "", item.figures, item))
            lines += [flat.cell_line("camera", part, _rates(part, True), item) for part in cameras.cells]
        return flat.written(lines)

    def as_html(self) -> str:
        """Return ``index.html``."""
        found = self.figures
        lead = (
            f"From {wording.minute(found.since)} to {wording.minute(found.until)} UTC. "
            f"{len(found.deployments)} deployments. Without personal data."
        )
        parts = [
            sections.glance(found.total),
            sections.outcomes(found),
            sections.rates(found),
            sections.response(found),
            sections.watchlists(found.deployments),
            self._cameras(),
            self._groups(),
            *([] if found.searches is None else [sections.searches(found.searches)]),
            sections.definitions(),
        ]
        return page(TITLE, lead, parts)

    def _cameras(self) -> Markup:
        lines = [
            (f"{wording.day(item.starts_at)}, {item.place}", part.name, part.faces_seen, *_cells(part), _per_face(part))
            for item, cameras in zip(self.figures.deployments, self.cameras, strict=True)
            for part in cameras.cells
        ]
        columns = ("Deployment", "Camera", "Faces seen", "Alerts", "False", "Of alerts", "Per 1,000 faces")
        return section(
            "By camera",
            self._left_out(any(cameras.suppressed for cameras in self.cameras), "cameras"),
            table("Alerts by camera", columns, lines, texts=2),
        )

    def _groups(self) -> Markup:
        return section(
            "By self-defined group",
            "As people described themselves to an officer who had spoken to them, where they were asked; never "
            "inferred by the system or by anybody who looked at a picture. Who was not asked is not in this table.",
            self._left_out(self.groups.suppressed, "groups"),
            table(
                "Alerts by self-defined group, all deployments together",
                ("Group", "Alerts", "False", "Of alerts"),
                [(part.name, *_cells(part)) for part in self.groups.cells],
            ),
        )

    def _left_out(self, suppressed: bool, what: str) -> str:
        if not suppressed:
            return f"No {what} were left out."
        return (
            f"Some {what} were left out: those with fewer than {self.figures.least_published} alerts, and others so "
            "that what was left out cannot be computed from the totals."
        )


def register(found: PeriodFigures) -> Register:
    """Return the register of a period."""
    least = found.least_published
    return Register(
        found, tuple(_published(item.cameras, least) for item in found.deployments), _published(found.groups, least)
    )


def _published(parts: Iterable[NamedFigures], least: int) -> Breakdown:
    return published([cell(part) for part in parts], least)


def _json(figures: Figures) -> dict[str, Json]:
    return dict(asdict(figures))


def _lists_json(item: DeploymentFigures) -> list[Json]:
    lists = sorted(item.watchlists, key=lambda entry: (entry.category, entry.subjects, entry.watchlist))
    return [
        {
            "category": entry.category,
            "subjects": entry.subjects,
            "threshold": entry.threshold,
            "model": entry.model,
        }
        for entry in lists
    ]


def _rates(part: Cell, with_faces: bool) -> dict[str, Rate]:
    found = {"false_alerts_per_alert": rate(part.false_alerts, part.alerts)}
    if with_faces:
        found["false_alerts_per_face"] = rate(part.false_alerts, part.faces_seen)
    return found


def _breakdown_json(breakdown: Breakdown, with_faces: bool) -> dict[str, Json]:
    parts: list[Json] = []
    for part in breakdown.cells:
        faces: dict[str, Json] = {"faces_seen": part.faces_seen} if with_faces else {}
        rates: dict[str, Json] = {name: dict(asdict(found)) for name, found in _rates(part, with_faces).items()}
        parts.append(
            {"name": part.name, "alerts": part.alerts, "false_or_confirmed_false": part.false_alerts, **faces, **rates}
        )
    return {"suppressed": breakdown.suppressed, "parts": parts}


def _cells(part: Cell) -> tuple[int, int, str]:
    return part.alerts, part.false_alerts, wording.per_cent(rate(part.false_alerts, part.alerts))


def _per_face(part: Cell) -> str:
    return wording.per_thousand(rate(part.false_alerts, part.faces_seen))
