"""Figures of a period, to the wire and back: the command line makes its reports of what came over the wire."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields

from frs.oversight.figures import (
    DeploymentFigures,
    Figures,
    ListFigures,
    NamedFigures,
    PeriodFigures,
    Rate,
    ResponseTimes,
    SearchFigures,
    VigilanceFigures,
)
from frs.server import names
from frs.server.instants import instant, stamp
from frs.v1 import oversight_pb2 as pb

_RATES = ("false_alerts_per_face", "false_alerts_per_alert")
_TIMES = ("to_adjudication", "to_engagement")
_COUNTS = tuple(f.name for f in fields(Figures) if f.name not in (*_RATES, *_TIMES))
_TIME = tuple(f.name for f in fields(ResponseTimes))
_SEARCHES = tuple(f.name for f in fields(SearchFigures))
_DESCRIBED = ("purpose", "place", "authorising_officer")


def statistics_message(value: PeriodFigures) -> pb.StatisticsResponse:
    """Return the figures as they are sent."""
    searches = None
    if value.searches is not None:
        searches = pb.SearchFigures(**{name: getattr(value.searches, name) for name in _SEARCHES})
    return pb.StatisticsResponse(
        since=stamp(value.since),
        until=stamp(value.until),
        total=_figures_message(value.total),
        deployments=[_deployment_message(item) for item in value.deployments],
        searches=searches,
        reviewers=_named_messages(value.reviewers),
        groups=_named_messages(value.groups),
        vigilance=[_vigilance_message(item) for item in value.vigilance or ()],
        least_published=value.least_published,
    )


def statistics(message: pb.StatisticsResponse) -> PeriodFigures:
    """Return the figures that were received."""
    searches = None
    if message.HasField("searches"):
        searches = SearchFigures(**{name: getattr(message.searches, name) for name in _SEARCHES})
    return PeriodFigures(
        since=instant(message.since),
        until=instant(message.until),
        total=_figures(message.total),
        deployments=tuple(_deployment(item) for item in message.deployments),
        reviewers=_named(message.reviewers),
        groups=_named(message.groups),
        searches=searches,
        # A reading of one deployment has neither.
        vigilance=None if searches is None else tuple(_vigilance(item) for item in message.vigilance),
        least_published=message.least_published,
    )


def _deployment_message(value: DeploymentFigures) -> pb.DeploymentStatistics:
    lists = [
        pb.ListFigures(
            watchlist=names.make(names.WATCHLIST, item.watchlist),
            category=item.category,
            version=item.version,
            subjects=item.subjects,
            threshold=item.threshold,
            model=item.model,
        )
        for item in value.watchlists
    ]
    return pb.DeploymentStatistics(
        deployment=names.make(names.DEPLOYMENT, value.deployment),
        start_time=stamp(value.starts_at),
        end_time=stamp(value.ends_at),
        watchlists=lists,
        figures=_figures_message(value.figures),
        cameras=_named_messages(value.cameras),
        reviewers=_named_messages(value.reviewers),
        groups=_named_messages(value.groups),
        **{name: getattr(value, name) for name in _DESCRIBED},
    )


def _deployment(message: pb.DeploymentStatistics) -> DeploymentFigures:
    lists = tuple(
        ListFigures(
            watchlist=names.last_id(names.WATCHLIST, item.watchlist),
            category=item.category,
            version=item.version,
            subjects=item.subjects,
            threshold=item.threshold,
            model=item.model,
        )
        for item in message.watchlists
    )
    return DeploymentFigures(
        deployment=names.last_id(names.DEPLOYMENT, message.deployment),
        starts_at=instant(message.start_time),
        ends_at=instant(message.end_time),
        watchlists=lists,
        figures=_figures(message.figures),
        cameras=_named(message.cameras),
        reviewers=_named(message.reviewers),
        groups=_named(message.groups),
        **{name: getattr(message, name) for name in _DESCRIBED},
    )


def _named_messages(values: Iterable[NamedFigures]) -> list[pb.NamedFigures]:
    return [pb.NamedFigures(name=item.name, figures=_figures_message(item.figures)) for item in values]


def _named(messages: Iterable[pb.NamedFigures]) -> tuple[NamedFigures, ...]:
    return tuple(NamedFigures(item.name, _figures(item.figures)) for item in messages)


def _figures_message(value: Figures) -> pb.Figures:
    message = pb.Figures(**{name: getattr(value, name) for name in _COUNTS})
    for name in _RATES:
        getattr(message, name).CopyFrom(_rate_message(getattr(value, name)))
    for name in _TIMES:
        getattr(message, name).CopyFrom(_times_message(getattr(value, name)))
    return message


def _vigilance_message(value: VigilanceFigures) -> pb.VigilanceFigures:
    return pb.VigilanceFigures(
        reviewer=value.reviewer,
        checks=value.checks,
        hits=_rate_message(value.hits),
        false_accepts=_rate_message(value.false_accepts),
        cannot_tell=value.cannot_tell,
        look=_times_message(value.look),
    )


def _vigilance(message: pb.VigilanceFigures) -> VigilanceFigures:
    return VigilanceFigures(
        message.reviewer,
        message.checks,
        _rate(message.hits),
        _rate(message.false_accepts),
        message.cannot_tell,
        _times(message.look),
    )


def _times_message(times: ResponseTimes) -> pb.ResponseTimes:
    return pb.ResponseTimes(**{part: getattr(times, part) for part in _TIME})


def _figures(message: pb.Figures) -> Figures:
    counts = {name: int(getattr(message, name)) for name in _COUNTS}
    return Figures(
        false_alerts_per_face=_rate(message.false_alerts_per_face),
        false_alerts_per_alert=_rate(message.false_alerts_per_alert),
        to_adjudication=_times(message.to_adjudication),
        to_engagement=_times(message.to_engagement),
        **counts,
    )


def _rate_message(value: Rate) -> pb.Rate:
    return pb.Rate(
        numerator=value.numerator,
        denominator=value.denominator,
        rate=value.rate,
        lower=value.lower,
        upper=value.upper,
    )


def _rate(message: pb.Rate) -> Rate:
    share = message.rate if message.HasField("rate") else None
    return Rate(message.numerator, message.denominator, share, message.lower, message.upper)


def _times(message: pb.ResponseTimes) -> ResponseTimes:
    return ResponseTimes(**{name: getattr(message, name) for name in _TIME})
