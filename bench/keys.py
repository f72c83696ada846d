"""What keys cost: one check in the gateway, one in the control process, a look for changes, and a change, by how many there are.

Prints a table against the limits and writes bench/results/keys.json. Every check is of a key with everything that can
narrow it: an expiry, models, functions, twenty networks and scopes; and behind a trusted proxy too.
"""

import asyncio
import gc
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from flyball.gateway.choose import choose
from flyball.gateway.exchange import Exchange
from flyball.gateway.identify import identify
from flyball.gateway.load_keys import KnownKeys, load_keys, newer_keys
from flyball.gateway.snapshot import KnownModel, KnownProject, Snapshot
from flyball.infra.context import DEFAULT_PROJECT
from flyball.infra.db.database import Database
from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.infra.db.migrate import migrate
from flyball.kit.addresses import networks_of
from flyball.kit.clock import SystemClock
from flyball.kit.secrets import token_hash
from flyball.models.endpoints import ResolvedEndpoint
from flyball.projects import key_store
from flyball.projects.key_uses import KeyUses
from flyball.settings import Settings

COUNTS = (10, 10_000, 100_000)
LIMITS = {"check in the gateway": 20.0, "the same, behind a proxy": 20.0, "control process": 1_000.0}  # microseconds
RESULTS = Path(__file__).parent / "results" / "keys.json"
POLLS_PER_SECOND = 2.5
NETWORKS = [f"10.{n}.0.0/16" for n in range(19)] + ["127.0.0.0/8"]
MAKE = """
insert into keys (id, line, project, name, name_key, prefix, hash, role, permissions, created_by, created_ns, expires_ns, models,
                  functions, addresses)
select 'key_' || lpad(n::text, 9, '0'), 'key_' || lpad(n::text, 9, '0'), 'default', 'key ' || n, 'key ' || n, 'flyball_abcdef',
       sha256(convert_to('flyball_' || lpad(n::text, 43, '0'), 'UTF8')), '',
       array['gateway.call', 'prompts.read', 'scores.write', 'traces.write'], 'local:0', n, 4000000000000000000,
       array['fast', 'model ' || n %% 50], array['triage'], %s::text[]
from generate_series(%s::int, %s::int) n
"""


def main() -> None:
    """Measure, print, write."""
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder) / "pg", Path(folder) / "run", durable=False)
        try:
            rows = asyncio.run(_measure(Settings(data=folder, database_url=server.start())))
        finally:
            server.stop()
    names = list(rows[0])
    for name in names:
        limit = f"  limit {LIMITS[name]:,.0f}" if name in LIMITS else ""
        print(f"{name:36}" + "".join(f"{row[name]:14,.2f}" for row in rows) + limit)
    machine = {"when": time.strftime("%Y-%m-%d %H:%M:%S%z"), "cores": os.cpu_count(), "load": os.getloadavg()[0]}
    RESULTS.write_text(json.dumps({"machine": machine, "rows": rows, "limits_us": LIMITS}, indent=1) + "\n")


async def _measure(settings: Settings) -> list[dict[str, Any]]:
    database = Database(settings.database_url, most=2)
    await database.open()
    await migrate(database)
    rows, made = [], 0
    for count in COUNTS:
        async with database.owner_connection() as connection:
            await connection.execute("select set_config('flyball.project', '*', false)")
            await connection.execute(MAKE, (NETWORKS, made + 1, count))
            await connection.execute("analyze keys")  # as PostgreSQL does by itself, a minute later
        made = count
        rows.append(await _row(database, count))
    await database.close()
    return rows


