"""Exact 95 % intervals of a share that was counted, after Clopper and Pearson.

C. J. Clopper and E. S. Pearson, "The use of confidence or fiducial limits illustrated in the case of the binomial",
Biometrika 26 (1934), 404-413.

With ``k`` of ``n`` the limits are quantiles of beta distributions: the lower is B(alpha/2; k, n - k + 1), 0 for k = 0;
the upper is B(1 - alpha/2; k + 1, n - k), 1 for k = n. With none of ``n`` the upper is 1 - (alpha/2)^(1/n): nothing
among few cases is no proof of a low rate, and the interval says so. It covers the true rate in at least 95 % of cases,
more often for small numbers, and never promises too much.
"""

from __future__ import annotations

CONFIDENCE = 0.95
_TAIL = (1 - CONFIDENCE) / 2


def clopper_pearson(k: float, n: int) -> tuple[float, float]:
    """Return the 95 % limits for ``k`` of ``n``, 0 <= k <= n and n > 0; ``k`` may lie between two counts."""
    from scipy.special import betaincinv  # the quantile of the beta distribution, which scipy.stats.beta.ppf calls

    lower = float(betaincinv(k, n - k + 1, _TAIL)) if k > 0 else 0.0
    upper = float(betaincinv(k + 1, n - k, 1 - _TAIL)) if k < n else 1.0
    return lower, upper
