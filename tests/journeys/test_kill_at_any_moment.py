"""SIGKILL at random moments to random processes while a user goes through the main job; at the end everything is there, once.

A step counts as acknowledged when its command, or its call, has returned success. When it fails because something was
killed, the user does what a user does: looks whether it was done, and repeats it where it was not.
"""

import contextlib
import json
import os
import random
import threading
import time
from collections import Counter
from typing import Any

import openai
import psycopg
import pytest
from psycopg.rows import dict_row

from flyball.datasets.rows import DATASET_ROWS
from flyball.evaluations.results import EVALUATION_RESULTS
from flyball.infra.lake.lake import Lake
from flyball.kit.layout import Layout

from .killing import GivenUpError, Killer, tell

AWAY = 5  # the exit code of a command that found nobody, or a part of flyball away
QUESTION = "How is the lifeboat crew called?"
ANSWER = "Its crew is called by two green rockets."


class AgainError(Exception):
    """Something was away; the step has to be repeated."""


class User:
    """Goes through the main job and remembers what was acknowledged."""

    def __init__(self, flyball, corpus, application) -> None:
        self.step = "nothing"
        self.give_up = threading.Event()
        self.versions: dict[tuple[str, int], int] = {}  # (dataset, version) -> rows
        self.index: dict[str, Any] = {}
        self.reports: list[str] = []
        self.releases: list[str] = []
        self.answers: list[str] = []
        self.judged: list[str] = []
        self.learned: list[str] = []
        self.repeated: Counter[str] = Counter()
        self._flyball = flyball
        self._corpus = corpus
        self._application = application
        self._keys = 0
        self._desk: Any = None

    def prepare(self) -> None:
        """From the folder to a served release."""
        self._do("import", self._import_documents)
        self._do("index", self._build_index)
        self._do("apply", lambda _: self._ask("apply", str(self._corpus.example)))
        self._do("import questions", self._import_questions)
        self._do("keys", self._create_key)
        self.evaluate()
        self.release()

    def go_round(self) -> None:
        """Call, judge, learn."""
        for number in range(4):
            self._do("call streamed" if number % 2 else "call", lambda _, odd=number % 2: self._call(streamed=odd == 1))
        trace_id = self.answers[-1]
        self._do("traces", lambda _: self._ask("traces", "list"))
        self._do("sql", lambda _: self._ask("sql", "select count(*) as spans from spans"))
        self._do("feedback", lambda _: self._ask("feedback", trace_id, "down", "--comment", "too short"))
        self.judged.append(trace_id)
        row = json.dumps({"question": f"{QUESTION} ({trace_id})", "expected": ["Rescue"], "answer": ANSWER})
        words = ("datasets", "add-row", "questions", "--trace", trace_id, "--row", row)
        version = self._do("add-row", lambda _: self._ask(*words))["version"]
        self.versions["questions", version["version"]] = version["rows"]
        self.learned.append(trace_id)

    def come_back(self) -> None:
        """Collect and index the same again: nothing is new."""
        self._do("import again", self._import_documents)
        self._do("index again", self._build_index)

    def evaluate(self) -> None:
        """Run the evaluation."""
        self.reports.append(self._do("eval run", self._evaluate))

    def release(self) -> None:
        """Propose the winner of the newest report, approve, serve."""
        id_ = self._do("release propose", self._propose)
        self._do("release approve", lambda again: self._approve(id_, again=again))
        self._do("release serve", lambda again: self._serve(id_, again=again))
        self.releases.append(id_)

    def _do(self, step: str, attempt) -> Any:
        """Repeat the step until it is done. `attempt` gets 0, or the time at which the first try began."""
        self.step = step
        began_ns, deadline = time.time_ns(), time.monotonic() + 300
        again = 0
        reason = ""
        while time.monotonic() < deadline and not self.give_up.is_set():
            try:
                return attempt(again)
            except AgainError as error:
                self.repeated[step] += 1
                again, reason = began_ns, str(error)
                time.sleep(0.5)
        if self.give_up.is_set():
            raise GivenUpError
        raise AssertionError(f"{step} cannot be done: {reason}")

    def _ask(self, *words: str, allowed: tuple[int, ...] = (0,)) -> Any:
        done = self._flyball.run(*words, timeout=240)  # it may be away for a minute, several times
        if done.code == AWAY:
            raise AgainError(done.err)
        assert done.code in allowed, self._flyball.how_it_ended(words, done)
        return done.told

    def _import_documents(self, _: int) -> None:
        words = ("datasets", "import", "docs", str(self._corpus.documents), "--name", "harbour")
        imported = self._ask(*words, "--licence", "CC-BY-4.0")
        self.versions["harbour", imported["version"]] = imported["rows"]

    def _import_questions(self, _: int) -> None:
        imported = self._ask("datasets", "import", "declared", "--name", "questions")
        self.versions["questions", imported["version"]] = imported["rows"]

    def _build_index(self, _: int) -> None:
        self.index = self._ask("index", "build", "harbour", "--dataset", "harbour")

    def _create_key(self, _: int) -> None:
        self._keys += 1  # a key whose creation was not acknowledged is lost: it is shown once
        key = self._ask("keys", "create", f"desk-{self._keys}")["key"]
        self._desk = self._application(self._flyball.address, key)

    def _evaluate(self, again: int) -> str:
        if again:
            runs = self._ask("runs", "list", "--kind", "evaluations.run")["items"]
            begun = [run for run in runs if run["created_ns"] > again]
            if begun and begun[0]["status"] in ("queued", "running"):
                raise AgainError("it is running")
            if begun:
                assert begun[0]["status"] == "succeeded", begun[0]
                return begun[0]["result"]["report_id"]
        return self._ask("eval", "run", "harbour-quality", allowed=(0, 3, 4))["id"]

    def _propose(self, again: int) -> str:
        if again:
            found = self._ask("release", "list", "--function", "ask-harbour")["items"]
            if found and found[0]["created_ns"] > again:
                return found[0]["id"]
        words = ("release", "propose", "ask-harbour", "--evidence", self.reports[-1], "--variant", "sentence")
        return self._ask(*words, "--reason", "it is better")["id"]

    def _approve(self, id_: str, *, again: int) -> None:
        if again and self._ask("release", "show", id_)["standing"]:
            return
        assert self._ask("release", "approve", id_, "--comment", "read")["standing"]

    def _serve(self, id_: str, *, again: int) -> None:
        if again and self._ask("release", "show", id_)["release"]["status"] == "live":
            return
        assert self._ask("release", "serve", id_)["status"] == "live"

    def _call(self, *, streamed: bool) -> None:
        try:
            answer = self._desk.ask(QUESTION, streamed=streamed)
        except openai.APIStatusError as error:
            # 401 and 404: the key, or the release, is a second old and not yet in force.
            fresh = error.status_code in (401, 404, 409) and not self.answers
            if not fresh and error.status_code not in (502, 503):
                raise
            raise AgainError(str(error)) from None
        except openai.APIConnectionError as error:
            raise AgainError(repr(error)) from None
        assert answer.text == ANSWER
        self.answers.append(answer.trace_id)


