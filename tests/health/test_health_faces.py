"""Health as JSON, as metrics and as a page: for the operator, by key, by token, and while PostgreSQL is away."""

from dataclasses import replace

import msgspec
import psycopg
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open_metrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from flyball.health import watching
from flyball.health.records import Health
from flyball.infra.db.database import Database, execute
from flyball.infra.secrets.keyring import Keyring
from flyball.kit.clock import SystemClock
from flyball.kit.secrets import Secret
from flyball.projects import keys
from flyball.surface.http.shield import Shield
from flyball.testing.asgi import AsgiClient
from flyball.traces import service as traces
from flyball.traces.records import Span
from flyball.web.application import build_application


def span(number: int) -> Span:
    return Span(
        project="default",
        trace_id=f"{number:032x}",
        span_id=f"{number:016x}",
        name="call",
        kind="llm",
        start_ns=1,
        end_ns=2,
    )


async def samples(client, path="/metrics", **headers) -> dict:
    answer = await client.get(path, headers=headers)
    assert answer.status == 200, answer.text
    return {(one.name, *one.labels.values()): one.value for family in read_text(answer.text) for one in family.samples}


async def test_what_waits_is_told_by_kind_with_its_bytes_and_its_lag(ctx, admin):
    await traces.take_spans(ctx, [span(1), span(2)])
    health = msgspec.json.decode((await admin.get("/api/health")).body, type=Health)
    [spans] = [one for one in health.figures.waiting if one.kind == "span"]
    found = await samples(admin)

    assert spans.records == 2
    assert spans.bytes > 100
    assert 0 < spans.lag_ns < 60e9
    assert found["flyball_inbox_records", "span"] == 2
    assert found["flyball_inbox_records", "traces"] == 0
    assert found["flyball_lag_seconds", "span"] > 0
    assert found["flyball_postgres_up",] == 1
    assert found["flyball_disk_free_bytes",] > 0
    assert found["flyball_lag_objective_seconds",] == 2.0


async def test_what_is_not_known_has_no_sample(admin):
    found = await samples(admin)

    assert ("flyball_flush_last_success_timestamp_seconds",) not in found
    assert ("flyball_disk_full_seconds",) not in found
    assert not [name for name in found if name[0] == "flyball_table_rows"]


async def test_open_metrics_is_given_to_whoever_prefers_it(admin):
    plain = await admin.get("/metrics")
    answer = await admin.get("/metrics", headers={"accept": "application/openmetrics-text;version=1.0.0"})
    names = {family.name for family in read_open_metrics(answer.text)}

    assert plain.headers["content-type"][0].startswith("text/plain; version=0.0.4")
    assert answer.headers["content-type"][0].startswith("application/openmetrics-text; version=1.0.0")
    assert {"flyball_records_acknowledged", "flyball_build", "flyball_lag_seconds"} <= names


async def test_a_stranger_is_not_told_and_a_key_with_the_permission_is(ctx, public):
    able = await keys.create_key(ctx, "prometheus", role="maintainer")
    unable = await keys.create_key(ctx, "app", role="application")

    assert (await public.get("/metrics")).status == 401
    assert (await public.get("/metrics", headers={"authorization": f"Bearer {unable.secret.reveal()}"})).status == 403
    assert await samples(public, authorization=f"Bearer {able.secret.reveal()}")


@pytest.fixture
def scraped(ctx):
    """The application as it is where a token for scraping is set."""
    settings = msgspec.structs.replace(ctx.settings, metrics_token=Secret("scrape-me-0123456789"))
    return AsgiClient(Shield(build_application(replace(ctx, settings=settings)), door="public", settings=settings))


async def test_the_token_reads_health_and_nothing_else(scraped):
    token = {"authorization": "Bearer scrape-me-0123456789"}

    assert await samples(scraped, **token)
    assert (await scraped.get("/api/traces", headers=token)).status == 403
    assert (await scraped.get("/metrics", headers={"authorization": "Bearer scrape-me"})).status == 401
    assert (await scraped.get("/metrics")).status == 401


async def test_an_empty_token_lets_nobody_in(ctx):
    settings = msgspec.structs.replace(ctx.settings, metrics_token=Secret(""))
    client = AsgiClient(Shield(build_application(replace(ctx, settings=settings)), door="public", settings=settings))

    for value in ("Bearer ", "Bearer", "bearer  "):
        assert (await client.get("/metrics", headers={"authorization": value})).status == 401


