"""Rules: the operator's code gets an input and tools, and whatever it does, the caller gets an answer or a clear error."""

import asyncio
import dataclasses
import sys
import threading

import pytest

from flyball.functions.errors import (
    InputMismatchError,
    OutputMismatchError,
    VariantFailedError,
    VariantTimedOutError,
    VariantUnavailableError,
)
from flyball.functions.execution import run_variant
from flyball.functions.records import CallIds
from flyball.functions.rules import wasted
from flyball.indexes.errors import IndexFilesMissingError

ASKED = {"question": "What colour is the sky?"}
BEST_PASSAGE = """
from flyball.functions import Answer

def answer(input, tools):
    passages = tools.retrieve(input["question"], k=3)
    best = passages[0]
    return Answer(text=best.text[:16], citations=(tools.cite(best, 0, 16),))
"""


async def test_a_rule_retrieves_answers_and_cites_with_offsets_into_the_document(rule, tools):
    answer = await run_variant(rule(BEST_PASSAGE), ASKED, tools=tools)

    (citation,) = answer.citations
    assert answer.text == "The sky is blue."
    assert (citation.start, citation.end, citation.quote) == (100, 116, "The sky is blue.")
    assert (citation.document_id, citation.licence, citation.source) == ("d1", "MIT", "file.py:1")
    assert (citation.index_version, citation.dataset_version) == ("ixv_1", "dsv_1")
    assert [found.document_id for found in answer.passages] == ["d1", "d2", "d3"]
    assert (answer.cost_nano_usd, answer.usage) == (0, None)


async def test_its_spans_hang_where_the_caller_says(rule, tools):
    ids = CallIds(project="default", trace_id="a" * 32, parent_id="b" * 16, release="rel_1")

    answer = await run_variant(rule(BEST_PASSAGE), ASKED, tools=tools, ids=ids)

    own, retrieval = answer.spans
    assert (own.kind, own.parent_id, own.status, own.release) == ("variant", "b" * 16, "ok", "rel_1")
    assert (retrieval.kind, retrieval.parent_id, retrieval.input) == ("retrieval", own.span_id, ASKED["question"])
    assert retrieval.attributes["index_version"] == "ixv_1"
    assert [found["chunk_id"] for found in retrieval.attributes["passages"]] == ["c1", "c2", "c3"]
    assert own.attributes["citations"][0]["document_id"] == "d1"
    assert own.start_ns <= retrieval.start_ns <= retrieval.end_ns <= own.end_ns


async def test_a_plain_text_and_a_plain_dict_are_answers(rule, tools):
    output = {"type": "object", "properties": {"queue": {"type": "string"}}, "required": ["queue"]}

    as_text = await run_variant(rule("def answer(input, tools): return 'billing'", output=output), ASKED, tools=tools)
    as_dict = await run_variant(
        rule("def answer(input, tools): return {'queue': 'billing'}", output=output), ASKED, tools=tools
    )

    assert (as_text.text, as_text.output) == ("billing", {"queue": "billing"})
    assert (as_dict.text, as_dict.output) == ("billing", {"queue": "billing"})


async def test_a_rule_may_order_the_passages_anew(rule, tools):
    source = """
from flyball.functions import Answer
def answer(input, tools):
    found = tools.retrieve("x")
    return Answer(text="x", passages=tuple(tools.reference(p) for p in reversed(found)))
"""
    answer = await run_variant(rule(source), ASKED, tools=tools)

    assert [found.document_id for found in answer.passages] == ["d2", "d1"]


async def test_streaming_a_rule_gives_its_text_in_one_piece(rule, tools):
    pieces = []

    async def collect(piece):
        pieces.append(piece)

    await run_variant(rule(BEST_PASSAGE), ASKED, tools=tools, on_delta=collect)

    assert pieces == ["The sky is blue."]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def answer(input, tools):\n    x = 1\n    return x / 0", "ask_rules.py:3: ZeroDivisionError"),
        ("import does_not_exist\ndef answer(input, tools): ...", "ask_rules.py:1: ModuleNotFoundError"),
        ("def answer(input, tools):\n    raise SystemExit(3)", "ask_rules.py:2: SystemExit: 3"),
        ("def answer(input, tools):\n    raise StopIteration", "ask_rules.py:2: StopIteration"),
        ("def answer(input, tools):\n    return answer(input, tools)", "RecursionError"),
        ("def answer(input, tools): return 3", "returned int"),
        ("def answer(input, tools): pass", "returned NoneType"),
        (
            "from flyball.functions import Answer\ndef answer(input, tools): return Answer(text=3)",
            "returned a wrong Answer",
        ),
        ("def answer(input, tools): return '\\ud800 half a character'", "returned a wrong Answer"),
        ("def answer(input, tools):\n    x = []\n    x.append(x)\n    return {'x': x}", "returned a wrong Answer"),
        ("def answer(input, tools): return {1: object()}", "returned a wrong Answer"),
        ("def answer(input, tools): return 'x' * 20_000_000", "the most is 8,388,608"),
        ("answer = 3", "defines no function 'answer'"),
        ("def answer(input):\n    return 'x'", "TypeError"),
        (
            "def answer(input, tools):\n    return tools.cite(tools.retrieve('x')[0], 5, 5000)",
            "cite(5, 5000) lies outside",
        ),
    ],
)
async def test_a_rule_that_fails_is_told_with_function_variant_file_and_line(rule, tools, source, message):
    with pytest.raises(VariantFailedError) as caught:
        await run_variant(rule(source), ASKED, tools=tools)

    assert "function 'ask', variant 'rules'" in caught.value.message or "ask_rules.py" in caught.value.message
    assert message in caught.value.message
    assert caught.value.spans[0].status == "error"
    assert caught.value.spans[0].error == caught.value.message


