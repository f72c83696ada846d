"""SQL of strangers: what it takes of memory, time, places and secrets, and what it may not see."""

import asyncio
import os

import psutil
import pyarrow as pa
import pytest

from flyball.infra.lake import asking
from flyball.infra.lake.errors import QuestionError, QuestionsBusyError, QuestionTookTooLongError
from flyball.infra.lake.lake import Lake
from flyball.infra.lake.schema import TableSchema
from flyball.infra.processes.environment import bare_environment

BOATS = TableSchema(name="boats", arrow=pa.schema([("project", pa.string()), ("name", pa.string())]))


@pytest.fixture
def lake(tmp_path):
    lake = Lake((tmp_path / "lake").as_uri())
    lake.append(BOATS, [{"project": "a", "name": "Ida"}], writer="w", sequence=1)
    lake.append(BOATS, [{"project": "b", "name": "Otto"}], writer="w", sequence=2)
    return lake


def ask(lake, sql, *, seconds=20.0, rows=100, project="a", relations=None):
    return lake.ask(
        sql,
        tables=(BOATS,),
        where={"boats": f"project = '{project}'"},
        relations=relations,
        deadline_seconds=seconds,
        most_rows=rows,
    )


def test_a_question_sees_the_files_and_relations_it_is_given(lake):
    relation = pa.table({"harbour": ["Emden"]})

    assert ask(lake, "select name, harbour from boats, harbours", relations={"harbours": relation}) == [
        {"name": "Ida", "harbour": "Emden"}
    ]
    assert ask(lake, "select * from range(1000)", rows=3) == [{"range": 0}, {"range": 1}, {"range": 2}]


@pytest.mark.parametrize(
    "sql",
    [
        "select repeat('a', 1000000000)",
        "select array_to_string(range(100000000), ',')",
        "select [x for x in range(200000000)]",
        "select repeat('a', 10000000) from range(1001)",
        "select lpad('a', 1000000000, 'b')",
    ],
)
def test_a_question_that_swells_is_refused_and_this_process_does_not_grow(lake, sql):
    before = psutil.Process().memory_info().rss

    with pytest.raises((QuestionError, QuestionTookTooLongError)):
        ask(lake, sql, seconds=4)
    assert psutil.Process().memory_info().rss - before < 100_000_000


def test_an_answer_larger_than_the_limit_is_refused(lake):
    with pytest.raises(QuestionError, match="bytes"):
        ask(lake, "select repeat('a', 1000000) from range(100)")


def test_a_question_that_does_not_end_is_stopped(lake):
    with pytest.raises(QuestionTookTooLongError):
        ask(lake, "select count(*) from range(1000000) a, range(1000000) b where a.range + b.range = 7", seconds=0.5)


def test_a_child_that_hears_of_no_deadline_is_killed(lake, monkeypatch):
    monkeypatch.setattr(asking, "_PATIENCE_SECONDS", -19.5)

    with pytest.raises(QuestionTookTooLongError):
        ask(lake, "select count(*) from range(1000000) a, range(1000000) b where a.range + b.range = 7", seconds=20)
    assert not [child for child in psutil.Process().children() if "asked" in " ".join(child.cmdline())]


async def test_more_questions_than_there_are_places_are_refused_at_once(lake):
    slow = "select count(*) from range(1000000) a, range(1000000) b where a.range + b.range = 7"
    asked = [asyncio.to_thread(ask, lake, slow, seconds=1.5) for _ in range(asking.AT_ONCE + 2)]

    answers = await asyncio.gather(*asked, return_exceptions=True)

    assert sum(isinstance(answer, QuestionsBusyError) for answer in answers) == 2
    assert await asyncio.to_thread(ask, lake, "select name from boats") == [{"name": "Ida"}]


@pytest.mark.parametrize(
    "sql", ["select current_timestamp", "select timestamptz '2020-01-01 00:00:00+00'", "select * from test_all_types()"]
)
def test_what_cannot_be_told_is_refused_without_words_about_this_machine(lake, sql):
    with pytest.raises(QuestionError) as refused:
        ask(lake, sql)
    assert "/" not in str(refused.value).replace(sql, "")
    assert "Traceback" not in str(refused.value)


def test_a_child_that_works_on_what_somebody_sent_gets_no_secret(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-1")
    monkeypatch.setenv("FLYBALL_DATABASE_URL", "postgresql://u:p@h/d")

    assert {"OPENAI_API_KEY", "FLYBALL_DATABASE_URL"}.isdisjoint(bare_environment())
    assert bare_environment()["PATH"] == os.environ["PATH"]
