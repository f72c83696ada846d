"""Fills a flyball with what a steam works would have in it after some days: something in every room, and in every state.

Everything is made by the verbs that a user's commands call, each at a time of its own. Used by the fixtures of the pages.
"""

import json
import random
from dataclasses import dataclass, field, replace
from pathlib import Path

import yaml

from flyball.configuration import bundling
from flyball.configuration import service as configuration
from flyball.datasets import service as datasets
from flyball.datasets.jobs import JOBS as DATASET_JOBS
from flyball.datasets.records import Declaration
from flyball.evaluations import service as evaluations
from flyball.evaluations.jobs import JOBS as EVALUATION_JOBS
from flyball.functions import store as functions
from flyball.functions.execution import run_variant
from flyball.functions.records import CallIds
from flyball.functions.tools import open_tools
from flyball.indexes import service as indexes
from flyball.indexes.jobs import JOBS as INDEX_JOBS
from flyball.infra.jobs.immediate import run_immediately
from flyball.kit.clock import SystemClock
from flyball.kit.errors import FlyballError
from flyball.kit.ids import new_id, new_span_id, new_trace_id
from flyball.ledger import quotas
from flyball.ledger.alerts import tell_passed
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.declared import QuotaWish
from flyball.ledger.records import Entry, Take
from flyball.llm.usage import Usage
from flyball.models.reaching import reaching
from flyball.models.service import prices_by_version
from flyball.notifications import service as notifications
from flyball.notifications import store as notification_store
from flyball.notifications.records import Receiver
from flyball.projects import keys as projects
from flyball.releases import service as releases
from flyball.releases import serving
from flyball.releases.records import Proposal
from flyball.runs import service as runs
from flyball.runs.ledger import RunLedger
from flyball.traces import inbox, service
from flyball.traces.flusher import Flusher
from flyball.traces.records import APPLICATION, Score, Span

HERE = Path(__file__).parent
JOBS = {job.kind: job for job in (*DATASET_JOBS, *INDEX_JOBS, *EVALUATION_JOBS)}
SECOND = 1_000_000_000
HOUR = 3600 * SECOND
MARKUP = '<script>document.title="taken over"</script><img src=x onerror="document.title=\'taken over\'">'
MARKDOWN = "![a picture](http://pictures.invalid/pixel.png) [press here](javascript:alert(1))"
ANSI = "\x1b[31mred\x1b[0m\x07 \u202egnirts"
UNBROKEN = "a-name-that-nobody-broke-" * 8


class Earlier(SystemClock):
    """The machine's clock, set back."""

    def __init__(self, hours: float) -> None:
        self._ns = int(hours * HOUR)

    def now_ns(self) -> int:
        return super().now_ns() - self._ns


@dataclass
class Works:
    """What was made, by the names that tests use."""

    ctx: object
    folder: Path
    reports: dict = field(default_factory=dict)
    releases: dict = field(default_factory=dict)
    traces: dict = field(default_factory=dict)
    runs: dict = field(default_factory=dict)
    keys: dict = field(default_factory=dict)
    quotas: dict = field(default_factory=dict)
    called: list = field(default_factory=list)
    entry: str = ""
    price: str = ""

    def at(self, hours):
        """The context, so many hours ago."""
        return replace(self.ctx, clock=Earlier(hours))


async def furnish(ctx, folder):
    """Everything, in the order of the loop."""
    works = Works(ctx, folder)
    write_handbook(folder)
    declared = bundling.bundle(folder / "flyball.yaml")
    await configuration.apply(works.at(218), declared)
    await collect(works)
    await judge(works)
    await release(works)
    await observe(works)
    await learn(works)
    await govern(works)
    await spend(works)
    return works


def write_handbook(folder):
    """The works' own files: documents with some that cannot be read, questions, and what flyball.yaml names."""
    questions = []
    for document in yaml.safe_load((HERE / "handbook.yaml").read_text()):
        place = folder / "handbook" / document["file"].removesuffix(".md")
        place.mkdir(parents=True)
        for section in document["sections"]:
            title = f"{document['title']}: {section['heading'].lower()}"
            (place / f"{section['heading'].lower().replace(' ', '-')}.md").write_text(
                f"# {title}\n\n{section['text']}\n"
            )
            questions.append((section["question"], title, section["text"]))
    root = folder / "handbook"
    (root / "hostile.md").write_text(f"# {MARKUP}\n\n{MARKDOWN} {MARKUP}\n")
    (root / "empty.txt").write_text("")
    (root / "plan.jpg").write_bytes(b"\xff\xd8\xff")
    (root / "old-letters.txt").write_bytes("Ventilöffnung".encode("latin-1"))
    (root / ".cache").mkdir()
    rows = [
        {"id": f"q{number:03}", "question": asked, "expected": [title], "answer": text}
        for number, (asked, title, text) in enumerate(questions, 1)
    ]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (folder / "few.jsonl").write_text("\n".join(map(json.dumps, rows[:3])))
    (folder / "letters.jsonl").write_text(json.dumps({"id": "l1", "letter": "I complain about the smoke."}))
    (folder / "prompts").mkdir()
    for name in ("flyball.yaml", "works_rules.py", "prompts/ask.md"):
        (folder / name).write_text((HERE / name).read_text())