async def test_another_organisation_is_not_told_how_the_server_does(ctx, admin, monkeypatch):
    async def knows_nothing(*_, **__):
        return False

    monkeypatch.setattr("flyball.health.service.knows_server", knows_nothing)
    key = await keys.create_key(ctx, "theirs", role="maintainer")
    public = AsgiClient(Shield(build_application(ctx), door="public", settings=ctx.settings))
    answer = await public.get("/metrics", headers={"authorization": f"Bearer {key.secret.reveal()}"})

    assert answer.status == 403
    assert "to its operator alone" in answer.text


@pytest.fixture
async def away(ctx):
    """A context whose PostgreSQL was there once and is away now."""
    database = Database(ctx.settings.database_url.replace("host=", "host=%2Fnowhere&x="), most=1)
    settings = msgspec.structs.replace(ctx.settings, metrics_token=Secret("scrape-me-0123456789"))
    yield replace(ctx, db=database, settings=settings, keyring=Keyring(settings, ctx.layout, SystemClock()))
    await database.close()


async def test_while_postgresql_is_away_the_metrics_say_so(away, monkeypatch):
    monkeypatch.setattr(watching, "_PATIENCE_SECONDS", 0.2)
    client = AsgiClient(Shield(build_application(away), door="public", settings=away.settings))
    found = await samples(client, authorization="Bearer scrape-me-0123456789")

    assert found["flyball_postgres_up",] == 0
    assert found["flyball_finding", "PostgreSQL"] == 3
    assert found["flyball_finding", "lag now"] == 3
    assert ("flyball_lag_seconds", "span") not in found
    assert found["flyball_disk_free_bytes",] > 0


async def test_the_page_says_what_is_missed_and_what_to_do(ctx, admin):
    now_ns = ctx.clock.now_ns()
    minute_ns = now_ns - now_ns % 60_000_000_000
    async with ctx.db.across_projects().transaction() as connection:
        for ago in range(2, 60):
            lag_ns = 45_000_000_000 if ago < 6 else 1_100_000_000
            await execute(
                connection,
                "insert into health_minutes (minute_ns, samples, failed, worst_lag_ns, acknowledged, refused, stored, flushes, flush_ns, flush_failures) "
                "values (%s, 60, 0, %s, 600, 0, 540, 60, 1, 0)",
                minute_ns - ago * 60_000_000_000,
                lag_ns,
            )
    page = (await admin.get("/health")).text
    overview = (await admin.get("/")).text

    assert "missed: 4 of 58 minutes were slower, 1 may be" in page
    assert "45 s" in page
    assert "10.0/s acknowledged, 9.0/s stored" in page
    assert "The objective for lag is missed" in overview
    assert 'href="/health"' in overview


async def test_an_empty_server_has_a_page_that_says_what_is_not_known(admin):
    page = (await admin.get("/health")).text

    assert "not measured yet" in page
    assert "No table holds anything yet." in page
    assert "None has told of itself." in page
    assert "The objective for lag" not in (await admin.get("/")).text


async def test_the_minutes_of_a_day_are_told_as_json(ctx, admin):
    await watching.watch_of(ctx).sample()
    answer = msgspec.json.decode((await admin.get("/api/health/minutes")).body)

    assert answer["items"][-1]["samples"] >= 1
    assert answer["items"][-1]["worst_lag_ns"] == 0


async def test_a_statement_that_takes_long_is_told_of(ctx, admin, monkeypatch):
    monkeypatch.setattr(watching, "SLOW_SECONDS", 0.2)
    async with await psycopg.AsyncConnection.connect(ctx.settings.database_url, autocommit=True) as other:
        import asyncio

        sleeping = asyncio.create_task(other.execute("select pg_sleep(3)"))
        await asyncio.sleep(0.5)
        health = msgspec.json.decode((await admin.get("/api/health")).body, type=Health)
        await other.cancel_safe()
        with pytest.raises(psycopg.errors.QueryCanceled):
            await sleeping

    assert health.figures.postgres.slow == 1
    assert health.figures.postgres.slowest_seconds > 0.2
