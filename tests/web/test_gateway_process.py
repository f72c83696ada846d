"""The gateway and the runner as they run: processes of their own, over a real database, killed and started again."""

import asyncio
import contextlib
import os
import signal
import socket
import sys

import msgspec
import openai
import psutil
import psycopg
import pytest
from declaring import declare
from psycopg import sql

from flyball.functions import service as functions
from flyball.functions.live import set_live
from flyball.functions.pinning import pin_variants
from flyball.functions.records import FunctionSpec, LiveRelease, PromptVariant, RulesVariant
from flyball.ledger.records import Quota
from flyball.models import service as models
from flyball.models.records import Endpoint, ModelSpec
from flyball.projects import keys as projects
from flyball.prompts import service as prompts
from flyball.testing import ScriptedUpstream, Turn

QUESTION = {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]}
SOURCE = b"""
def answer(input, tools):
    if input["question"] == "fail":
        raise ZeroDivisionError("as asked")
    return "You asked: " + input["question"]
"""
MESSAGES = [{"role": "user", "content": "What day is it?"}]
HEAVY = ("pyarrow", "duckdb", "lancedb", "deltalake", "fastapi", "dbos", "numpy", "pydantic", "sqlalchemy", "jinja2")


@pytest.fixture
async def upstream():
    async with ScriptedUpstream() as upstream:
        yield upstream


@pytest.fixture
async def key(ctx, upstream):
    spec = ModelSpec(endpoints=(Endpoint(provider="openai-compatible", base_url=upstream.base_url, model="small"),))
    rules = FunctionSpec(input=QUESTION, variants={"rules": RulesVariant(code="rules:answer")})
    prompt = FunctionSpec(input=QUESTION, variants={"small": PromptVariant(prompt="ask", model="fast")})
    async with ctx.db.transaction() as connection:
        await models.put(connection, ctx, "fast", spec)
        await prompts.put(connection, ctx, "ask", "ask.md", "---\nvariables: [question]\n---\n{{ question }}\n")
        for name, declared, sources in (("echo", rules, {"rules": SOURCE}), ("ask", prompt, {})):
            function = await functions.put(connection, ctx, name, declared, sources)
            (variant,) = await pin_variants(connection, ctx, function)
            shares = ((variant.hash, 1.0),)
            live = LiveRelease(
                project=ctx.project, function=name, release_id="rel_1", release_hash="sha256:r", shares=shares
            )
            await set_live(connection, ctx, live)
    made = await projects.create_key(ctx, "app")
    return made.secret.reveal()


@pytest.fixture
def listening():
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    bound.listen(128)
    yield bound
    bound.close()


@pytest.fixture
async def start(settings):
    started = []

    async def start(*arguments, inherits=()):
        ready_read, ready_write = os.pipe()
        environment = {
            **os.environ,
            "FLYBALL_DATA": settings.data,
            "FLYBALL_DATABASE_URL": settings.database_url,
            "FLYBALL_READY_FD": str(ready_write),
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", *arguments, env=environment, pass_fds=(*inherits, ready_write)
        )
        started.append(process)
        os.close(ready_write)
        with os.fdopen(ready_read, "rb") as pipe:
            assert await asyncio.to_thread(pipe.read) == b"ready\n"
        return process

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.fixture
async def start_gateway(start, listening):
    return lambda: start("flyball.web", "gateway", "--fd", str(listening.fileno()), inherits=(listening.fileno(),))


@pytest.fixture
def client(listening, key):
    return lambda: openai.AsyncOpenAI(
        base_url=f"http://127.0.0.1:{listening.getsockname()[1]}/v1", api_key=key, max_retries=0
    )


