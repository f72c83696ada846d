"""The whole loop as a user goes through it: real processes, typed commands, the unmodified `openai` client."""

import http.client
import itertools
import json
import time

import openai
import pytest

# The chain that `why` shows for an answer, in the order in which it shows it.
CHAIN = [
    "answer", "release", "approval", "evaluation", "variant", "code", "index", "passage", "dataset", "document",
]  # fmt: skip
CORRECTED = "Diesel costs one crown a litre."


def _get(address, path):
    connection = http.client.HTTPConnection(address.removeprefix("http://"), timeout=30)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


def _best(flyball, query):
    return flyball.ask("index", "search", "harbour", query)["items"][0]["title"]


def _answer(desk, question):
    """The answer, or None while the key or the release is not yet in force."""
    try:
        return desk.ask(question)
    except openai.APIStatusError:
        return None


def _import_index_declare(flyball, corpus):
    """Collect the folder, index it, declare the function; what cannot be imported is named with its reason."""
    imported = flyball.ask(
        "datasets", "import", "docs", str(corpus.documents), "--name", "harbour", "--licence", "CC-BY-4.0"
    )
    assert (imported["version"], imported["rows"], imported["refused"]) == (1, 12, 2)
    refusals = flyball.ask("datasets", "show", "harbour")["card"]["refusals"]
    assert {one["location"]: one["reason"] for one in refusals} == {
        "empty.txt": "empty",
        "photograph.txt": "binary",
    }
    built = flyball.ask("index", "build", "harbour", "--dataset", "harbour")
    assert built["documents"] == 12
    assert _best(flyball, "steam crane lifts") == "cranes"
    changes = flyball.ask("apply", str(corpus.example))["items"]
    assert {f"{one['kind']} {one['name']}" for one in changes if one["action"] == "create"} >= {
        "function ask-harbour",
        "dataset questions",
        "evaluation harbour-quality",
    }
    assert {one["action"] for one in flyball.ask("diff", str(corpus.example))["items"]} == {"unchanged", "kept"}
    assert flyball.ask("datasets", "import", "declared", "--name", "questions")["rows"] == 30


def _release(flyball, report):
    """Propose the winner on that evidence, approve exactly those bytes, serve; the release's id."""
    proposed = flyball.ask("release", "propose", "ask-harbour", "--evidence", report["id"], "--reason", "it is better")
    assert [share["variant"] for share in proposed["bundle"]["shares"]] == [report["findings"]["winner"]]
    early = flyball.run("release", "serve", proposed["id"])
    assert early.code == 8
    assert "approve" in json.loads(early.err)["error"]["next_step"]
    assert flyball.ask("release", "approve", proposed["id"], "--comment", "read it")["standing"] is True
    live = [
        one["id"]
        for one in flyball.ask("release", "list", "--function", "ask-harbour")["items"]
        if one["status"] == "live"
    ]
    served = flyball.ask("release", "serve", proposed["id"], *(("--replacing", live[0]) if live else ()))
    assert served["status"] == "live"
    return proposed["id"]


def _until_seen(flyball, trace_id):
    """Seconds from now until the trace with all of its spans is in the list."""
    began = time.monotonic()
    flyball.until(
        lambda: any(
            one["trace_id"] == trace_id and one["spans"] == 3
            for one in flyball.ask("traces", "list", "--limit", "5")["items"]
        ),
        "the trace is not to be seen",
    )
    return time.monotonic() - began


