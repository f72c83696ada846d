"""The eleven steps in their order. Each runs commands that a user could have typed, and says what came out."""

import time
from pathlib import Path
from typing import Any

from rich.markup import escape

from flyball.settings import Settings

from .asking import Application, Asked
from .stage import Running, Stage, StoryError

FUNCTION = "ask-stdlib"
EVALUATION = "ask-stdlib-quality"
DATASET = "stdlib"
QUESTIONS = "stdlib-questions"
INDEX = "stdlib"

# Asked of the live function, half of them with a half-remembered name, half in other words; none stands in the
# evaluation's set. The last is what the story learns from.
ASKED = (
    "How do I shuffle a list in place?",
    "How can I find out which day of the week a date falls on?",
    "Remove the indentation that all lines of a text share, with dedent",
    "Pick a random element from a list",
    "compress bytes with zlib",
    "Wait until several threads have all reached the same point",
    "How do I connect to a sqlite3 database?",
    "Escape a string so that a shell takes it as one word",
    "accumulate running totals with itertools",
    "How do I measure how long a small snippet takes to execute?",
)
EXPLAINED = 7  # the question whose answer is explained at the end
CORRECTION = "timeit.timeit runs a statement many times and returns the seconds that it took."
CORRECT_OBJECT = "timeit.timeit"


def tell(settings: Settings, example: Path, *, once: bool) -> None:
    """Tell the whole story; stay up at its end unless `once`.

    Raises:
        StoryError: a step did not do what it should; flyball is stopped again.
    """
    if not (example / "flyball.yaml").is_file():
        raise StoryError(f"{example} has no flyball.yaml", next_step="run it from the checkout, or give --example DIR")
    stage = Stage(settings)
    began = time.monotonic()
    stage.step("Start", "one port, embedded PostgreSQL, gateway, control, runner, worker")
    with stage.flyball() as running:
        stage.say(f"ready in {running.seconds:.1f} s at {running.address}")
        _prepare(stage, example)
        report = _evaluate(stage)
        _release(stage, report)
        asked = _serve(stage, running)
        _observe(stage, asked)
        _learn(stage, asked[-1], report)
        stage.step("Explain", "from the answer back to the documents, by content hash")
        stage.run("why", asked[EXPLAINED].trace_id)
        _end(stage, running, time.monotonic() - began, once=once)


def _prepare(stage: Stage, example: Path) -> None:
    stage.step("Collect", "the documentation of the standard library, from the installed interpreter")
    stage.run("datasets", "import", "stdlib", "--name", DATASET)
    stage.step("Index", "passages with offsets into their sources, BM25")
    stage.run("index", "build", INDEX, "--dataset", DATASET)
    stage.step("Declare", "a function, three variants, an evaluation, in one file")
    stage.run("apply", str(example))
    stage.run("datasets", "import", "declared", "--name", QUESTIONS)


def _evaluate(stage: Stage) -> dict[str, Any]:
    stage.step("Evaluate", "every variant on every question; intervals, paired differences, a verdict")
    stage.run("eval", "run", EVALUATION, allowed=(0, 3, 4))
    return _newest_report(stage)


def _newest_report(stage: Stage) -> dict[str, Any]:
    newest: dict[str, Any] = stage.ask("eval", "show", EVALUATION)["reports"]["items"][0]
    return newest


def _release(stage: Stage, report: dict[str, Any]) -> None:
    stage.step("Release", "propose the winner with that evidence, approve exactly those bytes, serve")
    live = [one for one in stage.ask("release", "list", "--function", FUNCTION)["items"] if one["status"] == "live"]
    before = live[0]["id"] if live else ""
    stage.run(
        "release", "propose", FUNCTION, "--evidence", report["id"], "--reason", f"the winner of {report['evaluation']}"
    )
    proposed = stage.ask("release", "list", "--function", FUNCTION)["items"][0]
    stage.run("release", "approve", proposed["id"], "--comment", "read the report and its items")
    stage.run("release", "serve", proposed["id"], *(("--replacing", before) if before else ()))


def _serve(stage: Stage, running: Running) -> list[Asked]:
    stage.step("Serve", f'ten questions through the openai client, model="{FUNCTION}"')
    key = stage.ask("keys", "create", f"demo-{time.time_ns() // 1_000_000}")["key"]
    application = Application(running.address, key, FUNCTION)
    time.sleep(1)  # a key and a release are in force everywhere within a second
    asked = []
    try:
        for number, question in enumerate(ASKED):
            answer = application.ask_streaming(question) if number % 2 else application.ask(question)
            asked.append(answer)
            _print_answer(stage, answer)
    finally:
        application.close()
    return asked


def _print_answer(stage: Stage, answer: Asked) -> None:
    how = "streamed" if answer.streamed else "unary"
    stage.console.print(f"     [bold]Q[/] {escape(answer.question)}  [dim]{how}[/]")
    shortened = " ".join(answer.text.split())
    stage.console.print(f"     [bold]A[/] {escape(shortened[:240])}{'...' if len(shortened) > 240 else ''}")
    for citation in answer.citations[:2]:
        place = f"{citation['title']} [{citation['start']}:{citation['end']}], {citation['licence']}"
        stage.console.print(f"         {place}", style="dim", markup=False)


def _observe(stage: Stage, asked: list[Asked]) -> None:
    stage.step("Observe", "every call is a trace, here and on the page within two seconds")
    deadline = time.monotonic() + 2
    while True:
        seen = {row["trace_id"] for row in stage.ask("traces", "list", "--limit", "50")["items"]}
        missing = [one.trace_id for one in asked if one.trace_id not in seen]
        if not missing:
            break
        if time.monotonic() > deadline:
            raise StoryError(f"{len(missing)} of {len(asked)} traces are not to be seen after two seconds")
    stage.run("traces", "list", "--limit", "10")
    stage.run("traces", "show", asked[-1].trace_id)


def _learn(stage: Stage, wrong: Asked, before: dict[str, Any]) -> None:
    stage.step("Learn", "a thumbs-down becomes a row with the corrected answer, and the next evaluation judges with it")
    stage.run("feedback", wrong.trace_id, "down", "--comment", "name the function", "--correction", CORRECTION)
    row = (
        f'{{"question": "{wrong.question}", "expected": ["{CORRECT_OBJECT}"], '
        f'"answer": "{CORRECTION}", "wording": "paraphrase"}}'
    )
    stage.run("datasets", "add-row", QUESTIONS, "--trace", wrong.trace_id, "--row", row)
    stage.run("eval", "run", EVALUATION, allowed=(0, 3, 4))
    stage.run("eval", "compare", before["id"], _newest_report(stage)["id"])


def _end(stage: Stage, running: Running, seconds: float, *, once: bool) -> None:
    stage.step("Look around", f"the whole loop took {seconds:.0f} s")
    stage.say(f"Pages: {running.address}")
    if running.sign_in:
        stage.say(f"Sign in, once, within the hour: {running.sign_in}")
    if once:
        stage.say("Stopping, because --once was given.")
        return
    stage.say("Stop with Ctrl-C; `flyball up` starts it again with everything in it.")
    stage.stay()