async def work(ctx, run):
    """Do a queued run as the worker does."""
    ledger = RunLedger(ctx)
    begun, kind, arguments = await ledger.begin(run.id)
    try:
        result = await run_immediately(replace(begun, clock=ctx.clock), JOBS[kind], arguments, run_id=run.id)
    except FlyballError as error:
        await ledger.fail(run.id, error)
    else:
        await ledger.progress(run.id, 24, 24, str(result.get("message", "done")))
        await ledger.succeed(run.id, result)
    return await runs.get(ctx, run.id)


async def collect(works):
    then = works.at(217)
    works.runs["import"] = await work(then, await datasets.import_later(then, "handbook"))
    for name in ("questions", "few-questions"):
        await work(then, await datasets.import_later(then, name))
    works.runs["build"] = await work(then, await indexes.build_later(then, "handbook"))
    gone = Declaration(source="folder", location=str(works.folder / "nowhere"))
    works.runs["failed"] = await work(works.at(200), await datasets.import_later(works.at(200), "attic", gone))


async def judge(works, hours=190, names=("works-glance", "works-quality")):
    for offset, name in enumerate(names):
        then = works.at(hours - offset)
        run = await work(then, await evaluations.start(then, name))
        works.runs[name] = run
        works.reports.setdefault(name, []).append(await evaluations.get_report(then, run.result["report_id"]))


async def release(works):
    """One in every state: superseded, live, rejected, approved, proposed."""
    evidence = (works.reports["works-quality"][0].id,)
    no_evidence = Proposal(
        function="ask-works", shares={"last-passage": 100}, reason="to have something", override="the crew waits for it"
    )
    works.releases["superseded"] = await serve(works, 212, no_evidence)
    better = Proposal(function="ask-works", evidence=evidence, reason="the winner of works-quality")
    works.releases["live"] = await serve(works, 120, better)
    ctx = works.at(60)
    both = Proposal(
        function="ask-works",
        evidence=evidence,
        shares={"best-passage": 90, "last-passage": 10},
        reason="a small canary",
    )
    refused = await releases.propose(ctx, both)
    await releases.decide(ctx, refused.id, "rejected", "nobody asked for the old one")
    works.releases["rejected"] = refused.id
    approved = await releases.propose(ctx, replace_reason(better, "the same again, after the holidays"))
    await releases.decide(ctx, approved.id, "approved", "fine")
    works.releases["approved"] = approved.id
    works.releases["proposed"] = (await releases.propose(works.at(2), replace_reason(better, "waits for your eyes"))).id


def replace_reason(proposal, reason):
    return Proposal(function=proposal.function, evidence=proposal.evidence, reason=reason)


async def serve(works, hours, proposal):
    ctx = works.at(hours)
    proposed = await releases.propose(ctx, proposal)
    await releases.decide(ctx, proposed.id, "approved", "I read the report")
    return (await serving.serve(works.at(hours - 0.2), proposed.id)).id


async def observe(works):
    """Two hundred traces: answers of the function, calls of a model, an application's own work, failures."""
    chance = random.Random(4)
    spans = await answers(works, 6)
    for number in range(190):
        ago = int((number * 0.11 + chance.random() * 0.1 + 0.3) * HOUR)
        spans += model_call(works.ctx.clock.now_ns() - ago, chance, failed=number % 17 == 3)
    spans += deep_tree(works) + hostile(works) + application(works)
    items = [inbox.span_item(span) for span in sorted(spans, key=lambda span: span.start_ns)]
    waiting = items[-24:]
    async with works.ctx.db.transaction() as connection:
        await inbox.append_once(connection, items[:-24], now_ns=works.ctx.clock.now_ns())
    assert await Flusher(works.ctx).finish(seconds=60)
    async with works.ctx.db.transaction() as connection:
        await inbox.append_once(connection, waiting, now_ns=works.ctx.clock.now_ns())


