"""Real instrumentors, each in an environment of libraries of its own, tell a flyball that runs of the same four calls: the same records.

The environments are made once, from the package indexes; where one is out of reach its test is skipped and says so.
"""

import threading
import urllib.request
from typing import Any

import msgspec
import pytest
from environments import PLAYERS, TURNS, CannotInstallError, environment_of, play
from expected import differing, expected, of_one_call, record_of

from flyball.llm.usage import Usage
from flyball.traces.records import Span

pytestmark = [pytest.mark.long, pytest.mark.timeout(1200)]

_COLUMNS = (
    "trace_id, span_id, parent_id, name, start_ns, end_ns, kind, status, provider, model_requested, model_response, "
    "finish_reason, usage_raw, input_tokens, cache_read_tokens, output_tokens, reasoning_tokens, usage_estimated"
)


@pytest.fixture
def upstream():
    """The scripted upstream in a thread of its own."""
    import asyncio

    from flyball.testing import ScriptedUpstream

    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    upstream = ScriptedUpstream()
    asyncio.run_coroutine_threadsafe(upstream.start(), loop).result(10)
    yield upstream
    asyncio.run_coroutine_threadsafe(upstream.stop(), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.mark.parametrize("wanted", PLAYERS)
def test_real_instrumentors_end_as_the_same_records(begin, upstream, wanted):
    names = PLAYERS[wanted]
    try:
        environment_of(names[0])
    except CannotInstallError as error:
        pytest.skip(str(error))
    flyball = begin()
    flyball.start()
    key = flyball.ask("keys", "create", "instrumentors", "--role", "maintainer")["key"]
    headers = f"Authorization=Bearer%20{key}"
    wrong = {}
    for name in names:
        upstream.forget()
        upstream.then(*TURNS)
        play(name, upstream=upstream.root_url, address=flyball.address, headers=headers)
        calls = flyball.until(lambda name=name: _calls(flyball, name), f"{name}: the calls do not arrive")
        found = [record_of(span) for span in of_one_call(_whole(flyball, key, span) for span in calls)]
        tokens = sum(span.usage.total_tokens for span in calls)
        differences = [differing(*pair) for pair in zip(found, expected(name), strict=False)]
        if len(found) != 4 or any(differences) or tokens != 4 * 48:
            wrong[name] = (len(found), tokens, differences)
    flyball.stop()

    assert wrong == {}


def _calls(flyball: Any, name: str) -> list[Span]:
    """The spans of calls, once the last scene and all tokens have arrived: some libraries send by themselves."""
    rows = flyball.sql(f"select {_COLUMNS} from spans where service = '{name}'")
    if not any(row["name"] == "tool" for row in rows) or sum(bool(row["output_tokens"]) for row in rows) < 4:
        return []
    return [_span(row) for row in rows if row["kind"] == "llm"]


def _span(row: dict[str, Any]) -> Span:
    tokens = ("input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens")
    usage = Usage(**{field: row.pop(field) for field in tokens}, estimated=row.pop("usage_estimated"))
    raw = row.pop("usage_raw")
    return Span(**row, usage=usage, usage_raw=msgspec.json.decode(raw) if raw else None)


def _whole(flyball: Any, key: str, span: Span) -> Span:
    """With its texts, which are read one by one."""
    texts = {}
    for side in ("input", "output"):
        address = f"{flyball.address}/api/traces/{span.trace_id}/spans/{span.span_id}/{side}"
        request = urllib.request.Request(address, headers={"authorization": f"Bearer {key}"})  # noqa: S310 -- loopback
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 -- loopback
            texts[side] = msgspec.json.decode(answer.read())["text"]
    return msgspec.structs.replace(span, **texts)
