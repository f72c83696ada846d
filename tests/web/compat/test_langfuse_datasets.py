"""Datasets, their items and runs over them, through the Langfuse SDK; and the version that flyball freezes from the items."""

import itertools

import pytest
from recorded import spans_of

_numbers = itertools.count(1)


@pytest.fixture
def name(sdk):
    return f"Capitals {sdk.major}/{next(_numbers)}"


def test_items_are_put_in_changed_and_seen_as_they_were(sdk, name):
    seen = sdk.play("datasets", name=name, item=name)

    italy, france, spain = {"country": "Italy"}, {"country": "France"}, {"country": "Spain"}
    assert seen == {
        "dataset": [name, "capitals", {"team": "x"}],
        "items": [
            [f"{name}-1", italy, "Rome", {"n": 1}, "ACTIVE", name],
            [f"{name}-2", france, "Paris", None, "ACTIVE", name],
            [f"{name}-3", spain, "Madrid", None, "ARCHIVED", name],
        ],
        "then": [[f"{name}-1", "Rome", "ACTIVE"], [f"{name}-2", "Lyon", "ACTIVE"], [f"{name}-3", "Madrid", "ACTIVE"]],
        "left": [f"{name}-2", f"{name}-3"],
        "listed": True,
    }


def test_a_version_is_frozen_from_the_active_items(newest):
    newest.play("datasets", name="towns", item="town")

    version = newest.server.run("datasets", "freeze", "towns")
    again = newest.server.run("datasets", "freeze", "towns")

    assert (version["version"], version["rows"]) == (1, 1)
    assert (again["id"], again["hash"]) == (version["id"], version["hash"])
    [row] = newest.server.run("datasets", "rows", "towns")["items"]
    assert row["row_id"] == "town-2"
    assert row["data"]["country"] == "France"
    assert row["data"]["expected"] == "Paris"


def test_an_experiment_goes_through_the_items_and_is_found_again(sdk, name):
    seen = sdk.play("experiment", name=name, item=name)

    assert seen["results"] == [[f"{name}-{number}", number * 2, 1.0] for number in range(3)]
    assert seen["share"] == [1.0]
    if sdk.major < 5:
        assert seen["runs"] == ["run one"]
        assert seen["again"] == [True, [f"{name}-{number}" for number in range(3)]]
    if sdk.major > 3:
        assert seen["experiment"] == [True, "run one", 3, None]
        assert seen["items"] == [[f"{name}-{number}", {"n": number}, number * 2, number * 2] for number in range(3)]
    tree, spans = spans_of(sdk.server, seen["traces"][0], until=lambda spans: "double" in spans)
    assert spans["double"]["kind"] == "llm"
    assert [(score["name"], score["value"]) for score in tree["scores"]] == [("right", 1.0)]
    [share] = sdk.server.run(
        "sql", f"select value from scores where target_kind = 'run' and target_id = '{seen['id']}'"
    )
    assert share == {"value": 1.0}
