"""The shipped example: its questions are what they claim to be, its rules only quote, and the index finds enough."""

import builtins
import importlib
import json
import re
import sys
from functools import partial
from pathlib import Path

import msgspec
import pytest

from flyball.datasets import service as datasets
from flyball.datasets.jobs import JOBS as DATASET_JOBS
from flyball.datasets.records import Declaration
from flyball.functions.passages import Passages
from flyball.functions.records import PinnedVariant
from flyball.functions.rules import RuleTools
from flyball.functions.spans import SpanLog
from flyball.indexes import retriever
from flyball.indexes import service as indexes
from flyball.indexes.analysis import name_terms
from flyball.indexes.jobs import JOBS as INDEX_JOBS
from flyball.indexes.records import IndexDeclaration
from flyball.infra.jobs.immediate import run_immediately

EXAMPLE = Path(__file__).parents[2] / "examples" / "ask-stdlib"
QUESTIONS = [json.loads(line) for line in (EXAMPLE / "questions.jsonl").read_text().splitlines()]
HELD_OUT = [json.loads(line) for line in (EXAMPLE / "held-out.jsonl").read_text().splitlines()]
ENDINGS = re.compile(r"(ations?|ings?|ies|ed|es|ions?|ly|ers?|s)$")


def _stem(word: str) -> str:
    found = ENDINGS.sub("", word)
    return found if len(found) >= 3 else word


def _overlap(question: str, name: str) -> set[str]:
    """Words of the question that are words of the name, or parts of them, or have such a part."""
    own = {part for word in re.findall(r"[A-Za-z]+|\d+", name) for part in (word.lower(), *name_terms(word))}
    asked = set(re.findall(r"[a-z]+|\d+", question.lower()))
    return {
        word
        for word in asked
        for part in own
        if _stem(word) == _stem(part) or (len(word) >= 4 and word in part) or (len(part) >= 4 and part in word)
    }


def _exists(name: str) -> bool:
    words = name.split(".")
    for count in range(len(words), -1, -1):
        try:
            found = importlib.import_module(".".join(words[:count])) if count else builtins
            for word in words[count:]:
                found = getattr(found, word)
        except (ImportError, AttributeError):
            continue
        return True
    return False


def test_every_question_has_what_an_evaluation_needs():
    assert len(QUESTIONS) >= 120
    assert len({row["id"] for row in QUESTIONS}) == len(QUESTIONS)
    assert len({row["question"].lower() for row in QUESTIONS}) == len(QUESTIONS)
    for row in QUESTIONS:
        assert row.keys() == {"id", "question", "expected", "answer", "wording"}
        assert row["question"].strip()
        assert len(row["answer"].split()) >= 5
        assert row["wording"] in ("named", "paraphrase")


@pytest.mark.skipif(sys.platform != "linux", reason="one expected name is that of Linux")
def test_every_expected_name_exists_in_this_interpreter():
    assert [name for row in QUESTIONS for name in row["expected"] if not _exists(name)] == []


def test_at_least_half_of_the_questions_use_no_word_of_the_names_that_answer_them():
    paraphrases = [row for row in QUESTIONS if row["wording"] == "paraphrase"]

    overlaps = {
        row["id"]: found
        for row in paraphrases
        for name in row["expected"]
        if (found := _overlap(row["question"], name))
    }
    assert overlaps == {}
    assert len(paraphrases) * 2 >= len(QUESTIONS)


def test_the_questions_for_tuning_are_others():
    tuning = [
        json.loads(line)
        for line in (EXAMPLE.parents[1] / "tests/indexes/tuning_questions.jsonl").read_text().splitlines()
    ]

    assert not {row["question"].lower() for row in tuning} & {row["question"].lower() for row in QUESTIONS}
    assert not {row["expected"][0] for row in tuning} & {name for row in QUESTIONS for name in row["expected"]}


@pytest.fixture
async def index(ctx):
    run = await datasets.import_later(ctx, "stdlib", Declaration(source="stdlib"))
    await run_immediately(ctx, DATASET_JOBS[0], run.arguments)
    run = await indexes.build_later(ctx, "stdlib", IndexDeclaration(dataset="stdlib"))
    await run_immediately(ctx, INDEX_JOBS[0], run.arguments)
    return await indexes.get_version(ctx, "stdlib")


@pytest.fixture
def rules(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLE))
    monkeypatch.delitem(sys.modules, "ask_rules", raising=False)
    return importlib.import_module("ask_rules")


def _tools(ctx, index) -> RuleTools:
    retrieval = {"index": "stdlib", "k": 10, "version": msgspec.to_builtins(index)}
    variant = PinnedVariant(function="ask-stdlib", name="rule", kind="rules", spec={"retrieval": retrieval}, hash="")
    log = SpanLog(variant, {}, None, ctx.clock)
    return RuleTools(Passages(variant, partial(retriever.search, ctx.layout), log, ctx.clock))


def test_the_held_out_questions_are_a_strangers():
    shipped = {row["question"].lower() for row in QUESTIONS}

    assert len(HELD_OUT) == 100
    assert [name for row in HELD_OUT for name in row["expected"] if not _exists(name)] == []
    assert not {row["question"].lower() for row in HELD_OUT} & shipped
    assert {
        row["id"]: found
        for row in HELD_OUT
        if row["wording"] == "paraphrase"
        for name in row["expected"]
        if (found := _overlap(row["question"], name))
    } == {}


async def test_the_expected_object_is_among_the_first_five_often_enough(ctx, index):
    titles = {
        row["id"]: [p.title for p in retriever.search(ctx.layout, index, row["question"], 5)] for row in QUESTIONS
    }

    hits = {row["id"]: not set(row["expected"]).isdisjoint(titles[row["id"]]) for row in QUESTIONS}
    assert sum(hits.values()) / len(hits) >= 0.78


async def test_answers_only_quote_and_every_quote_is_the_documents_text(ctx, index, rules):
    tools = _tools(ctx, index)
    version = await datasets.get_version(ctx, "stdlib")
    texts = {row.row_id: row.text for row in await datasets.read_rows(ctx, version)}

    for row in QUESTIONS[::5]:
        for rule in (rules.best_passage, rules.best_sentences):
            answer = rule({"question": row["question"]}, tools)
            assert answer.text == "\n".join(citation.quote for citation in answer.citations)
            for citation in answer.citations:
                assert texts[citation.document_id][citation.start : citation.end] == citation.quote
                assert (citation.licence, citation.dataset_version) == ("PSF-2.0", version.id)


async def test_a_question_without_known_words_is_answered_honestly(ctx, index, rules):
    tools = _tools(ctx, index)

    for rule in (rules.best_passage, rules.best_sentences):
        answer = rule({"question": "xyzzy plugh"}, tools)
        assert (answer.text, answer.citations) == (rules.NOTHING, ())