async def answers(works, count):
    """Calls that the live release answered, as gateway and runner record them."""
    ctx = works.ctx
    release = (await releases.get_release(ctx, works.releases["live"])).release
    async with ctx.db.connection() as connection:
        variant = await functions.get_variant(connection, ctx.project, release.bundle.shares[0].variant_hash)
    asked = [json.loads(line)["question"] for line in (works.folder / "questions.jsonl").read_text().splitlines()]
    spans = []
    async with open_tools(
        layout=ctx.layout, blobs=ctx.blobs, clock=ctx.clock, settings=ctx.settings, reach=reaching(ctx)
    ) as tools:
        for question in asked[:count]:
            ids = CallIds(project="default", trace_id=new_trace_id(), parent_id=new_span_id(), release=release.id)
            start_ns = ctx.clock.now_ns()
            answer = await run_variant(variant, {"question": question}, tools=tools, ids=ids)
            spans += answer.spans
            spans.append(
                Span(
                    trace_id=ids.trace_id,
                    span_id=ids.parent_id,
                    name="chat ask-works",
                    kind="gateway",
                    kind_otel="server",
                    status="ok",
                    start_ns=start_ns,
                    end_ns=ctx.clock.now_ns(),
                    project="default",
                    service="flyball",
                    function="ask-works",
                    variant=variant.name,
                    variant_hash=variant.hash,
                    release=release.id,
                    input=question,
                    output=answer.text,
                    user_id="stoker-3",
                    attributes={"key": "my-app", "stream": False, "release_hash": release.hash},
                )
            )
            works.called.append(ids.trace_id)
    works.traces["answer"] = works.called[0]
    return spans


def model_call(start_ns, chance, *, failed):
    trace_id, root = new_trace_id(), new_span_id()
    end_ns = start_ns + chance.randint(80_000_000, 4 * SECOND)
    question = chance.choice(
        ("Summarise the log of the night shift.", "Translate: Das Ventil klemmt.", "Is 9 bar too much?")
    )
    answer = "" if failed else "The pressure stood at eight bar all night, and nothing was written under faults. " * 3
    error = "upstream_timeout: the model did not answer within 30 s" if failed else ""
    names = {"trace_id": trace_id, "project": "default", "status": "error" if failed else "ok", "error": error}
    names |= {"input": question, "output": answer, "service": "flyball"}
    spent = {"input_tokens": chance.randint(20, 3000), "output_tokens": 0 if failed else chance.randint(20, 900)}
    cost = None if chance.random() < 0.1 else spent["input_tokens"] * 150 + spent["output_tokens"] * 600
    named = {"name": "chat assistant", "kind": "gateway", "kind_otel": "server", "model_requested": "assistant"}
    inner = {"name": "complete assistant", "kind": "llm", "provider": "openai-compatible", "usage": Usage(**spent)}
    return [
        Span(span_id=root, start_ns=start_ns, end_ns=end_ns, **named, **names),
        Span(
            span_id=new_span_id(),
            parent_id=root,
            start_ns=start_ns + 1_000_000,
            end_ns=end_ns - 500_000,
            cost_nano_usd=cost,
            **inner,
            **names,
        ),
    ]


def deep_tree(works):
    """Twelve spans below each other, a sibling that failed, one whose parent was lost, and a text too long for a page."""
    trace_id = works.traces["deep"] = new_trace_id()
    start_ns, parent, spans = works.ctx.clock.now_ns() - HOUR // 2, "", []
    for depth in range(12):
        times = {"start_ns": start_ns + depth * 40_000_000, "end_ns": start_ns + 2 * SECOND - depth * 50_000_000}
        span = Span(
            trace_id=trace_id,
            span_id=new_span_id(),
            parent_id=parent,
            name=f"step {depth + 1} of the inspection",
            kind="tool" if depth % 3 == 2 else "chain",
            project="default",
            status="ok",
            session_id="inspection-17",
            input="valve " * (8_000 if depth == 0 else 3),
            output="checked",
            **times,
        )
        spans.append(span)
        parent = span.span_id
    lost = {
        "trace_id": trace_id,
        "project": "default",
        "start_ns": start_ns + SECOND,
        "end_ns": start_ns + SECOND + 900,
    }
    failed = {"status": "error", "error": "LookupError: no drawing of valve 7"}
    spans.append(
        Span(span_id=new_span_id(), parent_id=spans[3].span_id, name="fetch a drawing", kind="tool", **failed, **lost)
    )
    spans.append(Span(span_id=new_span_id(), parent_id="f" * 16, name="a child whose parent was lost", **lost))
    return spans