class Tables:
    """What is written where, read past flyball: for proofs of "exactly once"."""

    def __init__(self, flyball) -> None:
        self._layout = Layout(flyball.data)
        self._lake = Lake(self._layout.lake.as_uri())

    def facts(self, query: str) -> list[dict[str, Any]]:
        url = f"host={self._layout.sockets} dbname=postgres user=flyball"
        with psycopg.connect(url, row_factory=dict_row) as connection:
            return connection.execute(query).fetchall()

    def rows(self) -> Counter[tuple[str, str]]:
        """(part, row) of the dataset rows in the lake."""
        found = self._lake.query("select part_id, row_id from dataset_rows", tables=[DATASET_ROWS])
        return Counter((one["part_id"], one["row_id"]) for one in found)

    def results(self) -> Counter[tuple[str, str, str]]:
        """(run, item, variant) of the evaluations' results in the lake."""
        sql = "select run_id, item_id, variant from evaluation_results"
        found = self._lake.query(sql, tables=[EVALUATION_RESULTS])
        return Counter((one["run_id"], one["item_id"], one["variant"]) for one in found)


def _assert_datasets(flyball, user: User, tables: Tables) -> None:
    rows = tables.rows()
    assert set(rows.values()) == {1}
    by_part = Counter(part for part, _ in rows)
    versions = tables.facts(
        "select dataset, version, hash, rows, parts from dataset_versions order by dataset, version"
    )
    counted = {(one["dataset"], one["version"]): one["rows"] for one in versions}
    assert {key: counted.get(key) for key in user.versions} == user.versions
    assert [sum(by_part[part["id"]] for part in one["parts"]) for one in versions] == [one["rows"] for one in versions]
    assert len({(one["dataset"], one["hash"]) for one in versions}) == len(versions)  # no import was doubled
    newest = [row["row_id"] for row in _all_rows(flyball, "questions")]
    assert sorted(newest) == sorted([*(f"q{n:02}" for n in range(1, 31)), *(f"trace-{one}" for one in user.learned)])
    built = tables.facts("select id, version, chunks from index_versions")
    assert [(one["id"], one["version"], one["chunks"]) for one in built] == [
        (user.index["version_id"], 1, user.index["chunks"])
    ]
    assert flyball.ask("index", "search", "harbour", "steam crane lifts")["items"][0]["title"] == "cranes"


def _all_rows(flyball, name: str) -> list[dict[str, Any]]:
    rows, cursor = [], None
    while cursor is not False:
        page = flyball.ask("datasets", "rows", name, *(("--cursor", cursor) if cursor else ()))
        rows += page["items"]
        cursor = page["next"] or False
    return rows


