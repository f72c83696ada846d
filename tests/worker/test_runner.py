"""The runner behind its socket: orders in, lines out, whatever goes wrong in between."""

import asyncio
import contextlib
import socket

import msgspec
import pytest

from flyball.functions import rules
from flyball.functions.errors import VariantFailedError
from flyball.functions.records import Answer, CallIds, PinnedVariant
from flyball.gateway.orders import LEFT_PATH, RUN_PATH, RunLine, RunOrder
from flyball.infra.sockets.http_over_unix import HttpOverUnix
from flyball.infra.sockets.serving import Server, bind_unix
from flyball.kit.clock import SystemClock
from flyball.traces.records import Span
from flyball.worker import runner

VARIANT = PinnedVariant(function="f", name="rules", kind="rules", spec={}, hash="sha256:v")
IDS = CallIds(project="default", trace_id="a" * 32, parent_id="b" * 16)
SPAN = Span(trace_id="a" * 32, span_id="c" * 16, name="f / rules", start_ns=1, end_ns=2)


@pytest.fixture
async def ask(data_dir):
    path = data_dir / "runner.sock"
    server = Server(runner.RunnerApp(None, SystemClock()))
    bound = bind_unix(path)
    serving = asyncio.create_task(server.serve([bound]))
    client = HttpOverUnix(path)

    async def ask(body=None, *, stream=False, target=RUN_PATH):
        order = RunOrder(variant=VARIANT, input={"question": "x"}, ids=IDS, stream=stream, guarded=False)
        data = msgspec.json.encode(order) if body is None else body
        async with client.request("POST", target, body=data) as reply:
            said = await reply.read_all()
        return [msgspec.json.decode(line, type=RunLine) for line in said.splitlines()]

    while not server.started:
        await asyncio.sleep(0.01)
    ask.server = server
    yield ask
    client.close()
    server.should_exit = True
    await serving


@pytest.fixture
def run_as(monkeypatch):
    return lambda run: monkeypatch.setattr(runner, "run_variant", run)


async def test_the_answer_comes_as_one_line_with_everything_in_it(ask, run_as):
    async def run(variant, given, *, ids, on_delta, **_):
        assert (variant, given, ids, on_delta) == (VARIANT, {"question": "x"}, IDS, None)
        return Answer(text="yes", spans=(SPAN,))

    run_as(run)

    assert await ask() == [RunLine(answer=Answer(text="yes", spans=(SPAN,)))]


async def test_pieces_come_while_it_writes(ask, run_as):
    async def run(*_, on_delta, **__):
        for word in ("a ", "", "b"):
            await on_delta(word)
        return Answer(text="a b")

    run_as(run)

    assert await ask(stream=True) == [RunLine(delta="a "), RunLine(delta="b"), RunLine(answer=Answer(text="a b"))]


async def test_a_failure_comes_with_its_words_status_and_spans(ask, run_as):
    async def run(*_, **__):
        failure = VariantFailedError("function 'f', variant 'rules': line 3", next_step="mend it")
        failure.spans = (SPAN,)
        raise failure

    run_as(run)

    (line,) = await ask()
    assert (line.refusal.status, line.refusal.code, line.refusal.next_step) == (502, "variant_failed", "mend it")
    assert line.refusal.spans == (SPAN,)


async def test_a_mistake_of_ours_is_an_answer_too_and_the_runner_goes_on(ask, run_as, caplog):
    async def broken(*_, **__):
        raise KeyError("ours")

    async def whole(*_, **__):
        return Answer(text="yes")

    run_as(broken)
    (line,) = await ask()
    assert (line.refusal.status, line.refusal.code) == (500, "internal_error")
    assert "an execution failed" in caplog.text

    run_as(whole)
    assert (await ask())[0].answer.text == "yes"


@pytest.mark.parametrize("body", [b"", b"{}", b"nonsense"])
async def test_an_order_that_is_none_is_refused(ask, body):
    (line,) = await ask(body)

    assert line.refusal.status == 400


async def test_there_is_one_path(ask):
    (line,) = await ask(target="/other")

    assert line.refusal.status == 404


async def test_a_run_is_given_up_when_the_gateway_hangs_up(ask, run_as):
    given_up = asyncio.Event()

    async def run(*_, **__):
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            given_up.set()
            raise

    run_as(run)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ask(), 0.2)

    await asyncio.wait_for(given_up.wait(), 1)


async def test_what_a_run_did_can_be_asked_for_when_its_caller_has_gone(ask, run_as):
    async def run(*_, when_cancelled, **__):
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            when_cancelled((SPAN,))
            raise

    run_as(run)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(ask(), 0.2)

    [line] = await ask(msgspec.json.encode(IDS), target=LEFT_PATH)
    [again] = await ask(msgspec.json.encode(IDS), target=LEFT_PATH)
    assert (line.refusal.code, line.refusal.spans, again.refusal.spans) == ("cancelled", (SPAN,), ())


async def test_asking_for_a_run_that_goes_on_ends_it(ask, run_as):
    async def run(*_, when_cancelled, **__):
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            when_cancelled((SPAN,))
            raise

    run_as(run)
    asking = asyncio.create_task(ask())
    await asyncio.sleep(0.1)

    [line] = await ask(msgspec.json.encode(IDS), target=LEFT_PATH)
    assert line.refusal.spans == (SPAN,)
    with contextlib.suppress(Exception):
        await asking


async def test_what_a_run_did_is_known_though_nobody_read_its_answer(ask, run_as):
    async def run(*_, **__):
        return Answer(text="yes", spans=(msgspec.structs.replace(SPAN, output="said"),))

    run_as(run)
    await ask()

    [line] = await ask(msgspec.json.encode(IDS), target=LEFT_PATH)
    assert line.refusal.spans == (SPAN,)


@pytest.mark.parametrize("body", [b"", b"{}", b"nonsense", b"[1]"])
async def test_asking_for_nothing_is_refused(ask, body):
    [line] = await ask(body, target=LEFT_PATH)

    assert line.refusal.status == 400


async def test_told_to_stop_it_lets_a_run_end(ask, run_as):
    async def run(*_, **__):
        await asyncio.sleep(0.3)
        return Answer(text="done")

    run_as(run)
    asking = asyncio.create_task(ask())
    await asyncio.sleep(0.1)
    ask.server.stop()

    assert (await asking)[0].answer.text == "done"


async def test_its_socket_is_for_the_owner_alone(data_dir):
    path = data_dir / "s"
    bound = bind_unix(path)

    assert path.stat().st_mode & 0o777 == 0o600
    assert bound.family == socket.AF_UNIX
    bound.close()


async def test_a_runner_whose_rules_do_not_stop_ends_so_that_it_is_started_anew(ask, monkeypatch):
    monkeypatch.setattr(runner, "_LOOK_SECONDS", 0.01)
    lost = [rules.Wasted(0, 0.0), rules.Wasted(1, 3.0), rules.Wasted(1, 11.0)]
    monkeypatch.setattr(runner, "wasted", lambda: lost.pop(0))

    await runner._leave_when_rules_do_not_stop(ask.server)

    assert ask.server.should_exit
    assert lost == []
