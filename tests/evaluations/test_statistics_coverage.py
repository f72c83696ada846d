"""Simulated coverage: how often an interval that says 95 % holds the truth. Takes its time: `long`."""

import numpy as np
import pytest

from flyball.evaluations.statistics.intervals import BootstrapMean, student_t, wilson

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

ROUNDS = 4000
ERROR = 1.0  # percentage points; three standard errors of the simulation itself are 1.03


def covered(truth, interval):
    return interval.lo <= truth <= interval.hi


def coverage(draw, truth, interval):
    generator = np.random.default_rng(20_261)
    return 100 * np.mean([covered(truth, interval(draw(generator))) for _ in range(ROUNDS)])


def bootstrap(values):
    return BootstrapMean(values, seed=int(values.sum() * 1e6) % 2**31, resamples=1999).interval()


def test_students_interval_covers_a_mean():
    found = coverage(lambda generator: generator.normal(0.3, 1, 30), 0.3, student_t)

    assert abs(found - 95) <= ERROR


def test_the_bootstrap_covers_the_mean_of_a_skewed_score():
    found = coverage(lambda generator: generator.beta(2, 5, 120), 2 / 7, bootstrap)

    assert abs(found - 95) <= ERROR


def test_the_bootstrap_covers_a_paired_difference_of_hits():
    def draw(generator):
        return generator.choice([-1.0, 0.0, 1.0], size=120, p=[0.1, 0.72, 0.18])

    assert abs(coverage(draw, 0.08, bootstrap) - 95) <= ERROR


def test_the_bootstrap_covers_a_paired_difference_of_token_f1():
    def draw(generator):
        difficulty = generator.beta(1, 1, 120)
        return np.clip(generator.normal(difficulty, 0.2), 0, 1) - np.clip(generator.normal(difficulty, 0.2), 0, 1)

    assert abs(coverage(draw, 0.0, bootstrap) - 95) <= ERROR


@pytest.mark.parametrize("rate", [0.5, 0.8, 0.9])
def test_wilson_covers_a_rate_on_average_over_sample_sizes(rate):
    generator = np.random.default_rng(7)
    held = [covered(rate, wilson(int(generator.binomial(n, rate)), n)) for n in range(80, 180) for _ in range(200)]

    assert abs(100 * np.mean(held) - 95) <= ERROR