def _assert_chain(links, release_id, report_id):
    """Every link is there, is what its hash says, and names the thing that it stands for."""
    by_kind = {kind: list(group) for kind, group in itertools.groupby(links, key=lambda link: link["kind"])}
    assert list(by_kind) == CHAIN
    assert [link["kind"] for link in links if not link["recorded"]] == []
    # An answer that stands in its span has no second copy to be compared with; an index is proven by building it again.
    assert {link["kind"] for link in links if link["verified"] is not True} <= {"answer", "index"}
    assert by_kind["release"][0]["id"] == release_id
    assert by_kind["approval"][0]["facts"]["release"] == release_id
    assert by_kind["evaluation"][0]["id"] == report_id
    assert by_kind["evaluation"][0]["facts"]["verdict"] == "PASS"
    assert by_kind["variant"][0]["title"] == "ask-harbour / sentence"
    assert by_kind["code"][0]["title"] == "harbour_rules:sentence"
    assert by_kind["index"][0]["title"] == "harbour version 1"
    assert by_kind["dataset"][0]["title"] == "harbour version 1"
    assert by_kind["document"][0]["facts"]["licence"] == "CC-BY-4.0"
    assert by_kind["document"][0]["facts"]["source"] == "rescue.md"
    assert by_kind["passage"][0]["facts"]["quote"] == "Its crew is called by two green rockets."


@pytest.mark.alone
@pytest.mark.timeout(300)
def test_the_whole_loop_from_documents_to_an_explained_answer_and_back(begin, corpus, application):
    flyball = begin()
    flyball.start()
    assert _get(flyball.address, flyball.greeting["sign_in"].removeprefix(flyball.address)) == 200

    _import_index_declare(flyball, corpus)
    before = flyball.ask("eval", "run", "harbour-quality")
    assert before["findings"]["verdict"] == "PASS"
    assert before["findings"]["winner"] == "sentence"
    first = _release(flyball, before)

    key = flyball.ask("keys", "create", "harbour-desk")["key"]
    desk = application(flyball.address, key)
    answers = [
        flyball.until(lambda: _answer(desk, "How is the lifeboat crew called?"), "the key is not in force"),
        desk.ask("How is the lifeboat crew called?", streamed=True),
    ]
    assert {answer.text for answer in answers} == {"Its crew is called by two green rockets."}
    assert {answer.citations[0]["title"] for answer in answers} == {"Rescue"}
    assert _until_seen(flyball, answers[1].trace_id) < 2

    wrong = desk.ask("What does diesel cost?")
    flyball.ask("feedback", wrong.trace_id, "down", "--comment", "no price", "--correction", CORRECTED)
    row = {"question": "What does diesel cost?", "expected": ["Fuel"], "answer": CORRECTED}
    added = flyball.ask("datasets", "add-row", "questions", "--trace", wrong.trace_id, "--row", json.dumps(row))
    assert (added["version"]["version"], added["version"]["rows"]) == (2, 31)
    after = flyball.ask("eval", "run", "harbour-quality", allowed=(0, 3, 4))
    assert after["dataset"]["version"] == 2
    compared = flyball.ask("eval", "compare", before["id"], after["id"])
    assert [one["item_id"] for one in compared["new"]] == [f"trace-{wrong.trace_id}"]

    why = flyball.ask("why", answers[1].trace_id)
    _assert_chain(why["links"], first, before["id"])

    second = _release(flyball, after)
    back = flyball.ask("release", "rollback", "ask-harbour", "--reason", "the first was better")
    assert (back["bundle"]["rolls_back_to"], back["bundle"]["supersedes"], back["status"]) == (first, second, "live")
    verified = flyball.ask("audit", "verify")
    assert verified["ok"] is True

    flyball.stop()
    flyball.start()

    assert flyball.ask("audit", "verify")["events"] >= verified["events"]
    assert _get(flyball.address, "/sign-in") == 200
    again = desk.ask("How is the lifeboat crew called?")
    assert again.text == answers[0].text
    assert flyball.ask("datasets", "show", "questions")["rows"] == 31
    assert _best(flyball, "steam crane lifts") == "cranes"
    assert [one["status"] for one in flyball.ask("release", "list")["items"]] == ["live", "superseded", "superseded"]
    assert len(flyball.ask("eval", "show", "harbour-quality")["reports"]["items"]) == 2
    tree = flyball.ask("traces", "show", wrong.trace_id)
    assert [score["label"] for score in tree["scores"]] == ["down"]
    _assert_chain(flyball.ask("why", answers[1].trace_id)["links"], first, before["id"])
    flyball.stop()