async def _row(database: Database, count: int) -> dict[str, Any]:
    began, cpu = time.perf_counter(), time.process_time()
    known = await load_keys(database)
    all_seconds, all_cpu = time.perf_counter() - began, time.process_time() - cpu
    gc.freeze()  # as a gateway worker does once it has its snapshot
    gc.set_threshold(20_000, 50, 50)
    snapshot = _snapshot(known.keys)
    uses = KeyUses()
    direct: Any = SimpleNamespace(clock=SystemClock(), proxies=(), uses=uses)
    behind: Any = SimpleNamespace(clock=SystemClock(), proxies=networks_of(["192.0.2.0/24"]), uses=uses)
    tokens = [f"flyball_{n:043}" for n in range(1, count + 1, max(1, count // 1_000))]
    plain = [_exchange(token, "127.0.0.1") for token in tokens]
    forwarded = [_exchange(token, "192.0.2.1", b"203.0.113.9, 127.0.0.1") for token in tokens]
    asked: Any = SimpleNamespace(model="fast", fields={}, dialect="openai_chat")
    callers = [identify(each, direct, snapshot, dialect="openai_chat") for each in plain]
    look = await _cpu_us(lambda: newer_keys(database, known), 300)
    return {
        "keys": count,
        "check in the gateway": _us(lambda i: identify(plain[i], direct, snapshot, dialect="openai_chat"), len(plain)),
        "the same, behind a proxy": _us(
            lambda i: identify(forwarded[i], behind, snapshot, dialect="openai_chat"), len(forwarded)
        ),
        "choosing the model": _us(lambda i: choose(snapshot, callers[i], asked, "0" * 32), len(callers)),
        "control process": await _wall_us(lambda: _by_hash(database, token_hash(tokens[-1])), 300),
        "a look for changes": look,
        "all looks, % of a core": look * POLLS_PER_SECOND / 1e6 * 100,
        "one changed key in force, ms": await _change_ms(database, known),
        "reading all at start, s": all_seconds,
        "the same, processor s": all_cpu,
    }


def _snapshot(keys: Any) -> Snapshot:
    endpoint = ResolvedEndpoint("openai-compatible", "http://127.0.0.1:1/v1", "m", None, 1.0)
    models = {
        f"model {n}": KnownModel(name=f"model {n}", version=1, hash="h", endpoints=(endpoint,)) for n in range(50)
    }
    models["fast"] = KnownModel(name="fast", version=1, hash="h", endpoints=(endpoint,))
    return Snapshot(epoch=1, keys=keys, projects={DEFAULT_PROJECT: KnownProject(models=models)})


def _exchange(token: str, peer: str, forwarded: bytes = b"") -> Exchange:
    headers = [(b"host", b"x"), (b"authorization", b"Bearer " + token.encode()), (b"x-forwarded-for", forwarded)]
    scope = {
        "method": "POST",
        "path": "/v1/chat/completions",
        "headers": headers,
        "client": (peer, 1),
        "scheme": "http",
    }
    return Exchange(scope, None, None)  # type: ignore[arg-type] # nothing is read or sent


def _us(check: Callable[[int], Any], count: int, rounds: int = 15) -> float:
    """Microseconds of one call: the median of rounds, each of all keys in turn."""
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        for number in range(count):
            check(number)
        seconds.append((time.process_time() - began) / count)
    return statistics.median(seconds) * 1e6


async def _by_hash(database: Database, hash_: bytes) -> None:
    async with database.connection() as connection:
        await key_store.key_by_hash(connection, hash_)


async def _wall_us(call: Callable[[], Any], count: int) -> float:
    seconds = []
    for _ in range(count):
        began = time.perf_counter()
        await call()
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1e6


async def _cpu_us(call: Callable[[], Any], count: int) -> float:
    began = time.process_time()
    for _ in range(count):
        await call()
    return (time.process_time() - began) / count * 1e6


async def _change_ms(database: Database, known: KnownKeys) -> float:
    """From the commit of a revocation until the keys without it are there, to be put into force."""
    set_revoked = "update keys set revoked_ns = %s where created_ns = %s"
    seconds = []
    for number in range(1, 10):
        async with database.connection() as connection:
            await connection.execute(set_revoked, (1, number))
        began = time.perf_counter()
        after = await newer_keys(database, known)
        seconds.append(time.perf_counter() - began)
        if len(after.keys) != len(known.keys) - 1:
            raise SystemExit("a revocation was not seen")
        async with database.connection() as connection:
            await connection.execute(set_revoked, (None, number))
        known = await newer_keys(database, after)
    return statistics.median(seconds) * 1e3


if __name__ == "__main__":
    main()
