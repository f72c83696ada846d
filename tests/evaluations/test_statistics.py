"""The estimators against golden values of scipy 1.17.1 and statsmodels 0.15.0 (reference/evaluation.md, section 8)."""

import math

import numpy as np
import pytest

from flyball.evaluations.statistics import intervals
from flyball.evaluations.statistics.correction import benjamini_hochberg, holm
from flyball.evaluations.statistics.distributions import (
    beta_cdf,
    normal_cdf,
    normal_quantile,
    student_t_cdf,
    student_t_quantile,
)
from flyball.evaluations.statistics.intervals import BootstrapMean, clopper_pearson, student_t, wilson
from flyball.evaluations.statistics.paired import difference_p, mcnemar_exact, noninferiority_p, paired_t
from flyball.evaluations.statistics.power import minimum_detectable_effect, required_items, smallest_visible_rate

X = np.array([0.62, 0.71, 0.55, 0.8, 0.66, 0.74, 0.59, 0.69])
Y = np.array([0.65, 0.7, 0.61, 0.83, 0.7, 0.79, 0.6, 0.72])


def close(found, golden):
    return found == pytest.approx(golden, abs=1e-6, rel=0)


@pytest.mark.parametrize(
    ("successes", "n", "golden"),
    [
        (8, 10, (0.49016247153664183, 0.9433178485456247)),
        (0, 10, (0.0, 0.27753279986288926)),
        (10, 10, (1 - 0.27753279986288926, 1.0)),
        (80, 100, (0.7111708344068411, 0.8666330666689676)),
        (850, 1000, (0.8265313415731996, 0.8707899274869118)),
    ],
)
def test_wilson_equals_its_reference(successes, n, golden):
    assert close(wilson(successes, n), golden)


def test_clopper_pearson_equals_its_reference():
    assert close(clopper_pearson(8, 10), (0.4439045376923585, 0.9747892736731666))
    assert clopper_pearson(0, 10)[0] == 0
    assert clopper_pearson(10, 10)[1] == 1


def test_the_bootstrap_equals_scipys_with_the_same_seed():
    assert close(BootstrapMean(Y - X, seed=0).interval(), (0.01375, 0.0425))


def test_the_bootstrap_does_not_depend_on_the_batch_it_is_drawn_in(monkeypatch):
    whole = BootstrapMean(Y - X, seed=5).interval()
    monkeypatch.setattr(intervals, "_DRAWS_AT_ONCE", 8 * 7)

    assert BootstrapMean(Y - X, seed=5).interval() == whole


def test_a_wider_confidence_gives_a_wider_interval_from_the_same_draws():
    drawn = BootstrapMean(Y - X, seed=0)
    narrow, wide = drawn.interval(0.95), drawn.interval(0.99)

    assert wide.lo < narrow.lo < narrow.hi < wide.hi


def test_the_paired_t_test_equals_its_reference():
    assert close(paired_t(Y - X), (3.8501336875184875, 0.006291353104471118))
    assert close(difference_p(Y - X, binary=False), 0.006291353104471118)


def test_students_interval_is_the_mean_and_its_quantile_times_the_error():
    lo, hi = student_t(Y - X)

    assert close((lo + hi) / 2, 0.03)
    assert close((hi - lo) / 2, 2.3646242510102993 * (0.03 / 3.8501336875184875))


def test_mcnemar_equals_its_reference():
    assert close(mcnemar_exact(12, 4), 0.076812744140625)
    assert mcnemar_exact(4, 12) == mcnemar_exact(12, 4)
    assert mcnemar_exact(0, 0) == 1
    assert mcnemar_exact(3, 3) == 1


def test_holm_and_benjamini_hochberg_equal_their_references():
    assert close(holm([0.01, 0.04, 0.03, 0.005]), [0.03, 0.06, 0.06, 0.02])
    assert close(benjamini_hochberg([0.01, 0.04, 0.03, 0.005]), [0.02, 0.04, 0.04, 0.02])
    assert holm([]) == []


@pytest.mark.parametrize(
    ("rate", "effect", "unpaired", "paired"), [(0.85, 0.05, 801, 240), (0.85, 0.02, 5004, 1501), (0.5, 0.05, 1570, 471)]
)
def test_the_number_of_items_equals_its_reference(rate, effect, unpaired, paired):
    assert abs(required_items(rate, effect) - unpaired) <= 1
    assert abs(required_items(rate, effect, correlation=0.7) - paired) <= 1


@pytest.mark.parametrize(
    ("p", "df", "golden"),
    [
        (0.975, 1, 12.706204736432095),
        (0.975, 7, 2.3646242510102993),
        (0.975, 120, 1.9799304050824402),
        (0.95, 30, 1.697260886593957),
        (0.025, 7, -2.3646242510102993),
        (0.5, 3, 0.0),
    ],
)
def test_students_quantiles_equal_the_tables(p, df, golden):
    assert close(student_t_quantile(p, df), golden)
    assert close(student_t_cdf(golden, df), p)


def test_the_distributions_are_defined_at_their_ends():
    assert (normal_cdf(-math.inf), normal_cdf(math.inf)) == (0, 1)
    assert (normal_quantile(0), normal_quantile(1)) == (-math.inf, math.inf)
    assert (beta_cdf(0, 2, 3), beta_cdf(1, 2, 3)) == (0, 1)


def test_what_too_few_values_cannot_tell_is_undefined_and_not_zero():
    nothing, one = np.array([]), np.array([0.7])

    for values in (nothing, one):
        assert BootstrapMean(values, seed=0).interval() is None
        assert student_t(values) is None
        assert intervals.standard_error(values) is None
        assert minimum_detectable_effect(values) is None
        assert difference_p(values, binary=True) is None
        assert noninferiority_p(values, 0.1) is None
    assert wilson(0, 0) is None
    assert clopper_pearson(0, 0) is None


def test_differences_that_are_all_equal_show_the_smallest_rate_that_could_have_been_seen():
    same = np.zeros(120)

    assert BootstrapMean(same, seed=0).interval() == (0, 0)
    assert close(minimum_detectable_effect(same), 1 - 0.2 ** (1 / 120))
    assert 1 - (1 - smallest_visible_rate(50)) ** 50 == pytest.approx(0.8)
    assert difference_p(same, binary=False) == 1
    assert noninferiority_p(same, 0.02) == 0
    assert noninferiority_p(same, 0.0) == 1


def test_the_smallest_visible_effect_is_seen_eight_times_in_ten():
    generator = np.random.default_rng(3)
    effect = minimum_detectable_effect(generator.normal(0, 0.4, 200))
    seen = 0
    for _ in range(2000):
        seen += abs(paired_t(generator.normal(effect, 0.4, 200))[0]) > 1.972

    assert 0.75 < seen / 2000 < 0.85
