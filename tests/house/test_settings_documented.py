"""A knob is a row: the table, the record and the documentation say the same."""

from pathlib import Path

import pytest

from flyball.kit.errors import InvalidInputError
from flyball.settings import KNOBS, Settings, load_settings

DOCS = Path(__file__).parents[2] / "docs"


def test_every_field_is_a_knob_with_the_same_default():
    assert {knob.name: knob.default for knob in KNOBS} == {
        name: getattr(Settings(), name) for name in Settings.__struct_fields__
    }


def test_every_knob_is_documented():
    page = (DOCS / "settings.md").read_text()

    assert [knob.variable for knob in KNOBS if f"`{knob.variable}`" not in page] == []


def test_an_option_wins_over_the_environment_which_wins_over_the_default():
    settings = load_settings({"FLYBALL_PORT": "5000", "FLYBALL_HOST": "::1"}, port=6000)

    assert (settings.port, settings.host, settings.workers) == (6000, "::1", 1)


def test_a_value_of_the_wrong_type_names_the_variable_and_the_value():
    with pytest.raises(InvalidInputError, match=r"FLYBALL_PORT='many' is not a int"):
        load_settings({"FLYBALL_PORT": "many"})
