"""Shares with exact 95 % intervals (:mod:`frs.match.binomial`)."""

from __future__ import annotations

from frs.match.binomial import CONFIDENCE, clopper_pearson
from frs.oversight.figures import Rate

__all__ = ["CONFIDENCE", "clopper_pearson", "rate"]


def rate(numerator: int, denominator: int) -> Rate:
    """Return the share with its interval.

    Without a denominator nothing is known: no rate, 0 to 1. The same where more were counted than there were chances,
    as when a face was counted before a period began and its alert raised within it.
    """
    if denominator <= 0 or numerator > denominator:
        return Rate(numerator, denominator, None, 0.0, 1.0)
    lower, upper = clopper_pearson(numerator, denominator)
    return Rate(numerator, denominator, numerator / denominator, lower, upper)
