"""Content that spans only refer to: fetched on reading, from listed places alone."""

import json
from dataclasses import replace

import fsspec
import msgspec
import pytest

from flyball.infra.context import Context
from flyball.traces import service
from flyball.traces.errors import ReferenceAwayError, ReferenceRefusedError
from flyball.traces.fetching import fetch, places
from flyball.traces.flusher import Flusher
from flyball.traces.otlp.encoding import spans_request
from flyball.traces.otlp.taking import take_request
from flyball.traces.told import Told

NOW = 1_763_750_000_000_000_000
TRACE, SPAN = "a" * 32, "b" * 16
INPUT = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]).encode()
OUTPUT = json.dumps([{"role": "assistant", "parts": [{"type": "text", "content": "Hello."}]}]).encode()


def listing(ctx: Context, listed: str) -> Context:
    return replace(ctx, settings=msgspec.structs.replace(ctx.settings, content_references=listed))


async def store(ctx, folder):
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.input.messages_ref": f"{folder}/in.json",
        "gen_ai.output.messages_ref": f"{folder}/out.json",
    }
    span = Told(TRACE, SPAN, "chat", NOW, NOW + 5, attributes=attributes)
    await take_request(ctx, "traces", spans_request([span]).SerializeToString())
    while await Flusher(ctx).flush():
        pass


async def test_what_a_span_refers_to_is_read_where_it_lies(ctx, tmp_path):
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts/in.json").write_bytes(INPUT)
    (tmp_path / "prompts/out.json").write_bytes(OUTPUT)
    await store(ctx, (tmp_path / "prompts").as_uri())
    allowed = listing(ctx, tmp_path.as_uri())

    assert await service.get_text(allowed, TRACE, SPAN, "input") == '[{"role":"user","content":"Hi"}]'
    assert await service.get_text(allowed, TRACE, SPAN, "output") == "Hello."
    row = (await service.get_trace(allowed, TRACE)).nodes[0].span
    assert (await service.get_texts(allowed, row)).output == "Hello."


async def test_by_default_nothing_is_fetched(ctx, tmp_path):
    (tmp_path / "in.json").write_bytes(INPUT)
    await store(ctx, tmp_path.as_uri())

    assert await service.get_text(ctx, TRACE, SPAN, "input") == ""


async def test_a_page_shows_a_span_whose_content_is_not_to_be_had(ctx, tmp_path):
    await store(ctx, tmp_path.as_uri())
    row = (await service.get_trace(ctx, TRACE)).nodes[0].span

    for listed in (tmp_path.as_uri(), "s3://other/"):
        assert await service.get_texts(listing(ctx, listed), row) == ("", "")


@pytest.mark.parametrize(
    "uri",
    [
        "file:///etc/passwd",
        "FOLDER/../secret.json",
        "FOLDER/%2e%2e/secret.json",
        "FOLDER/..%5csecret.json",
        "FOLDERx/in.json",
        "simplecache::FOLDER/in.json",
        "FOLDER/a.zip::zip://in.json",
        "http://127.0.0.1:9/in.json",
    ],
)
async def test_other_places_are_refused(ctx, tmp_path, uri):
    folder = (tmp_path / "prompts").as_uri()
    (tmp_path / "prompts").mkdir()
    (tmp_path / "secret.json").write_bytes(INPUT)

    with pytest.raises(ReferenceRefusedError, match="not fetched from there"):
        await fetch(listing(ctx, folder), uri.replace("FOLDER", folder))


async def test_a_link_does_not_lead_out_of_its_folder(ctx, tmp_path):
    (tmp_path / "prompts").mkdir()
    (tmp_path / "secret.json").write_bytes(INPUT)
    (tmp_path / "prompts/in.json").symlink_to(tmp_path / "secret.json")
    folder = (tmp_path / "prompts").as_uri()

    with pytest.raises(ReferenceAwayError, match="leads out of its folder"):
        await fetch(listing(ctx, folder), f"{folder}/in.json")


async def test_a_web_address_is_called_as_every_address_from_outside(ctx):
    with pytest.raises(ReferenceRefusedError):
        await fetch(listing(ctx, "http://127.0.0.1:9/prompts"), "http://127.0.0.1:9/prompts/in.json")


async def test_an_object_store_is_read_by_its_driver(ctx):
    fsspec.filesystem("memory").pipe_file("/bucket/in.json", INPUT)

    assert await fetch(listing(ctx, "memory://bucket/"), "memory://bucket/in.json") == INPUT
    with pytest.raises(ReferenceAwayError, match="cannot be read"):
        await fetch(listing(ctx, "memory://bucket/"), "memory://bucket/none.json")


async def test_a_place_may_be_the_reading_project_s_own(ctx):
    mine = listing(ctx, "s3://prompts/{project}, s3://all/, file:///, s3://, http://, nonsense")

    assert places(mine) == (f"s3://prompts/{ctx.project}/", "s3://all/")
