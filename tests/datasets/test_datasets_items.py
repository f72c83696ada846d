"""Items of datasets: put in one by one, each with its past; versions frozen from them; experiments over them."""

import msgspec
import pytest

from flyball.audit import service as audit
from flyball.datasets import experiments, items, reading
from flyball.datasets.errors import (
    DatasetNotFoundError,
    EmptyDatasetError,
    ExperimentNotFoundError,
    ItemNotFoundError,
    ItemTakenError,
    NotCollectedError,
)
from flyball.datasets.item_records import About, Experiment, ExperimentItem, Item
from flyball.datasets.records import Declaration
from flyball.datasets.service import declare


def item(id_="a", dataset="towns", **said):
    return Item(item_id=id_, dataset_id="", dataset=dataset, since_ns=0, created_ns=0, created_by="", **said)


@pytest.fixture
async def towns(ctx):
    """An empty dataset."""
    return await items.describe(ctx, "towns", About(title="Towns of the world"))


async def test_an_item_is_seen_as_it_was_at_any_moment(ctx, towns):
    first = await items.put_item(ctx, item(input="Rome"))
    second = await items.put_item(ctx, item(input="Roma"))
    await items.remove_item(ctx, "a")

    def seen(at_ns):
        return items.list_items(ctx, towns.id, at_ns=at_ns)

    assert [one.input for one in (await seen(first.since_ns))[0]] == ["Rome"]
    assert [one.input for one in (await seen(second.since_ns))[0]] == ["Roma"]
    assert await seen(items.NOW) == ((), 0)
    assert (second.created_ns, second.since_ns > first.since_ns) == (first.created_ns, True)


async def test_the_same_item_again_changes_nothing_and_leaves_no_event(ctx, towns):
    first = await items.put_item(ctx, item(input={"n": 1}))
    again = await items.put_item(ctx, item(input={"n": 1}))

    assert again == first
    assert [event.action for event in (await audit.list_events(ctx)).items].count("datasets.put_item") == 1


async def test_an_id_is_one_item_s_in_the_whole_project(ctx, towns):
    await items.describe(ctx, "rivers", About(title="Rivers"))
    await items.put_item(ctx, item())

    with pytest.raises(ItemTakenError, match="'towns'"):
        await items.put_item(ctx, item(dataset="rivers"))
    with pytest.raises(DatasetNotFoundError):
        await items.put_item(ctx, item("b", dataset="nowhere"))
    with pytest.raises(ItemNotFoundError):
        await items.remove_item(ctx, "b")


async def test_nothing_is_put_into_what_is_imported(ctx):
    async with ctx.db.transaction() as connection:
        await declare(connection, ctx, "rows", Declaration(source="jsonl", location="/data/rows.jsonl"))

    with pytest.raises(NotCollectedError):
        await items.put_item(ctx, item(dataset="rows"))
    with pytest.raises(NotCollectedError):
        await items.freeze(ctx, "rows")


async def test_a_version_has_the_active_items_and_the_same_items_make_no_other(ctx, towns):
    with pytest.raises(EmptyDatasetError):
        await items.freeze(ctx, "towns")
    await items.put_item(ctx, item("a", input={"town": "Rome"}, expected_output="Italy", source_trace_id="1" * 32))
    await items.put_item(ctx, item("b", input="Oslo"))
    await items.put_item(ctx, item("c", input="Atlantis", status="ARCHIVED"))

    first = await items.freeze(ctx, "towns")
    again = await items.freeze(ctx, "towns")
    await items.put_item(ctx, item("b", input="Bergen"))
    second = await items.freeze(ctx, "towns")

    assert (first.version, first.rows, again.id, second.version) == (1, 2, first.id, 2)
    rows = await reading.read_rows(ctx, first)
    assert [row.row_id for row in rows] == ["a", "b"]
    assert rows[0].data == {"id": "a", "town": "Rome", "input": {"town": "Rome"}, "expected": "Italy", "metadata": None}
    assert rows[0].lineage["trace"] == "1" * 32
    assert [row.text for row in await reading.read_rows(ctx, second)] == ["", "Bergen"]


async def test_an_experiment_is_the_traces_that_were_made_of_items(ctx, towns):
    run = Experiment(
        id="e", dataset_id=towns.id, name="first", created_ns=0, updated_ns=0, created_by="", metadata={"v": 1}
    )
    made = ExperimentItem(id="x", experiment_id="e", item_id="a", trace_id="1" * 32, created_ns=0)

    for _ in range(2):
        await experiments.record_item(ctx, msgspec.structs.replace(run, metadata=None), made)
    await experiments.record_item(ctx, run, msgspec.structs.replace(made, id="y", item_id="b"))

    found = await experiments.get_experiment(ctx, towns.id, "first")
    assert found.metadata == {"v": 1}
    assert {one.item_id for one in await experiments.list_experiment_items(ctx, found)} == {"a", "b"}
    await experiments.remove_experiment(ctx, found)
    with pytest.raises(ExperimentNotFoundError):
        await experiments.get_experiment(ctx, towns.id, "first")
    assert await experiments.list_experiment_items(ctx, found) == ()