def hostile(works):
    trace_id = works.traces["hostile"] = new_trace_id()
    now_ns = works.ctx.clock.now_ns() - HOUR // 4
    names = {
        "trace_id": trace_id,
        "project": "default",
        "start_ns": now_ns,
        "end_ns": now_ns + SECOND,
        "scope": APPLICATION,
    }
    texts = {"input": MARKUP + MARKDOWN, "output": ANSI + MARKDOWN, "error": MARKUP}
    root = Span(
        span_id=new_span_id(),
        name=MARKUP,
        kind=UNBROKEN,
        status="error",
        function=UNBROKEN,
        user_id=MARKUP,
        session_id=UNBROKEN,
        attributes={MARKUP: [MARKDOWN, ANSI]},
        **texts,
        **names,
    )
    return [root, Span(span_id=new_span_id(), parent_id=root.span_id, name=UNBROKEN, **names)]


def application(works):
    trace_id, root = new_trace_id(), new_span_id()
    works.traces["application"] = trace_id
    now_ns = works.ctx.clock.now_ns() - 12 * SECOND
    names = {"trace_id": trace_id, "project": "default", "scope": APPLICATION, "status": "ok", "service": "crew-app"}
    return [
        Span(
            span_id=root, name="answer_crew", start_ns=now_ns, end_ns=now_ns + SECOND, input="{}", output="ok", **names
        ),
        Span(
            span_id=new_span_id(), parent_id=root, name="look_up", start_ns=now_ns + 9, end_ns=now_ns + 700_000, **names
        ),
    ]


async def learn(works):
    """Feedback, a judge's scores, a corrected answer that becomes a row, and the evaluation again."""
    ctx, answer = works.ctx, works.traces["answer"]
    await service.record_feedback(ctx, works.called[1], 1.0, "exactly")
    await service.record_feedback(
        ctx, answer, -1.0, "it says what, not how", correction="The governor moves the throttle when the speed changes."
    )
    await service.record_feedback(ctx, works.traces["hostile"], -0.5, MARKUP, correction=MARKDOWN)
    for kind, name, value in (("LLM", "faithful", 0.75), ("CODE", "length", 143.0)):
        score = Score(
            score_id=f"sc_{name}",
            target_kind="trace",
            target_id=answer,
            trace_id=answer,
            name=name,
            created_ns=ctx.clock.now_ns(),
            value=value,
            annotator_kind=kind,
            annotator_id="judge-1",
            explanation="every sentence stands in the passage",
        )
        await service.record_score(ctx, score)
    row = {
        "id": "q900",
        "question": "What moves the throttle?",
        "expected": ["Governor: purpose"],
        "answer": "The governor.",
    }
    await datasets.add_row_from_trace(ctx, "questions", trace_id=answer, data=row)
    await judge(works, 1, ("works-quality",))


async def govern(works):
    """Keys of every kind; a run that goes on and one that waits."""
    for name, role in (
        ("my-app", "application"),
        ("night-batch", "maintainer"),
        (MARKUP[:99], "viewer"),
        (UNBROKEN[:99], "viewer"),
    ):
        works.keys[name] = (await projects.create_key(works.ctx, name, role)).key.id
    await projects.revoke_key(works.ctx, works.keys["night-batch"])
    going = await evaluations.start(works.ctx, "works-quality")
    ledger = RunLedger(works.ctx)
    await ledger.begin(going.id)
    await ledger.progress(going.id, 11, 25, "asking")
    works.runs["running"] = await runs.get(works.ctx, going.id)
    works.runs["queued"] = await evaluations.start(works.ctx, "works-glance")


