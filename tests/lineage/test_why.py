"""`why`: from an answer back to the documents, and what it says when something is missing or was altered."""

import asyncio
import json

import msgspec
import pytest

from flyball.datasets import store as datasets
from flyball.datasets.publishing import publish
from flyball.datasets.records import Card, Dataset, DatasetVersion, Part
from flyball.datasets.rows import DATASET_ROWS, first_hash, made_of, next_hash, to_columns
from flyball.datasets.sources.found import Found
from flyball.evaluations import EvaluationSpec, Result, reporting
from flyball.evaluations import store as evaluations
from flyball.evaluations.reports import DatasetRef, FunctionRef, Report, VariantRef
from flyball.functions import service as functions
from flyball.functions.pinning import pin_variants
from flyball.functions.records import Citation, FunctionSpec, Retrieval, RulesVariant
from flyball.indexes import store as indexes
from flyball.indexes.records import ChunkSettings, Index, IndexDeclaration, IndexSettings, IndexVersion
from flyball.infra.db.database import execute
from flyball.kit.hashing import content_hash
from flyball.kit.ids import new_id, new_span_id, new_trace_id
from flyball.lineage.why import why
from flyball.releases import service as releases
from flyball.releases import serving
from flyball.releases.records import Proposal
from flyball.traces import inbox, service
from flyball.traces.errors import TraceNotFoundError
from flyball.traces.flusher import Flusher
from flyball.traces.records import Span

CODE = "def best(input, tools):\n    return 'x'\n\n\ndef old(input, tools):\n    return 'y'\n"
TEXT = "datetime.fromisoformat(date_string): Return a datetime. " * 5


