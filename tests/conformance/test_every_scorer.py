"""One suite over every member of the shelf of scorers, those made by name included: a new scorer enrols by its line in the table."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball import scorers
from flyball.scorers import Answered

NAMES = (*scorers.SCORERS, *scorers.ALIASES, "hit_at_3", "hit_at_100")
WORDS = st.text(alphabet="ab c.\n'é語", max_size=40)
ANSWERS = st.builds(
    Answered,
    text=WORDS,
    output=st.none() | WORDS | st.dictionaries(WORDS, WORDS, max_size=2),
    retrieved=st.lists(WORDS, max_size=8, unique=True).map(tuple),
)
ROWS = st.fixed_dictionaries(
    {}, optional={"answer": WORDS | st.lists(WORDS, max_size=3), "expected": WORDS | st.lists(WORDS, max_size=3)}
)


@pytest.fixture(params=NAMES)
def scorer(request):
    return scorers.get(request.param)


def test_it_says_what_it_is_and_what_it_needs(scorer):
    assert scorer.help
    assert scorer.needs
    assert scorers.get(scorer.name).name == scorer.name


@given(answer=ANSWERS, row=ROWS)
@pytest.mark.parametrize("name", NAMES)
def test_its_score_is_a_finite_number_within_its_bounds_or_nothing(name, answer, row):
    scorer = scorers.get(name)

    score = scorer.judge(answer, row)

    assert score is None or (math.isfinite(score) and scorer.lowest <= score <= scorer.highest)
    assert not scorer.binary or score in (None, scorer.lowest, scorer.highest)


@given(answer=ANSWERS, row=ROWS)
@pytest.mark.parametrize("name", NAMES)
def test_the_same_answer_gets_the_same_score(name, answer, row):
    scorer = scorers.get(name)

    assert scorer.judge(answer, row) == scorer.judge(answer, row)


def test_a_row_without_its_reference_is_not_applicable(scorer):
    assert scorer.judge(Answered(text="anything", retrieved=("anything",)), {"question": "what?"}) is None


def test_an_empty_answer_never_beats_the_right_one(scorer):
    row = {"answer": "the governor", "expected": ["governor"]}
    right = Answered(text="the governor", output="the governor", retrieved=("governor",))

    assert scorer.judge(right, row) == scorer.highest
    assert scorer.judge(Answered(), row) == scorer.lowest