async def spend(works):
    """Budgets and limits in every state, leases of two workers, and what a month of calls cost."""
    ctx, bank = works.ctx, PostgresBank(works.ctx.db, lease_ns=HOUR)
    async with ctx.db.connection() as connection:
        prices = await prices_by_version(connection, [ctx.project])
    works.price = next(version for version, one in prices.items() if one.input == 150_000_000)
    settled = entries(works)
    works.entry = settled[0].id
    await bank.settle(settled)
    spent = {
        "near": ("key my-app", "nano_usd", SECOND * 3 // 2, "month", {"alerts": (20, 40, 100)}),
        "used-up": ("function ask-works", "nano_usd", 40_000_000, "month", {}),
        "soft": ("tag night-shift", "nano_usd", 10_000_000, "rolling:30d", {"stop": "soft"}),
        "closed": ("project", "nano_usd", 500 * SECOND, "month", {"when_away": "closed", "open_bound": SECOND}),
        "all": ("organisation", "tokens", 900_000_000, "total", {}),
        "nothing": (f"model {UNBROKEN[:150]}", "requests", 0, "minute", {}),
        "parallel": ("model assistant", "parallel", 8, "total", {"organisation_wide": True}),
        "hostile": (f"tag {MARKUP[:99]}", "requests", 600, "hour", {}),
    }
    for name, (scope, unit, amount, window, more) in spent.items():
        wish = QuotaWish(scope=scope, unit=unit, amount=amount, window=window, **more)
        works.quotas[name] = await quotas.set_quota(ctx, wish)
    for worker, share in (("gateway-1-5f0c2a9be1d4", 20), ("gateway-2-93ab77c01e22", 50)):
        takes = [
            Take(quota.id, 1, max(1, quota.free // share), max(1, quota.free // share))
            for name in ("near", "closed", "parallel")
            for quota in [works.quotas[name]]
        ]
        await bank.take(worker, takes)
    await tell(works)


async def tell(works):
    """Two mailboxes and a webhook that are told of thresholds; one message arrived, one waits, one is given up."""
    ctx = works.ctx
    await notifications.add_receiver(ctx, "mailto:ann@example.com")
    await notifications.add_receiver(ctx, f"mailto:{UNBROKEN[:60]}@example.com", organisation_wide=True)
    async with ctx.db.across_projects().transaction() as connection:
        hook = Receiver(
            id=new_id("rcv", ctx.clock.now_ns()), organisation="default", project=ctx.project, home=ctx.project,
            address="https://hooks.example.com/T0KEN", secret="secret:" + "hooks", created_ns=ctx.clock.now_ns(),
        )  # fmt: skip
        await notification_store.insert(connection, hook)
    await tell_passed(ctx)
    waiting = (await notifications.list_notifications(ctx)).items
    async with ctx.db.across_projects().connection() as connection:
        for one, next_ns in zip(waiting, (None, None, ctx.clock.now_ns() + HOUR), strict=False):
            if next_ns or one is waiting[1]:
                why = "https://hooks.example.com (e35cd3cb) answered 503"
                now_ns = ctx.clock.now_ns()
                await notification_store.failed(connection, one.id, error=why, next_ns=next_ns, now_ns=now_ns)
            else:
                await notification_store.delivered(connection, one.id, ctx.clock.now_ns())


def entries(works, count=900, seed=7):
    """What calls of two months cost: of keys, models and functions, in every state, some at no known price."""
    chance, now_ns = random.Random(seed), works.ctx.clock.now_ns()
    found = []
    for number in range(count):
        hours = number / count * 58 * 24
        asks = chance.random() < (0.5 if hours < 720 else 0.3)
        state = "complete" if number % 9 else chance.choice(("failed", "cancelled", "retried", "lost"))
        model = chance.choice(("assistant", "assistant", "slow-and-good" if hours < 600 else "assistant"))
        found.append(
            Entry(
                id=f"{chance.getrandbits(64):016x}",
                project=works.ctx.project,
                organisation="default",
                at_ns=now_ns - int(hours * HOUR) - chance.randint(0, HOUR),
                trace_id=_trace_of(works, number, asks=asks),
                key_id=works.keys[chance.choice(("my-app", "night-batch"))] if number % 40 else works.keys[MARKUP[:99]],
                function="ask-works" if asks else None,
                variant=chance.choice(("best-passage", "best-passage", "last-passage")) if asks else None,
                release=works.releases["live"] if asks else None,
                model=model if number % 50 else UNBROKEN[:150],
                provider="openai-compatible",
                upstream_model=f"mock-{model}",
                tags=("night-shift",) if number % 3 == 0 else (),
                state=state,
                estimated=state == "cancelled",
                requests=0 if state == "retried" else 1,
                **_bill(chance, works.price, dear=model != "assistant", priced=number % 23 != 5),
            )
        )
    return found


def _trace_of(works, number, *, asks):
    """Each trace that there is holds one call of the function, and some of models."""
    known = works.called
    return known[number % len(known)] if not asks and number % 30 else known[number] if number < len(known) else ""


def _bill(chance, price, *, dear, priced):
    used = {
        "input_tokens": chance.randint(200, 6_000),
        "cache_read_tokens": 0 if dear else chance.randint(0, 4_000),
        "output_tokens": chance.randint(20, 1_500),
    }
    rates = (2_500, 0, 10_000) if dear else (150, 15, 600)
    cost = sum(tokens * rate for tokens, rate in zip(used.values(), rates, strict=True))
    return used | {"nano_usd": cost if priced else None, "price_version": (None if dear else price) if priced else None}