class World:
    """A dataset, an index over it, a function with evidence, a live release, and one call that it answered."""

    def __init__(self, ctx) -> None:
        self.ctx = ctx

    async def build(self):
        self.version = await self._dataset()
        self.index = await self._index()
        spec = FunctionSpec(
            input={"type": "object", "properties": {"question": {"type": "string"}}},
            variants={
                name: RulesVariant(code=f"rules:{name}", retrieval=Retrieval(index="docs")) for name in ("best", "old")
            },
        )
        async with self.ctx.db.transaction() as connection:
            function = await functions.put(connection, self.ctx, "ask", spec, {"rules": CODE.encode()})
            pinned = await pin_variants(connection, self.ctx, function)
        self.variant = next(variant for variant in pinned if variant.name == "best")
        self.report = await self._report(pinned)
        self.release = await releases.propose(
            self.ctx, Proposal(function="ask", evidence=(self.report.id,), reason="it is better")
        )
        await releases.decide(self.ctx, self.release.id, "approved", "looks right")
        await serving.serve(self.ctx, self.release.id)
        self.trace_id = await self.call()
        return self

    async def _dataset(self) -> DatasetVersion:
        now_ns = self.ctx.clock.now_ns()
        found = [
            Found(
                row_id=f"doc{n}",
                title=f"document {n}",
                text=f"{n} {TEXT}",
                source=f"file{n}",
                licence="PSF-2.0",
                data={},
            )
            for n in range(3)
        ]
        rows = [made_of(each, position) for position, each in enumerate(found)]
        hash_ = first_hash("documents")
        for row in rows:
            hash_ = next_hash(hash_, row.hash)
        self.rows = rows
        dataset = Dataset(
            id="ds_1",
            project="default",
            name="docs",
            kind="documents",
            declaration=None,
            created_ns=now_ns,
            created_by="me",
        )
        async with self.ctx.db.transaction() as connection:
            await datasets.insert(connection, dataset)
        named = {"project": "default", "dataset_id": "ds_1", "part_id": "part_1"}
        await asyncio.to_thread(
            self.ctx.lake.append, DATASET_ROWS, [to_columns(row) | named for row in rows], writer="w", sequence=1
        )
        version = DatasetVersion(
            id="dsv_1",
            project="default",
            dataset_id="ds_1",
            dataset="docs",
            kind="documents",
            version=1,
            hash=hash_,
            rows=len(rows),
            parts=(Part(id="part_1", rows=len(rows)),),
            parents=(),
            source=None,
            licences={"PSF-2.0": len(rows)},
            splits={"all": len(rows)},
            card=Card(),
            created_ns=now_ns,
            created_by="me",
        )
        published = await publish(self.ctx, version)
        assert published is not None
        return published

    async def _index(self) -> IndexVersion:
        now_ns = self.ctx.clock.now_ns()
        named = {"project": "default", "name": "docs", "created_ns": now_ns, "created_by": "me"}
        version = IndexVersion(
            id="idxv_1",
            index_id="idx_1",
            version=1,
            hash=content_hash("index"),
            dataset="docs",
            dataset_version_id=self.version.id,
            dataset_version=1,
            dataset_hash=self.version.hash,
            settings=IndexSettings(chunk=ChunkSettings(), engine="bm25", analysis=1, ranking=1),
            documents=3,
            chunks=3,
            **named,
        )
        async with self.ctx.db.transaction() as connection:
            await indexes.insert(connection, Index(id="idx_1", declaration=IndexDeclaration(dataset="docs"), **named))
            await indexes.insert_version(connection, version)
        return version

    async def _report(self, pinned) -> Report:
        spec = EvaluationSpec(function="ask", dataset="questions", scorers=("exact",), baseline="old")
        refs = [VariantRef(name=variant.name, kind="rules", hash=variant.hash) for variant in pinned]
        results = [
            Result(
                position=position,
                item_id=f"q{position}",
                item_hash="h",
                variant=ref.name,
                variant_hash=ref.hash,
                status="answered",
                scores={"exact": float(position < {"best": 180, "old": 120}[ref.name])},
            )
            for ref in refs
            for position in range(200)
        ]
        report = Report(
            id=new_id("rpt", self.ctx.clock.now_ns()),
            project="default",
            evaluation="quality",
            spec=spec,
            spec_hash=spec.hash,
            run_id="run_1",
            function=FunctionRef(name="ask", version=1, hash="sha256:f"),
            dataset=DatasetRef(name="questions", version=1, version_id="dsv_q", hash="sha256:q"),
            findings=reporting.build(spec, refs, results),
            created_ns=self.ctx.clock.now_ns(),
            created_by="local:0",
        ).sealed()
        async with self.ctx.db.transaction() as connection:
            await evaluations.insert_report(connection, report)
        return report

    async def call(self, **changed: object) -> str:
        """The spans that a gateway and a runner would have written."""
        now_ns, trace_id, call_id = self.ctx.clock.now_ns(), new_trace_id(), new_span_id()
        basic = {
            "trace_id": trace_id,
            "project": "default",
            "start_ns": now_ns,
            "end_ns": now_ns + 1_000_000,
            "status": "ok",
            "function": "ask",
            "variant": "best",
            "variant_hash": self.variant.hash,
            "release": self.release.id,
        } | changed
        row = self.rows[1]
        citation = Citation(
            document_id=row.row_id,
            title=row.title,
            source=row.source,
            licence=row.licence,
            document_hash=row.document_hash,
            start=2,
            end=24,
            quote=row.text[2:24],
            index_version=self.index.id,
            dataset_version=self.version.id,
        )
        spans = [
            Span(
                span_id=call_id,
                name="chat ask",
                kind="gateway",
                output="because " * 60,
                attributes={"release_hash": self.release.hash, "key": "app"},
                **basic,
            ),
            Span(
                span_id=new_span_id(),
                parent_id=call_id,
                name="ask / best",
                kind="variant",
                attributes={"citations": msgspec.to_builtins((citation,))},
                **basic,
            ),
        ]
        async with self.ctx.db.transaction() as connection:
            await inbox.append(connection, [inbox.span_item(span) for span in spans], now_ns=now_ns)
        return trace_id

    async def change(self, sql: str, *parameters: object) -> None:
        """As an administrator of the database would, past the triggers that keep records as they are."""
        async with self.ctx.db.owner_connection() as connection, connection.transaction():
            await execute(connection, "set local session_replication_role = replica")
            await execute(connection, sql, *parameters)


@pytest.fixture
async def world(ctx):
    return await World(ctx).build()


def by_kind(found) -> dict[str, object]:
    return {link.kind: link for link in found.links}


@pytest.mark.parametrize("flushed", [False, True])
async def test_an_answer_leads_to_everything_it_rests_on_each_proven(world, ctx, flushed) -> None:
    await service.record_feedback(ctx, world.trace_id, -1, "not what I asked", correction="42")
    if flushed:
        await Flusher(ctx).flush()
    found = await why(ctx, world.trace_id)
    links = by_kind(found)

    assert [link.kind for link in found.links] == [
        "answer",
        "release",
        "approval",
        "evaluation",
        "variant",
        "code",
        "index",
        "passage",
        "dataset",
        "document",
        "score",
    ]
    assert all(link.recorded for link in found.links)
    proven = {link.kind for link in found.links if link.verified}
    assert proven == set(links) - {"index", "score"}
    assert found.altered == ()
    assert links["release"].hash == world.release.hash
    assert links["approval"].facts["comment"] == "looks right"
    assert links["evaluation"].facts["this_variant"] == "PASS"
    assert links["index"].facts["dataset_hash"] == links["dataset"].hash == world.version.hash
    assert links["passage"].facts["quote"] == world.rows[1].text[2:24]
    assert links["document"].facts["licence"] == "PSF-2.0"
    assert links["score"].facts["correction"] == "42"


