"""A small corpus behind a search that needs no index, and tools around it."""

import pytest

from flyball.functions.code import CodeFolder
from flyball.functions.completion import ModelCaller
from flyball.functions.records import PinnedVariant, pinned_hash
from flyball.functions.tools import Tools
from flyball.indexes.records import ChunkSettings, IndexSettings, IndexVersion, Passage
from flyball.llm.wire import Wire
from flyball.models.reaching import reaching
from flyball.models.records import Endpoint, ModelSpec, Prices

QUESTION = {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]}
TEXTS = ("The sky is blue. It is high.", "Grass is green.", "Snow is white.")


def passage(number, text):
    return Passage(
        chunk_id=f"c{number}",
        document_id=f"d{number}",
        title=f"title {number}",
        source=f"file.py:{number}",
        licence="MIT",
        document_hash=f"sha256:{number:064x}",
        start=100,
        end=100 + len(text),
        text=text,
        score=1.0 / number,
    )


@pytest.fixture
def index_version():
    return IndexVersion(
        id="ixv_1",
        project="default",
        index_id="ix_1",
        name="docs",
        version=1,
        hash="sha256:" + "a" * 64,
        dataset="docs",
        dataset_version_id="dsv_1",
        dataset_version=1,
        dataset_hash="sha256:" + "b" * 64,
        settings=IndexSettings(chunk=ChunkSettings(), engine="test", analysis=1, ranking=1),
        documents=3,
        chunks=3,
        created_ns=1_700_000_000_000_000_000,
        created_by="local:0",
    )


@pytest.fixture
async def provider(ctx):
    async with Wire(ctx.clock, idle_seconds=0.5) as provider:
        yield provider


@pytest.fixture
def tools(ctx, provider, monkeypatch):
    def search(version, query, k):
        assert version.id == "ixv_1"
        return [passage(number, text) for number, text in enumerate(TEXTS, start=1)][:k]

    monkeypatch.setenv("KEY", "sk-very-secret")
    models = ModelCaller(provider, ctx.clock, reach=reaching(ctx), seconds=2)
    return Tools(search=search, code=CodeFolder(ctx.layout.code, ctx.blobs), models=models, clock=ctx.clock)


@pytest.fixture
def retrieval(index_version):
    import msgspec

    return {"index": "docs", "k": 2, "query": "", "version": msgspec.to_builtins(index_version)}


@pytest.fixture
def rule(ctx, retrieval):
    """Make a pinned rules variant of source text; the function is called `answer`."""

    def make(source, **spec):
        hash_ = ctx.blobs.put(source.encode())
        code = {"reference": "ask_rules:answer", "module": "ask_rules", "function": "answer", "hash": hash_}
        return pinned("rules", {"code": code, "retrieval": retrieval, "timeout_seconds": 5.0} | spec)

    return make


@pytest.fixture
def prompt(retrieval, monkeypatch):
    """Make a pinned prompt variant whose model is at an address."""
    monkeypatch.setenv("KEY", "sk-very-secret")

    def make(base_url, *, model="small", source=None, **spec):
        import msgspec

        source = source or (
            "---\nvariables: [question, passages]\n---\n--- system\nUse these:\n"
            "{% for p in passages %}\n[{{ p.number }}] {{ p.text }}\n{% endfor %}\n--- user\n{{ question }}\n"
        )
        urls = [base_url] if isinstance(base_url, str) else base_url
        endpoint = {"provider": "openai-compatible", "api_key": "env:KEY", "model": model}
        declared = ModelSpec(
            endpoints=tuple(Endpoint(base_url=url, **endpoint) for url in urls), prices=Prices(input=1, output=2)
        )
        own = {
            "prompt": {"name": "ask", "version": 3, "hash": "sha256:p", "path": "prompts/ask.md", "source": source},
            "model": {"name": "fast", "version": 1, "hash": declared.hash, "spec": msgspec.to_builtins(declared)},
            "parameters": {"temperature": 0},
            "retrieval": retrieval,
        }
        return pinned("prompt", own | spec)

    return make


def pinned(kind, own):
    spec = {"input": QUESTION, "output": {}} | own
    return PinnedVariant(function="ask", name=kind, kind=kind, spec=spec, hash=pinned_hash("ask", kind, kind, spec))
