"""The intervals are those of Clopper and Pearson, against known values and another implementation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from frs.oversight.intervals import clopper_pearson, rate


@pytest.mark.parametrize("n", [1, 2, 10, 299, 3_000, 3_100_000])
def test_none_of_n_has_the_closed_form(n: int) -> None:
    """With none of n the upper limit is 1 - 0.025^(1/n); with all of n the lower one is its mirror."""
    lower, upper = clopper_pearson(0, n)
    assert lower == 0.0
    assert upper == pytest.approx(1 - 0.025 ** (1 / n), rel=1e-9)
    lower, upper = clopper_pearson(n, n)
    assert upper == 1.0
    assert lower == pytest.approx(0.025 ** (1 / n), rel=1e-9)


@pytest.mark.parametrize(
    ("k", "n", "limits"),
    [
        (10, 2_077, (0.002311, 0.008838)),  # published practice: false alerts of alerts
        (10, 3_100_000, (1.5469e-6, 5.9324e-6)),  # and of faces seen
        (1, 10, (0.002529, 0.445016)),  # Clopper and Pearson's own chart: 0.00 to 0.445
        (5, 10, (0.187086, 0.812914)),
    ],
)
def test_known_values(k: int, n: int, limits: tuple[float, float]) -> None:
    """The published figures, and textbook values."""
    assert clopper_pearson(k, n) == pytest.approx(limits, rel=1e-3)


@given(st.integers(1, 5_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_another_implementation_agrees(pair: tuple[int, int]) -> None:
    """SciPy's exact interval of a proportion, and the definition: each tail is no likelier than 2.5 %."""
    k, n = pair
    lower, upper = clopper_pearson(k, n)
    other = binomtest(k, n).proportion_ci(0.95, "exact")
    assert (lower, upper) == pytest.approx((other.low, other.high), rel=1e-6, abs=1e-12)
    assert lower <= k / n <= upper
    if k > 0:
        assert binom.sf(k - 1, n, lower) == pytest.approx(0.025, rel=1e-6)
    if k < n:
        assert binom.cdf(k, n, upper) == pytest.approx(0.025, rel=1e-6)


@pytest.mark.parametrize(("k", "n"), [(0, 0), (3, 0), (3, 2)])
def test_where_nothing_is_known_no_rate_is_given(k: int, n: int) -> None:
    """Without a denominator, or with one that cannot be right, there is no rate and the interval is everything."""
    found = rate(k, n)
    assert (found.numerator, found.denominator) == (k, n)
    assert (found.rate, found.lower, found.upper) == (None, 0.0, 1.0)