async def altered_by(world, sql: str, *parameters: object) -> list[str]:
    await world.change(sql, *parameters)
    return [link.kind for link in (await why(world.ctx, world.trace_id)).altered]


async def test_an_altered_release_report_or_variant_is_told(world) -> None:
    bundle = msgspec.to_builtins(world.release.bundle) | {"reason": "another"}
    assert await altered_by(world, "update releases set bundle = %s", json.dumps(bundle)) == ["release", "approval"]
    await world.change("update releases set bundle = %s", json.dumps(msgspec.to_builtins(world.release.bundle)))
    changed = "update evaluation_reports set body = jsonb_set(body, '{findings,reason}', '\"fine\"')"
    assert await altered_by(world, changed) == ["evaluation"]
    changed = "update variants set spec = jsonb_set(spec, '{timeout_seconds}', '99')"
    assert await altered_by(world, changed) == ["evaluation", "variant"]


async def test_altered_documents_and_rows_are_told(world) -> None:
    rows = [to_columns(row) | {"project": "default", "dataset_id": "ds_1", "part_id": "part_1"} for row in world.rows]
    rows[1] = rows[1] | {"text": "something else", "hash": "sha256:0"}
    await asyncio.to_thread(world.ctx.lake.append, DATASET_ROWS, rows, writer="forger", sequence=1)
    changed = 'update dataset_versions set dataset_id = \'ds_1\', parts = \'[{"id":"part_1","rows":3}]\''

    assert "dataset" in await altered_by(world, changed)


async def test_altered_code_is_told(world) -> None:
    hash_ = world.variant.spec["code"]["hash"]
    digits = hash_.removeprefix("sha256:")
    (path,) = world.ctx.layout.blobs.rglob(digits)
    path.write_bytes(b"def best(input, tools): return 'evil'")
    found = by_kind(await why(world.ctx, world.trace_id))

    assert found["code"].verified is False

    path.unlink()
    found = by_kind(await why(world.ctx, world.trace_id))

    assert found["code"].recorded is False


async def test_a_call_that_names_another_variant_than_the_release_is_told(world) -> None:
    trace_id = await world.call(variant_hash="sha256:" + "0" * 64)
    found = by_kind(await why(world.ctx, trace_id))

    assert found["release"].verified is False
    assert "not in the bundle" in found["release"].note
    assert found["variant"].recorded is False


async def test_what_was_not_recorded_says_so_and_why(world) -> None:
    trace_id = await world.call(release="", variant_hash="")
    found = by_kind(await why(world.ctx, trace_id))

    assert not found["release"].recorded
    assert "not served through one" in found["release"].note
    assert not found["variant"].recorded

    await world.change("delete from live_releases")
    trace_id = await world.call(release="rel_gone")
    found = by_kind(await why(world.ctx, trace_id))

    assert "rel_gone" in found["release"].note


async def test_a_call_of_a_model_has_no_release_and_says_so(world) -> None:
    now_ns = world.ctx.clock.now_ns()
    span = Span(
        trace_id=new_trace_id(),
        span_id=new_span_id(),
        project="default",
        name="chat fast",
        kind="gateway",
        start_ns=now_ns,
        end_ns=now_ns,
        model_requested="fast",
        output="hi",
        attributes={"model_hash": "sha256:1", "model_version": 3},
    )
    async with world.ctx.db.transaction() as connection:
        await inbox.append(connection, [inbox.span_item(span)], now_ns=now_ns)
    found = by_kind(await why(world.ctx, span.trace_id))

    assert "call of a model" in found["release"].note
    assert (found["model"].hash, found["model"].facts["version"]) == ("sha256:1", 3)


async def test_what_an_application_claims_is_no_evidence(world) -> None:
    forged = Span(
        trace_id=new_trace_id(),
        span_id=new_span_id(),
        name="chat ask",
        kind="gateway",
        start_ns=1,
        end_ns=2,
        function="ask",
        release=world.release.id,
        variant_hash=world.variant.hash,
    )
    await service.take_spans(world.ctx, [forged])
    found = await why(world.ctx, forged.trace_id)

    assert [(link.kind, link.recorded) for link in found.links] == [("answer", False)]


async def test_an_unknown_trace_is_refused(ctx) -> None:
    with pytest.raises(TraceNotFoundError):
        await why(ctx, "nonsense")


async def test_the_chain_is_served_over_http(world, admin) -> None:
    answered = await admin.get(f"/api/why/{world.trace_id}")

    assert answered.status == 200
    assert [link["kind"] for link in answered.json()["links"]][:2] == ["answer", "release"]
    assert (await admin.get("/api/why/nonsense")).json()["error"]["code"] == "trace_not_found"
