"""What every vendor of the catalog has to do, whoever it is. A new one enrols by its TOML alone."""

import ast
from collections import Counter
from pathlib import Path
from urllib.parse import quote, urlsplit

import msgspec
import pytest

from flyball.kit.clock import FixedClock, SystemClock
from flyball.kit.secrets import Secret
from flyball.llm import dialects
from flyball.llm.calling import Events, put, question, whole
from flyball.llm.catalog import UnknownVendorError, names, vendor
from flyball.llm.catalog.quirks import Quirks
from flyball.llm.completions import Assembly
from flyball.llm.errors import UpstreamRefusedError
from flyball.llm.losses import Losses
from flyball.llm.providers import PROVIDERS, provider_for
from flyball.llm.providers.protocol import Ask, Upstream
from flyball.llm.translation import DIALECTS, dialect
from flyball.llm.wire import Wire
from flyball.testing import ScriptedUpstream, Turn

NAMES = names()
FACES = [(name, face) for name in NAMES for face in vendor(name).dialects]
QUESTIONS = [
    (name, face, verb, stream)
    for name, face in FACES
    for verb, stream in (("generate", False), ("generate", True), ("count_tokens", False))
    if verb == "generate" or vendor(name).dialects[face].count_path
]
ADDRESSED = [name for name in NAMES if vendor(name).base_url]
HEADER = "abcdefghijklmnopqrstuvwxyz0123456789-"
KEY = "sk-test-0123456789"
ODD = "a model/with: odd?names#and+é%"
PLACE = {
    "region": "eu-central-1",
    "location": "europe-west4",
    "project": "shop",
    "organization": "org-1",
}
QUESTION = b'{"model":"any","max_tokens":50,"messages":[{"role":"user","content":"What does a governor do?"}]}'


def upstream(name, *, face="", model="m", base_url="", **changes):
    """A vendor's model, known by an API key; it is one that is spoken to in the dialect, where the vendor tells them apart."""
    patterns = vendor(name).dialects[face].models if face else ()
    fitting = patterns[0].replace("*", model) if patterns else model
    told = {"vendor": name, "base_url": base_url, "model": fitting, "api_key": Secret(KEY), "dialect": face}
    return Upstream(**{**told, **PLACE, **changes})


@pytest.fixture
async def wire():
    async with Wire(FixedClock(), connect_seconds=1, idle_seconds=5) as wire:
        yield wire


@pytest.fixture(params=NAMES)
def found(request):
    return vendor(request.param)


def test_every_entry_says_what_it_is_and_where_that_stands(found):
    assert found.title
    assert found.docs.startswith("https://")
    assert found.provider in PROVIDERS
    assert found.base_url.startswith("http") or "base_url" in found.needs
    assert not found.base_url.endswith("/")
    assert "{}" in found.key[1]


def test_every_dialect_of_an_entry_is_on_the_shelf_and_has_paths(found):
    for name, face in found.dialects.items():
        assert name in DIALECTS
        for path in (face.path, face.stream_path, face.count_path, face.versioned_path):
            assert not path or path.startswith("/")
            assert Counter(path)["{"] == sum(path.count(f"{{{one}}}") for one in (*PLACE, "model", "api_version"))


def asked_in(source):
    """The quirks that a file asks: every `quirks.NAME` of its code, whoever's `quirks` they are."""
    owners = {ast.Name: "id", ast.Attribute: "attr"}
    return {
        node.attr
        for node in ast.walk(ast.parse(source.read_text()))
        if isinstance(node, ast.Attribute) and getattr(node.value, owners.get(type(node.value), ""), "") in ASKED
    }


ASKED = ("quirks", "_quirks")
LLM = Path(dialects.__file__).parents[1]
BY_DIALECT = {
    name: set().union(*map(asked_in, (LLM / "dialects" / name).glob("*.py")), *map(asked_in, LLM.glob("*.py")))
    for name in DIALECTS
}


def test_every_quirk_that_there_is_is_asked_by_some_dialect():
    known = {field.name for field in msgspec.structs.fields(Quirks)}

    assert known == known & set().union(*BY_DIALECT.values())


def test_every_quirk_of_an_entry_is_one_that_a_dialect_of_that_entry_asks(found):
    asked = set().union(*(BY_DIALECT[name] for name in found.dialects))

    for told in (found.quirks, *found.models):
        assert set(told) - {"pattern"} <= asked


def test_a_quirk_that_is_only_written_down_counts_as_asked_by_nobody(tmp_path):
    (tmp_path / "one.py").write_text(
        "# quirks.prefill\n'quirks.sampling'\nquirks.thinking\nself._quirks.drop\nother.rename\n"
    )

    assert asked_in(tmp_path / "one.py") == {"thinking", "drop"}


def test_the_headers_of_an_entry_are_headers(found):
    faces = found.dialects.values()
    headers = [
        *found.headers,
        found.key[0],
        *found.setting_headers.values(),
        *(one for face in faces for one in face.headers),
    ]
    for header in headers:
        assert set(header) <= set(HEADER)


def test_what_an_entry_needs_is_a_setting_of_endpoints(found):
    settings = {field.name for field in msgspec.structs.fields(Upstream)}
    assert {one for need in found.needs for one in need.split("|")} <= settings
    assert set(found.setting_headers) <= settings