async def recorded(url, count, seconds=4):
    """The spans of calls in the inbox, when there are so many."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        for _ in range(seconds * 50):
            cursor = await connection.execute("select body from inbox")
            spans = [msgspec.json.decode(row[0]) for row in await cursor.fetchall()]
            calls = [span for span in spans if span.get("kind") == "gateway"]
            if len(calls) >= count:
                return spans, calls
            await asyncio.sleep(0.02)
    raise AssertionError(f"{len(calls)} of {count} calls were recorded")


async def test_models_and_functions_are_served_and_every_call_is_in_the_inbox(
    start, start_gateway, client, key, database_url
):
    await asyncio.gather(start_gateway(), start("flyball.worker", "runner"))

    async with client() as calling:
        by_model = await calling.chat.completions.create(model="fast", messages=MESSAGES)
        by_function = await calling.chat.completions.create(model="echo", messages=MESSAGES)
        pieces = [c async for c in await calling.chat.completions.create(model="echo", messages=MESSAGES, stream=True)]
        with pytest.raises(openai.APIStatusError, match="ZeroDivisionError"):
            await calling.chat.completions.create(model="echo", messages=[{"role": "user", "content": "fail"}])

    assert by_model.choices[0].message.content == Turn().text
    assert by_function.choices[0].message.content == "You asked: What day is it?"
    assert by_function.flyball["release"] == "rel_1"
    assert "".join(c.choices[0].delta.content or "" for c in pieces) == "You asked: What day is it?"
    spans, calls = await recorded(database_url, 4)
    assert len(calls) == 4
    children = {span["parent_id"] for span in spans if span.get("parent_id")}
    assert {span["span_id"] for span in calls} <= children


async def test_a_prompts_answer_is_streamed_from_the_model_through_the_runner_to_the_client(
    start, start_gateway, client, key, database_url
):
    await asyncio.gather(start_gateway(), start("flyball.worker", "runner"))

    async with client() as calling:
        asked = {"model": "ask", "messages": MESSAGES, "stream": True, "stream_options": {"include_usage": True}}
        chunks = [chunk async for chunk in await calling.chat.completions.create(**asked)]

    words = [c.choices[0].delta.content for c in chunks if c.choices and c.choices[0].delta.content]
    assert "".join(words) == Turn().text
    assert len(words) > 3
    assert chunks[-1].usage.total_tokens == 20
    spans, _ = await recorded(database_url, 1)
    assert [span["usage"]["output_tokens"] for span in spans if span["kind"] == "llm"] == [9]
    assert len({span["trace_id"] for span in spans}) == 1


async def test_a_runner_that_is_killed_is_an_error_and_the_next_one_answers(start, start_gateway, client, key):
    first, _ = await asyncio.gather(start("flyball.worker", "runner"), start_gateway())
    async with client() as calling:
        await calling.chat.completions.create(model="echo", messages=MESSAGES)
        first.kill()
        await first.wait()
        with pytest.raises(openai.InternalServerError, match="runner") as caught:
            await calling.chat.completions.create(model="echo", messages=MESSAGES)
        assert caught.value.status_code == 503

        await start("flyball.worker", "runner")
        assert (await calling.chat.completions.create(model="echo", messages=MESSAGES)).choices


async def test_what_a_killed_worker_had_not_recorded_the_next_one_records_once(
    start_gateway, client, key, database_url, postgres
):
    first = await start_gateway()
    async with client() as calling:
        await asyncio.gather(*(calling.chat.completions.create(model="fast", messages=MESSAGES) for _ in range(30)))
    first.send_signal(signal.SIGKILL)
    await first.wait()

    await start_gateway()
    async with client() as calling:
        await asyncio.gather(*(calling.chat.completions.create(model="fast", messages=MESSAGES) for _ in range(5)))

    spans, calls = await recorded(database_url, 35)
    assert len(calls) == 35
    assert len({span["span_id"] for span in spans}) == len(spans)


async def test_a_courier_that_is_killed_again_and_again_loses_and_doubles_nothing(
    start_gateway, client, key, database_url
):
    gateway, killed = await start_gateway(), set()
    async with client() as calling:
        for _ in range(6):
            await asyncio.gather(*(calling.chat.completions.create(model="fast", messages=MESSAGES) for _ in range(10)))
            for courier in psutil.Process(gateway.pid).children():
                with contextlib.suppress(psutil.NoSuchProcess):
                    courier.kill()
                    killed.add(courier.pid)
            await asyncio.sleep(0.3)

    spans, calls = await recorded(database_url, 60, seconds=20)
    assert len(killed) > 2
    assert len(calls) == 60
    assert len({span["span_id"] for span in spans}) == len(spans)
    async with asyncio.timeout(20), await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        counted = "select count(*), count(distinct id) from ledger"
        while (await (await connection.execute(counted)).fetchone()) != (60, 60):
            await asyncio.sleep(0.05)


async def test_what_a_worker_had_recorded_before_it_was_told_to_stop_is_there_when_it_has_ended(
    start_gateway, client, database_url
):
    gateway = await start_gateway()
    async with client() as calling:
        await asyncio.gather(*(calling.chat.completions.create(model="fast", messages=MESSAGES) for _ in range(10)))
    for courier in psutil.Process(gateway.pid).children():
        courier.suspend()  # it delivers nothing any more, and ends of nothing but a kill
        courier.kill()
    gateway.send_signal(signal.SIGTERM)

    assert await asyncio.wait_for(gateway.wait(), 20) == 0
    assert len((await recorded(database_url, 10, seconds=1))[1]) == 10


async def test_told_to_stop_it_lets_a_stream_end_and_records_it(start_gateway, client, upstream, database_url):
    upstream.otherwise = Turn(pause_seconds=0.1)
    gateway = await start_gateway()
    seen = []

    async with client() as calling:
        async for chunk in await calling.chat.completions.create(model="fast", messages=MESSAGES, stream=True):
            if not seen:
                gateway.send_signal(signal.SIGTERM)
            seen.append(chunk.choices[0].delta.content or "")

    assert "".join(seen) == Turn().text
    assert await asyncio.wait_for(gateway.wait(), 10) == 0
    assert len((await recorded(database_url, 1))[1]) == 1


@pytest.mark.alone
async def test_a_revoked_key_is_refused_within_a_second(ctx, start_gateway, client):
    await start_gateway()
    async with client() as calling:
        await calling.models.list()
        await projects.revoke_key(ctx, "app")
        await asyncio.sleep(1)

        with pytest.raises(openai.AuthenticationError):
            await calling.models.list()


async def test_while_postgresql_is_away_calls_are_served_and_recorded_later_once(
    start_gateway, client, key, database_url, postgres
):
    await start_gateway()
    name = database_url.partition("?")[0].rpartition("/")[2]
    allow = sql.SQL("alter database {} allow_connections {}")

    with psycopg.connect(postgres.url, autocommit=True) as admin:
        admin.execute(allow.format(sql.Identifier(name), sql.SQL("false")))
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (name,))
        async with client() as calling:
            await asyncio.gather(*(calling.chat.completions.create(model="fast", messages=MESSAGES) for _ in range(20)))
        await asyncio.sleep(0.5)
        admin.execute(allow.format(sql.Identifier(name), sql.SQL("true")))

    spans, calls = await recorded(database_url, 20, seconds=15)
    assert len(calls) == 20
    assert len({span["span_id"] for span in spans}) == len(spans)


async def test_while_postgresql_stands_still_each_limit_decides_by_its_policy_and_recovery_needs_nobody(
    ctx, start_gateway, client, postgres, database_url
):
    plain = {"organisation": "default", "project": "default", "unit": "requests", "scope_kind": "tag", "window": "day"}
    for limit in (
        Quota(id="open", scope="open", amount=1_000, open_bound=5, **plain),
        Quota(id="closed", scope="closed", amount=1_000, when_away="closed", **plain),
    ):
        await declare(ctx.db.across_projects(), limit)
    await start_gateway()

    async with client() as calling:

        async def call(tag):
            asked = {"model": "fast", "messages": MESSAGES, "extra_body": {"flyball": {"tags": [tag]}}}
            try:
                await calling.chat.completions.create(**asked)
            except openai.APIStatusError as error:
                return error.status_code, error.code
            return 200, None

        with standing_still(postgres):
            meanwhile = [await call(tag) for tag in ["plain"] * 3 + ["open"] * 7 + ["closed"]]
        async with asyncio.timeout(60):
            while (await call("closed"))[0] != 200:
                await asyncio.sleep(0.05)
        assert (await call("open"))[0] == 200

    assert meanwhile == [(200, None)] * 8 + [(503, "quota_unknown")] * 3
    async with asyncio.timeout(60), await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        counted = "select quota, settled from counters order by 1"
        while (settled := await (await connection.execute(counted)).fetchall()) != [("closed", 1), ("open", 6)]:
            await asyncio.sleep(0.05)
        cursor = await connection.execute("select count(*), count(distinct id) from ledger")
        assert (settled, await cursor.fetchone()) == ([("closed", 1), ("open", 6)], (10, 10))


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize(("workers", "least"), [(1, 400), (4, 396)])
async def test_a_limit_lets_through_what_it_says_on_one_worker_and_over_four(
    ctx, start_gateway, client, workers, least
):
    plain = {"organisation": "default", "project": "default", "scope_kind": "project", "window": "month"}
    limit = Quota(id="calls", unit="requests", amount=400, when_away="closed", **plain)
    await declare(ctx.db.across_projects(), limit)
    await asyncio.gather(*(start_gateway() for _ in range(workers)))

    async def call_on():
        """Call until the limit says no, on a connection of its own, which one of the workers has."""
        answered = 0
        async with client() as calling:
            while True:
                try:
                    await calling.chat.completions.create(model="fast", messages=MESSAGES)
                    answered += 1
                except openai.RateLimitError:
                    return answered
                except openai.InternalServerError as error:
                    if error.code != "quota_unknown":  # a machine so busy that PostgreSQL took its time
                        raise

    answered = sum(await asyncio.gather(*(call_on() for _ in range(16))))

    assert least <= answered <= 400


@contextlib.contextmanager
def standing_still(postgres):
    """Stop every process of the server, as a machine does that hangs, and let them go on at the end."""
    server = psutil.Process(postgres.pid)
    processes = [server, *server.children(recursive=True)]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


async def test_an_idle_worker_is_small_and_has_no_heavy_library(start_gateway, client):
    gateway = await start_gateway()
    async with client() as calling:
        await calling.chat.completions.create(model="fast", messages=MESSAGES)

    process = psutil.Process(gateway.pid)
    mapped = {name for name in HEAVY for file in process.memory_maps() if f"/{name}" in file.path}
    assert mapped == set()
    assert process.memory_info().rss < 90 * 1024 * 1024


async def test_the_gateway_imports_no_heavy_library():
    code = f"import sys, flyball.web.gateway; print([name for name in {HEAVY!r} if name in sys.modules])"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=asyncio.subprocess.PIPE)
    said, _ = await process.communicate()

    assert said.decode().strip() == "[]"


async def test_it_says_in_one_line_why_it_cannot_start(settings, listening):
    environment = {**os.environ, "FLYBALL_DATA": settings.data, "FLYBALL_DATABASE_URL": "postgresql://127.0.0.1:1/none"}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "flyball.web", "gateway", "--fd", str(listening.fileno()),
        env=environment, pass_fds=(listening.fileno(),), stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, said = await process.communicate()

    assert process.returncode == 1
    assert "gateway: PostgreSQL cannot be reached" in said.decode().splitlines()[-1]