def _assert_evaluations(flyball, user: User, tables: Tables) -> None:
    runs = tables.facts("select id, kind, status, error, result from runs")
    assert [run for run in runs if run["status"] != "succeeded"] == []
    reports = tables.facts("select id, run_id, body from evaluation_reports")
    assert sorted(one["run_id"] for one in reports) == sorted(
        run["id"] for run in runs if run["kind"] == "evaluations.run"
    )
    assert {one["id"] for one in reports} >= set(user.reports)
    results = tables.results()
    assert set(results.values()) == {1}
    by_run = Counter(run_id for run_id, _, _ in results)
    assert by_run == {one["run_id"]: 2 * one["body"]["findings"]["items"] for one in reports}
    for id_ in user.reports:
        checked = flyball.ask("eval", "check", id_)
        assert checked["hash_holds"]
        assert checked["results_hold"]
        assert checked["findings_hold"]


def _assert_releases(flyball, user: User, tables: Tables) -> None:
    releases = tables.facts("select id, status from releases order by version")
    assert [one["id"] for one in releases] == user.releases
    assert [one["status"] for one in releases] == [*["superseded"] * (len(releases) - 1), "live"]
    approvals = tables.facts("select release_id from release_approvals")
    assert Counter(one["release_id"] for one in approvals) == dict.fromkeys(user.releases, 1)
    live = tables.facts("select release_id from live_releases")
    assert [one["release_id"] for one in live] == [user.releases[-1]]
    events = tables.facts("select action, object_id from audit_events where action like 'releases.%'")
    told = Counter((one["action"], one["object_id"]) for one in events)
    assert told == {
        (f"releases.{action}", id_): 1 for action in ("propose", "approve", "serve") for id_ in user.releases
    }
    verified = flyball.ask("audit", "verify")
    assert verified["ok"], verified


def _assert_traces(flyball, user: User, tables: Tables) -> None:
    flyball.until(
        lambda: not tables.facts("select id from inbox limit 1"),
        "the inbox does not empty",
        show=lambda: tables.facts("select kind, count(*) from inbox group by 1"),
    )
    assert tables.facts("select * from flush_batches") == []
    spans = Counter((one["trace_id"], one["span_id"]) for one in flyball.sql("select trace_id, span_id from spans"))
    assert set(spans.values()) == {1}
    by_trace = Counter(trace_id for trace_id, _ in spans)
    assert {id_: by_trace[id_] for id_ in user.answers} == dict.fromkeys(user.answers, 3)
    assert len(set(user.answers)) == len(user.answers)
    scores = Counter(one["trace_id"] for one in flyball.sql("select trace_id from scores"))
    assert scores == dict.fromkeys(user.judged, 1)
    chain = flyball.ask("why", user.answers[0])["links"]
    assert [link["kind"] for link in chain if not link["recorded"] or link["verified"] is False] == []


@pytest.mark.timeout(1500)
@pytest.mark.parametrize(("moments", "longest_pause"), [(3, 10.0), pytest.param(30, 7.0, marks=pytest.mark.long)])
def test_a_kill_at_any_moment_loses_nothing_and_doubles_nothing(moments, longest_pause, begin, corpus, application):
    seed = int(os.environ.get("FLYBALL_JOURNEY_SEED") or random.randrange(10**6))
    tell(f"seed {seed}: FLYBALL_JOURNEY_SEED={seed} repeats the choices")
    flyball = begin()
    user = User(flyball, corpus, application)
    killer = Killer(flyball, user, moments=moments, longest_pause=longest_pause, chance=random.Random(seed))
    killer.start()

    rounds = 0
    with contextlib.suppress(GivenUpError):
        user.prepare()
        while killer.is_alive() or rounds < 2:
            rounds += 1
            user.go_round()
            if rounds % 2 == 0:
                user.evaluate()
            if rounds % 3 == 0:
                user.release()
                user.come_back()
    user.step = "the end"
    killer.join()

    if killer.failed is not None:
        raise killer.failed
    assert len(killer.killed) == moments
    tell(f"{rounds} rounds, {len(user.answers)} answers; killed {Counter(one.role for one in killer.killed)}")
    tell(f"steps that were killed in: {Counter(one.step for one in killer.killed)}; repeated {user.repeated}")
    flyball.until(
        lambda: flyball.run("doctor").code == 0, "flyball does not recover", show=lambda: flyball.run("doctor").out
    )
    tables = Tables(flyball)
    flyball.until(
        lambda: not tables.facts("select 1 from runs where status in ('queued', 'running')"), "a run does not end"
    )
    _assert_datasets(flyball, user, tables)
    _assert_evaluations(flyball, user, tables)
    _assert_releases(flyball, user, tables)
    _assert_traces(flyball, user, tables)

    flyball.stop()
    layout = Layout(flyball.data)
    assert list(layout.spool.rglob("*.spool")) == []
    assert list(layout.sockets.glob("*.sock")) == []
    assert list(layout.staging.iterdir()) == []