@pytest.mark.parametrize(("name", "face", "verb", "stream"), QUESTIONS)
async def test_an_order_goes_to_the_dialects_path_with_the_key_as_a_secret(wire, name, face, verb, stream):
    told = vendor(name).dialects[face]
    at = upstream(name, face=face, base_url="https://proxy.example/base/")

    order = await provider_for(name).order(at, Ask(face, verb, stream, QUESTION), wire)

    path = told.count_path if verb == "count_tokens" else (told.stream_path if stream else "") or told.path
    for one, value in {**PLACE, "model": at.model}.items():
        path = path.replace(f"{{{one}}}", value)
    header, worded = told.key or vendor(name).key
    assert order.url == "https://proxy.example/base" + path
    assert order.secrets == ((header, worded.format(KEY)),)
    assert order.blot == (at.api_key,)
    assert {**vendor(name).headers, **told.headers}.items() <= dict(order.headers).items()
    assert KEY not in repr(order._replace(secrets=()))
    assert KEY not in order.where
    assert KEY not in repr(at)


@pytest.mark.parametrize(("name", "face"), FACES)
async def test_a_name_with_odd_characters_stays_within_its_part_of_the_path(wire, name, face):
    at = upstream(name, face=face, model=ODD, base_url="https://proxy.example")

    order = await provider_for(name).order(at, Ask(face, "generate", stream=False, body=QUESTION), wire)

    path = vendor(name).dialects[face].path.replace("{model}", quote(at.model, safe=""))
    for one, value in PLACE.items():
        path = path.replace(f"{{{one}}}", value)
    assert order.url == f"https://proxy.example{path}"


@pytest.mark.parametrize("name", ADDRESSED)
async def test_the_address_is_the_catalogs_where_the_endpoint_has_none(wire, name):
    face = next(iter(vendor(name).dialects))

    order = await provider_for(name).order(
        upstream(name, face=face), Ask(face, "generate", stream=False, body=QUESTION), wire
    )

    assert "{" not in order.url
    assert order.url.startswith(vendor(name).address(upstream(name)))


@pytest.mark.parametrize(("name", "face"), FACES)
async def test_an_operators_dialect_is_the_only_one_that_is_spoken(name, face):
    assert provider_for(name).dialects(upstream(name, face=face)) == (face,)


async def test_without_an_operators_choice_a_dialect_that_suits_the_model_is_spoken(found):
    spoken = provider_for(found.name).dialects(upstream(found.name))

    assert spoken
    assert set(spoken) <= set(found.dialects)


def root_of(name, scripted):
    """The scripted upstream under the path that the vendor's own address has."""
    return scripted.root_url + urlsplit(vendor(name).base_url).path


def tells_usage_unasked(name, face):
    """Whether the vendor is not asked for a stream's usage, because it always tells it: the scripted upstream does not."""
    return face == "openai_chat" and vendor(name).quirks_for("m").stream_usage == "always"


async def answer(name, face, *, stream):
    """Ask the scripted upstream as a chat caller does, through all that lies between."""
    asked = dialect("openai_chat").ask(QUESTION.replace(b"{", b'{"stream":true,', 1) if stream else QUESTION)
    async with ScriptedUpstream() as scripted, Wire(SystemClock(), connect_seconds=1, idle_seconds=5) as wire:
        scripted.otherwise = Turn(text="It governs.", prompt_tokens=20, cached_tokens=8, completion_tokens=3)
        at = upstream(name, face=face, base_url=root_of(name, scripted))
        asking = question(asked, "generate", at, Losses(name))
        async with put(asking, wire, at, seconds=5) as reply:
            if not stream:
                return (await whole(reply, asking.dialect))[1], scripted.requests
            events, reader, assembly = Events(reply, asking), asking.dialect.reader(), Assembly()
            while not events.ended:
                for event in await events.read():
                    for said in reader.read(event) if event.data else ():
                        assembly.add(said)
            for said in reader.finish():
                assembly.add(said)
            assert reader.done
            return assembly.whole(), scripted.requests


@pytest.mark.parametrize(("name", "face"), FACES)
@pytest.mark.parametrize("stream", [False, True])
async def test_a_question_is_answered_over_the_wire(name, face, stream):
    completion, requests = await answer(name, face, stream=stream)

    header, worded = vendor(name).dialects[face].key or vendor(name).key
    assert completion.text == "It governs."
    if not (stream and tells_usage_unasked(name, face)):
        assert completion.usage.output_tokens == 3
        assert completion.usage.input_tokens + completion.usage.cache_read_tokens == 20
    assert len(requests) == 1
    assert requests[0].headers[header] == worded.format(KEY)


@pytest.mark.parametrize(("name", "face"), FACES)
async def test_a_refusal_names_the_model_and_the_host_but_not_the_key(name, face):
    asked = dialect("openai_chat").ask(QUESTION)
    async with ScriptedUpstream() as scripted, Wire(SystemClock(), connect_seconds=1, idle_seconds=5) as wire:
        scripted.then(Turn(fault="status", status=401))
        at = upstream(name, face=face, base_url=root_of(name, scripted))
        asking = question(asked, "generate", at, Losses(name))
        with pytest.raises(UpstreamRefusedError) as caught:
            async with put(asking, wire, at, seconds=5):
                pass

    assert caught.value.upstream_status == 401
    assert caught.value.dialect == face
    assert at.model in str(caught.value)
    assert KEY not in str(caught.value)
    assert KEY.encode() not in caught.value.body


@pytest.mark.parametrize(("name", "face"), FACES)
async def test_tokens_are_counted_where_the_vendor_can_be_asked_and_nowhere_else(name, face):
    at = upstream(name, face=face)
    asked = dialect("anthropic_messages").ask(QUESTION)

    asking = question(asked, "count_tokens", at, Losses(name))

    assert (asking is not None) == bool(vendor(name).dialects[face].count_path)


def test_a_vendor_that_is_unknown_is_told_with_the_command_that_lists_them():
    with pytest.raises(UnknownVendorError, match="no vendor 'acme'") as caught:
        vendor("acme")

    assert caught.value.next_step == "flyball models providers"
