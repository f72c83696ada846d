"""The rule of the verdict: PASS, FAIL or INCONCLUSIVE by a margin, for one candidate and for several."""

import msgspec
import numpy as np
import pytest

from flyball.evaluations.statistics.power import minimum_detectable_effect
from flyball.evaluations.verdicts import Candidate, Gate, judge

GATE = Gate(margin=0.05, seed=0, resamples=1999, items=200, baseline_failed=0)


def candidate(differences, name="new", scorer_errors=0):
    return Candidate(name, f"sha256:{name}", np.asarray(differences, dtype=float), scorer_errors)


def changes(gained, lost, n=200):
    return [1.0] * gained + [-1.0] * lost + [0.0] * (n - gained - lost)


def verdict(differences, gate=GATE):
    return judge([candidate(differences)], gate)[0]


def test_a_candidate_that_is_clearly_better_passes_as_better():
    found = verdict(changes(40, 5))

    assert (found.verdict, found.better) == ("PASS", True)
    assert found.gate_lo > 0


def test_a_candidate_that_is_about_as_good_passes_without_being_better():
    found = verdict(changes(6, 6))

    assert (found.verdict, found.better) == ("PASS", False)
    assert -0.05 < found.gate_lo < 0


def test_a_candidate_that_is_clearly_worse_fails():
    assert verdict(changes(5, 60)).verdict == "FAIL"


def test_a_candidate_about_which_the_data_cannot_tell_is_inconclusive_and_says_what_it_could_have_seen():
    found = verdict(changes(20, 25))

    assert found.verdict == "INCONCLUSIVE"
    assert "with 200 items an effect below 0.0" in found.reason


def test_fewer_than_two_items_are_inconclusive():
    for differences in ([], [1.0]):
        found = verdict(differences)

        assert found.verdict == "INCONCLUSIVE"
        assert found.gate_lo is None


def test_identical_answers_pass_where_a_loss_of_the_margin_would_have_been_seen():
    assert verdict([0.0] * 120).verdict == "PASS"
    assert verdict([0.0] * 120).better is False


def test_identical_answers_on_few_items_prove_nothing():
    found = verdict([0.0] * 5)

    assert found.verdict == "INCONCLUSIVE"
    assert "27.5%" in found.reason


def test_three_wins_of_three_prove_nothing():
    assert verdict([1.0, 1.0, 1.0]).verdict == "INCONCLUSIVE"


def test_nothing_passes_against_a_broken_baseline():
    found = verdict(changes(100, 0), GATE._replace(baseline_failed=21))

    assert found.verdict == "INCONCLUSIVE"
    assert "the baseline failed on 21 of 200 items" in found.reason


def test_nothing_passes_by_a_broken_scorer():
    found = judge([candidate(changes(40, 5), scorer_errors=2)], GATE)[0]

    assert found.verdict == "INCONCLUSIVE"
    assert "the scorer gave no number on 2 items" in found.reason


def test_a_zero_margin_asks_for_proof_of_being_better():
    strict = GATE._replace(margin=0.0)

    assert verdict(changes(6, 6), strict).verdict == "INCONCLUSIVE"
    assert verdict(changes(40, 5), strict).verdict == "PASS"


def test_several_candidates_are_held_to_holms_wider_intervals():
    strong, weak = candidate(changes(40, 5), "strong"), candidate(changes(20, 5), "weak")
    alone = judge([weak], GATE)[0]
    together = judge([weak, strong], GATE)

    assert [one.gate_confidence for one in together] == [0.95, 0.975]
    assert alone.gate_lo == together[0].gate_lo
    assert [one.variant for one in together] == ["weak", "strong"]


def test_after_the_first_candidate_that_does_not_pass_no_weaker_one_does():
    """Two twins just above the bar: alone each passes, together the wider interval holds both back."""
    differences = changes(14, 11)
    bar = judge([candidate(differences)], GATE)[0]
    assert bar.verdict == "PASS"

    twins = judge([candidate(differences, "a"), candidate(differences, "b")], GATE._replace(margin=-bar.gate_lo + 1e-9))

    assert [one.verdict for one in twins] == ["INCONCLUSIVE", "INCONCLUSIVE"]
    assert "Holm" in twins[1].reason


def test_a_failing_candidate_fails_also_beside_a_passing_one():
    found = judge([candidate(changes(5, 60), "bad"), candidate(changes(40, 5), "good")], GATE)

    assert [one.verdict for one in found] == ["FAIL", "PASS"]


def test_a_judgement_is_a_record_that_survives_json():
    found = verdict(changes(40, 5))

    assert msgspec.json.decode(msgspec.json.encode(found), type=type(found)) == found


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_candidate_exactly_at_the_margin_passes_at_most_once_in_forty():
    """A/B runs whose true loss is the margin itself: the false alarms of the gate, at most 2.5 % and the simulation's error."""
    generator = np.random.default_rng(11)
    gate = GATE._replace(resamples=999)
    passed = 0
    for seed in range(1500):
        drawn = generator.choice([-1.0, 0.0, 1.0], size=200, p=[0.13, 0.79, 0.08])
        passed += judge([candidate(drawn)], gate._replace(seed=seed))[0].verdict == "PASS"

    assert passed / 1500 <= 0.025 + 3 * (0.025 * 0.975 / 1500) ** 0.5


def simulated(loss, gate, rounds=1000):
    """Judgements on noisy judges' scores of a candidate that is worse by `loss` (negative: better)."""
    generator = np.random.default_rng(23)
    for seed in range(rounds):
        difficulty = generator.beta(2, 1, 200)
        old = np.clip(generator.normal(difficulty, 0.15), 0, 1)
        new = np.clip(generator.normal(difficulty - loss, 0.15), 0, 1)
        yield judge([candidate(new - old)], gate._replace(seed=seed))[0]


@pytest.mark.long
@pytest.mark.timeout(600)
def test_of_a_thousand_comparisons_with_itself_hardly_any_fails_or_claims_to_be_better():
    found = list(simulated(0.0, GATE._replace(margin=0.01, resamples=999)))

    assert sum(one.verdict == "FAIL" for one in found) <= 20
    assert sum(one.better for one in found) <= 25 + 3 * 5


@pytest.mark.long
@pytest.mark.timeout(600)
def test_an_effect_of_the_size_that_is_printed_is_seen_eight_times_in_ten():
    generator = np.random.default_rng(5)
    spread = np.array([generator.choice([-1.0, 0.0, 1.0], p=[0.1, 0.8, 0.1]) for _ in range(200)])
    effect = minimum_detectable_effect(spread)
    better = 0
    for seed in range(1000):
        drawn = generator.choice([-1.0, 0.0, 1.0], size=200, p=[0.1 - effect / 2, 0.8, 0.1 + effect / 2])
        better += judge([candidate(drawn)], GATE._replace(seed=seed, resamples=999))[0].better

    assert 0.75 <= better / 1000 <= 0.87
