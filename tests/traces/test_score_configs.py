"""Score configs and scores that do not fit are refused with what to do instead."""

import msgspec
import pytest

from flyball.traces.score_config_records import (
    Category,
    ScoreConfig,
    ScoreConfigInvalidError,
    ScoreUnfitError,
    check_config,
    value_under,
)


def config(**fields) -> ScoreConfig:
    plain = ScoreConfig(
        id="c", project="p", name="quality", data_type="NUMERIC", created_ns=1, updated_ns=1, created_by="k"
    )
    return msgspec.structs.replace(plain, **fields)


GOOD, BAD = Category(label="good", value=1), Category(label="bad", value=0)


@pytest.mark.parametrize(
    "fields",
    [
        {"data_type": "TEXT", "min_value": 1.0},
        {"min_value": 2.0, "max_value": 1.0},
        {"data_type": "CATEGORICAL"},
        {"categories": (GOOD,)},
        {"data_type": "CATEGORICAL", "categories": (GOOD, GOOD)},
    ],
)
def test_a_config_that_contradicts_itself_is_refused_with_what_to_do(fields):
    with pytest.raises(ScoreConfigInvalidError) as refused:
        check_config(config(**fields))

    assert refused.value.next_step


@pytest.mark.parametrize(
    ("fields", "name", "value", "label"),
    [
        ({"archived": True}, "quality", 1.0, ""),
        ({}, "another", 1.0, ""),
        ({"max_value": 1.0}, "quality", 2.0, ""),
        ({"data_type": "CATEGORICAL", "categories": (GOOD, BAD)}, "quality", None, "superb"),
    ],
)
def test_a_score_that_its_config_does_not_allow_is_refused_with_what_to_do(fields, name, value, label):
    with pytest.raises(ScoreUnfitError) as refused:
        value_under(config(**fields), name, value, label)

    assert refused.value.next_step
