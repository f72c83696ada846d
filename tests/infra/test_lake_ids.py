"""Looking up a few ids opens the files that hold them, and no others: whatever is remembered of which files, the rows are the same."""

from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.infra.lake import parquet
from flyball.infra.lake.errors import LakeAwayError
from flyball.infra.lake.id_index import IdIndex
from flyball.infra.lake.lake import Lake
from flyball.infra.lake.questions import Holding
from flyball.infra.lake.schema import TableSchema

COLUMNS = [("project", pa.string()), ("trace_id", pa.string()), ("number", pa.int64())]
EVENTS = TableSchema(name="events", sort_by=("number",), find_by=("trace_id",), arrow=pa.schema(COLUMNS))
SQL = "select trace_id, number from events where trace_id in (select unnest($ids)) order by number"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    lake = Lake(tmp_path.as_uri())
    for number in range(40):
        lake.append(EVENTS, [row(number), row(number, "o'clock")], writer="w", sequence=number)
    return lake


def row(number: int, trace_id: str = "") -> dict[str, object]:
    return {"project": "p", "trace_id": trace_id or f"t{number % 20}", "number": number}


def asked(lake: Lake, *ids: str) -> list[int]:
    found = lake.query(SQL, {"ids": list(ids)}, tables=(EVENTS,), where={"events": Holding(ids)})
    return [each["number"] for each in found]


def test_an_id_is_found_in_every_file_that_holds_it_however_often_it_is_asked_for(lake: Lake) -> None:
    for _ in range(4):  # each time more of the files are known
        assert asked(lake, "t3") == [3, 23]
        assert asked(lake, "t3", "t4") == [3, 4, 23, 24]
        assert asked(lake, "nobody's") == []
        assert asked(lake, "o'clock") == list(range(40))


def test_rows_that_come_and_files_that_are_joined_are_seen_at_once(lake: Lake) -> None:
    assert asked(lake, "t3") == [3, 23]
    lake.append(EVENTS, [row(43)], writer="w", sequence=43)
    assert asked(lake, "t3") == [3, 23, 43]
    lake.compact(EVENTS, keep_hours=0)
    assert len(lake.files(EVENTS)) == 1
    assert asked(lake, "t3") == [3, 23, 43]


def test_a_predicate_narrows_the_files_too(lake: Lake) -> None:
    found = lake.query(SQL, {"ids": ["t3"]}, tables=(EVENTS,), where={"events": Holding(("t3",), "number >= 20")})
    assert [each["number"] for each in found] == [23]


def test_as_many_ids_as_nobody_looks_up_one_by_one_are_found_as_well(lake: Lake) -> None:
    assert asked(lake, *(f"t{number}" for number in range(200))) == list(range(40))


def test_a_file_that_has_gone_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(LakeAwayError, match="cannot be read"):
        IdIndex().ask("trace_id", [str(tmp_path / "gone.parquet")], ["t"])


def test_a_file_that_is_older_than_the_column_holds_no_id(lake: Lake) -> None:
    assert IdIndex().ask("another_id", lake.files(EVENTS)[:3], ["t"]) == ([], [])


def test_what_is_remembered_of_very_many_files_has_an_end(lake: Lake) -> None:
    index = IdIndex(650)  # ten files with one id each; these have two

    for _ in range(3):
        index.ask("trace_id", lake.files(EVENTS), ["t3"])

    assert 0 < len(index._known) < 10


@given(
    st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=5), min_size=1, max_size=30),
    st.lists(st.lists(st.sampled_from("abcdefghxyz"), min_size=1, max_size=3), min_size=1, max_size=6),
    st.integers(0, 2_000),
)
def test_what_is_known_names_every_file_that_holds_an_id_and_no_other(tmp_path_factory, held, questions, most) -> None:
    folder = tmp_path_factory.mktemp("files")
    paths = [
        str(folder / parquet.write(EVENTS, folder, EVENTS.fit([row(0, each) for each in ids])).path) for ids in held
    ]
    index = IdIndex(most)  # of which most do not fit

    for ids in questions:
        holding, unknown = index.ask("trace_id", paths, ids)
        known = [path for path in paths if path not in unknown]
        right = {path for path, values in zip(paths, held, strict=True) if set(values) & set(ids)}
        assert set(holding) == right & set(known)
        assert len(unknown) <= max(0, len(paths) - 16)