async def test_loading_what_searches_is_not_on_the_rule_s_time(rule, tools):
    async def slowly() -> None:
        await asyncio.sleep(0.4)

    source = "def answer(input, tools):\n    return tools.retrieve(input['question'])[0].text\n"

    answer = await run_variant(
        rule(source, timeout_seconds=0.3), ASKED, tools=dataclasses.replace(tools, ready_to_search=slowly)
    )

    assert answer.text


async def test_a_rule_that_takes_too_long_is_given_up_and_its_thread_ends(rule, tools):
    before = threading.active_count()

    with pytest.raises(VariantTimedOutError, match=r"took longer than 0\.2 s"):
        await run_variant(
            rule("def answer(input, tools):\n    while True: pass", timeout_seconds=0.2), ASKED, tools=tools
        )

    for _ in range(100):
        if threading.active_count() <= before:
            break
        await asyncio.sleep(0.02)
    assert threading.active_count() <= before


@pytest.mark.alone
async def test_a_slow_rule_holds_up_nobody_else(rule, tools):
    slow = rule("import time\ndef answer(input, tools):\n    time.sleep(2)\n    return 'slow'")
    waiting = asyncio.create_task(run_variant(slow, ASKED, tools=tools))
    await asyncio.sleep(0.05)

    await run_variant(rule(BEST_PASSAGE), ASKED, tools=tools)

    assert not waiting.done()
    assert (await waiting).text == "slow"


async def test_rules_without_an_index_are_told_how_to_declare_one(rule, tools):
    with pytest.raises(VariantFailedError, match="declares no index") as caught:
        await run_variant(
            rule("def answer(input, tools):\n    tools.retrieve('x')", retrieval=None), ASKED, tools=tools
        )

    assert "retrieval: {index: NAME}" in caught.value.next_step


async def test_an_index_that_was_never_built_makes_the_variant_unavailable(rule, tools, retrieval):
    variant = rule(BEST_PASSAGE, retrieval=retrieval | {"version": None})

    with pytest.raises(VariantUnavailableError, match="flyball index build docs"):
        await run_variant(variant, ASKED, tools=tools)


async def test_lost_index_files_make_it_unavailable_with_the_command_that_helps(rule, tools):
    def search(version, query, k):
        raise IndexFilesMissingError("docs", 1, "no such folder")

    import dataclasses

    with pytest.raises(VariantUnavailableError) as caught:
        await run_variant(rule(BEST_PASSAGE), ASKED, tools=dataclasses.replace(tools, search=search))

    assert "flyball index build docs --version 1" in caught.value.next_step
    assert [span.kind for span in caught.value.spans] == ["variant", "retrieval"]


@pytest.mark.parametrize("wrong", [{}, {"question": 3}])
async def test_an_input_that_does_not_fit_is_refused_before_anything_runs(rule, tools, wrong):
    with pytest.raises(InputMismatchError, match="question"):
        await run_variant(rule(BEST_PASSAGE), wrong, tools=tools)


async def test_an_answer_that_does_not_fit_the_output_schema_is_an_error(rule, tools):
    output = {"type": "object", "properties": {"queue": {"enum": ["billing"]}}, "required": ["queue"]}

    with pytest.raises(OutputMismatchError, match="queue: 'sales' is not one of"):
        await run_variant(
            rule("def answer(input, tools): return {'queue': 'sales'}", output=output), ASKED, tools=tools
        )


async def test_a_schema_never_reaches_out_to_the_network(rule, tools):
    output = {"$ref": "http://127.0.0.1:1/schema.json"}

    with pytest.raises(OutputMismatchError, match="not inside it"):
        await run_variant(rule("def answer(input, tools): return {}", output=output), ASKED, tools=tools)


async def test_exactly_the_captured_bytes_run_whatever_lies_in_the_folder(ctx, rule, tools):
    variant = rule("def answer(input, tools): return 'captured'")
    folder = ctx.layout.code / variant.spec["code"]["hash"].removeprefix("sha256:")
    folder.mkdir(parents=True)
    (folder / "ask_rules.py").write_text("def answer(input, tools): return 'tampered'")

    answer = await run_variant(variant, ASKED, tools=tools)

    assert answer.text == "captured"


async def test_two_versions_of_one_module_live_side_by_side(rule, tools):
    one = rule("X = 1\ndef answer(input, tools): return str(X)")
    two = rule("X = 2\ndef answer(input, tools): return str(X)")

    texts = [(await run_variant(variant, ASKED, tools=tools)).text for variant in (one, two, one)]

    assert texts == ["1", "2", "1"]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a thread has used")
async def test_a_rule_that_does_not_stop_is_counted_with_what_it_burns(rule, tools):
    source = (
        "import time\ndef answer(input, tools):\n    until = time.monotonic() + 2\n"
        "    while time.monotonic() < until:\n        try:\n            while time.monotonic() < until: pass\n"
        "        except BaseException: pass\n"
    )

    with pytest.raises(VariantTimedOutError):
        await run_variant(rule(source, timeout_seconds=0.2), ASKED, tools=tools)
    await asyncio.sleep(1)
    meanwhile = wasted()
    await asyncio.sleep(2)

    assert meanwhile.threads == 1
    assert meanwhile.seconds > 0.1
    assert wasted() == (0, 0)
