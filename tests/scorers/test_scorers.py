"""The shelf of scorers, used as an evaluation uses it."""

import math

import pytest

from flyball import scorers
from flyball.scorers import Answered
from flyball.scorers.token_f1 import token_f1, words


def score(name, answer, row):
    return scorers.get(name).judge(answer, row)


RANKING = Answered(retrieved=("datetime.date", "datetime.date.fromisoformat", "time.strptime"))


@pytest.mark.parametrize(
    ("name", "expected", "value"),
    [
        ("hit_at_1", ["datetime.date"], 1.0),
        ("hit_at_1", ["datetime.date.fromisoformat"], 0.0),
        ("hit_at_2", ["datetime.date.fromisoformat"], 1.0),
        ("hit_at_5", ["json.loads", "time.strptime"], 1.0),
        ("hit_at_5", ["json.loads"], 0.0),
        ("hit_at_5", "time.strptime", 1.0),
    ],
)
def test_a_hit_is_an_expected_document_among_the_first_k(name, expected, value):
    assert score(name, RANKING, {"expected": expected}) == value


@pytest.mark.parametrize(
    ("expected", "value"), [(["datetime.date"], 1.0), (["time.strptime"], 1 / 3), (["json.loads"], 0.0)]
)
def test_the_reciprocal_rank_is_of_the_first_expected_document(expected, value):
    assert score("reciprocal_rank", RANKING, {"expected": expected}) == value


def test_mrr_is_another_name_of_the_reciprocal_rank():
    assert scorers.get("mrr") is scorers.get("reciprocal_rank")


@pytest.mark.parametrize("name", ["hit_at_0", "hit_at_101", "hit_at_", "hit_at_05", "accuracy", ""])
def test_a_scorer_that_does_not_exist_is_not_found(name):
    assert scorers.get(name) is None


def test_squad_words_have_no_articles_punctuation_or_case():
    assert words("The  Quick, brown-fox: a THEATRE, an ant!") == ["quick", "brownfox", "theatre", "ant"]


@pytest.mark.parametrize(
    ("prediction", "reference", "value"),
    [
        ("The dog.", "dog", 1.0),
        ("a cat sat", "the cat sat down", 0.8),
        ("red red blue", "red blue blue", 2 / 3),
        ("bird", "fish", 0.0),
        ("", "", 1.0),
        ("the", "", 1.0),
        ("", "fish", 0.0),
    ],
)
def test_token_f1_counts_words_as_squad_does(prediction, reference, value):
    assert math.isclose(token_f1(prediction, reference), value)


def test_token_f1_takes_the_best_of_several_accepted_answers():
    assert score("token_f1", Answered(text="json.loads"), {"answer": ["pickle.loads", "json.loads"]}) == 1.0


@pytest.mark.parametrize(
    ("output", "reference", "value"),
    [
        ({"queue": "billing"}, {"queue": "billing"}, 1.0),
        ({"queue": "billing", "n": 1}, {"n": 1.0, "queue": "billing"}, 1.0),
        ({"queue": "billing"}, {"queue": "other"}, 0.0),
        ({"urgent": True}, {"urgent": 1}, 0.0),
        ([1, 2], [2, 1], 0.0),
    ],
)
def test_exact_compares_structured_outputs_as_json_values(output, reference, value):
    assert score("exact", Answered(output=output), {"output": reference}) == value


def test_exact_compares_texts_but_for_white_space_around_them():
    assert score("exact", Answered(text=" yes\n"), {"answer": "yes"}) == 1.0
    assert score("exact", Answered(text="Yes"), {"answer": "yes"}) == 0.0


@pytest.mark.parametrize("name", ["hit_at_1", "reciprocal_rank", "token_f1", "exact"])
def test_a_row_without_its_reference_is_not_applicable(name):
    assert score(name, Answered(text="x"), {}) is None
    assert score(name, Answered(text="x"), {"expected": [], "answer": None}) is None


@pytest.mark.parametrize("scorer", scorers.SCORERS.values(), ids=lambda scorer: scorer.name)
def test_every_scorer_says_what_it_needs_and_stays_in_its_range(scorer):
    row = {"expected": ["a"], "answer": "a", "output": "a"}
    right = scorer.judge(Answered(text="a", output="a", retrieved=("a",)), row)
    wrong = scorer.judge(Answered(text="b", output="b", retrieved=("b",)), row)

    assert (right, wrong) == (scorer.highest, scorer.lowest)
    assert scorer.help
    assert scorer.needs
