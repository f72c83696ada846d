"""Another tenant, with one of everything that a flyball can hold, each thing marked; and what of it is there, row by row."""

import json
from dataclasses import dataclass, field, replace

import msgspec
from psycopg import sql

from flyball.audit import service as audit
from flyball.configuration import service as configuration
from flyball.configuration.records import Bundle
from flyball.datasets import service as datasets
from flyball.evaluations import service as evaluations
from flyball.identity import invitations, providers, second_factor, sessions
from flyball.identity.provider_records import ProviderWish
from flyball.identity.records import Whence
from flyball.indexes import service as indexes
from flyball.infra.context import Context
from flyball.infra.db.database import fetch_all
from flyball.infra.jobs.immediate import run_immediately
from flyball.jobs import JOBS
from flyball.kit.ids import new_span_id, new_trace_id
from flyball.kit.secrets import Secret
from flyball.ledger import quotas
from flyball.ledger.bank_postgres import PostgresBank
from flyball.ledger.declared import QuotaWish
from flyball.ledger.records import Entry
from flyball.ledger.scopes import home_of
from flyball.models import files
from flyball.projects import account_keys, keys, members, own_roles, store, tenants
from flyball.projects.keys import KeyGrant
from flyball.releases import service as releases
from flyball.releases import serving
from flyball.releases.records import Proposal
from flyball.runs.ledger import RunLedger
from flyball.secrets import service as secrets
from flyball.traces import inbox, service
from flyball.traces.flusher import Flusher
from flyball.traces.records import Span

MARK = "wombat"  # stands in the name of everything that the other tenant has
KINDS = {job.kind: job for job in JOBS}
DECLARED = f"""\
project: {MARK}
models:
  {MARK}-model:
    endpoints: [{{provider: openai-compatible, base_url: "https://models.example.org/v1", model: {MARK}, api_key: "secret:{MARK}-secret"}}]
prompts:
  {MARK}-prompt: {{file: {MARK}.md}}
functions:
  {MARK}-function:
    input: {{type: object, properties: {{question: {{type: string}}}}, required: [question]}}
    variants:
      {MARK}-first: {{kind: rules, code: "{MARK}:first"}}
      {MARK}-second: {{kind: rules, code: "{MARK}:second"}}
datasets:
  {MARK}-dataset: {{import: {MARK}.jsonl, licence: Apache-2.0}}
  {MARK}-texts: {{import: FOLDER, licence: Apache-2.0}}
indexes:
  {MARK}-index: {{dataset: {MARK}-texts}}
evaluations:
  {MARK}-evaluation:
    function: {MARK}-function
    dataset: {MARK}-dataset
    scorers: [exact]
    baseline: {MARK}-first
    margin: 0.5
"""
ROW = {"id": f"{MARK}-row", "question": f"{MARK}?", "expected": [MARK], "answer": MARK}
FILES = {
    f"{MARK}.md": f"---\nvariables: [question]\n---\n--- user\n{MARK} {{{{ question }}}}\n",
    f"{MARK}.py": "def first(asked, tools):\n    return 'a'\n\n\ndef second(asked, tools):\n    return 'b'\n",
    f"{MARK}.jsonl": json.dumps(ROW) + "\n",
}
TENSORS = b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}  '


@dataclass
class Tenant:
    """A project and what it has: by noun, every name and id by which it could be asked for."""

    ctx: Context
    has: dict[str, list[str]] = field(default_factory=dict)

    def one(self, noun: str) -> str:
        """The name or id by which addresses know a thing of that kind."""
        return self.has[noun][0]

    @property
    def everything(self) -> list[str]:
        return [value for values in self.has.values() for value in values]


def weights(salt: bytes = b"\0\0\0\0"):
    """The smallest file of weights that is let in."""
    return len(TENSORS).to_bytes(8, "little") + TENSORS + salt


async def settled(ctx, *, organisation: str = "") -> Tenant:
    """A new project that has everything: in the first organisation, or in one of its own."""
    if organisation:
        _, project, _ = await tenants.create_organisation(ctx, organisation, f"{MARK}-owner")
    else:
        project = await tenants.create_project(ctx, MARK)
    inside = ctx.within(project.id, ctx.actor)
    other = Tenant(inside, {"projects": [project.id, project.name] if project.name == MARK else [project.id]})
    await _people(other)
    if organisation:
        await _provider(other)
    await _ledger(other)
    await _loop(other)
    await _traces(other)
    event = (await audit.list_events(inside)).items[0]
    other.has["audit"] = [event.hash]
    return other


async def _people(other):
    ctx, has = other.ctx, other.has
    key, _ = await keys.create_key(ctx, f"{MARK}-key")
    member = await members.add_member(ctx, f"{MARK}-member", "viewer", f"{MARK}@example.org")
    await own_roles.set_role(ctx, f"{MARK}-role", ("datasets.read",), f"{MARK} reads")
    _, invitation = await invitations.invite(ctx, "viewer", f"{MARK}@example.org")
    await secrets.set_secret(ctx, f"{MARK}-secret", Secret("s3cr3t"), hosts=("models.example.org",))
    async with ctx.db.transaction() as connection:
        known = await store.get_member_by_id(connection, ctx.project, member.id)
        begun = await sessions.mint(connection, ctx, known, "link", Whence(user_agent=MARK))
    acting = ctx.acting_as(sessions.actor_of(known, begun.session))
    await second_factor.begin(acting, begun.token)
    own, _ = await account_keys.create_own_key(acting, f"{MARK}-own-key", KeyGrant())
    has |= {
        "keys": [f"{MARK}-key", key.id, f"{MARK}-own-key", own.id],
        "members": [f"{MARK}-member", member.id],
        "roles": [f"{MARK}-role"],
        "invitations": [invitation.id],
        "secrets": [f"{MARK}-secret"],
        "sessions": [begun.session.id],
    }


async def _ledger(other):
    """A budget, a limit, and an attempt that both count."""
    ctx = other.ctx
    budget = await quotas.set_quota(
        ctx, QuotaWish(scope=f"key {MARK}-key", unit="nano_usd", amount=10**9, window="month")
    )
    limit = await quotas.set_quota(ctx, QuotaWish(scope=f"function {MARK}", unit="requests", amount=9, window="day"))
    async with ctx.db.connection() as connection:
        home = await home_of(connection, ctx)
    entry = Entry(
        id=new_span_id(),
        project=ctx.project,
        organisation=home.id,
        at_ns=ctx.clock.now_ns(),
        trace_id=new_trace_id(),
        key_id=budget.scope_id,
        function=MARK,
        model=f"{MARK}-model",
        tags=(MARK,),
        nano_usd=7,
    )
    await PostgresBank(ctx.db).settle([entry])
    other.has |= {"budgets": [budget.id], "limits": [limit.id], "ledger": [entry.id]}


async def _provider(other):
    """Of its organisation: the other projects of one see it."""
    wish = ProviderWish(issuer=f"https://{MARK}.example.org", client_id=MARK, client_auth="none", shown=False)
    other.has["providers"] = [(await providers.set_provider(other.ctx, f"{MARK}-provider", wish)).name]


async def _loop(other):
    """Models, prompts, functions, datasets, an index, an evaluation, its report, releases: as a user would make them."""
    ctx, has = other.ctx, other.has
    texts = ctx.layout.root / MARK
    texts.mkdir()
    (texts / f"{MARK}.md").write_text(f"# {MARK}\n\nThe {MARK} sleeps by day.\n")
    declared = DECLARED.replace(f"project: {MARK}", f"project: {ctx.project}").replace("FOLDER", str(texts))
    await configuration.apply(ctx, Bundle(text=declared, path="flyball.yaml", root="/", files=FILES, unread={}))
    for name in (f"{MARK}-dataset", f"{MARK}-texts"):
        await _work(ctx, await datasets.import_later(ctx, name))
    await _work(ctx, await indexes.build_later(ctx, f"{MARK}-index"))
    run = await _work(ctx, await evaluations.start(ctx, f"{MARK}-evaluation"))
    waiting = await evaluations.start(ctx, f"{MARK}-evaluation")
    first = Proposal(function=f"{MARK}-function", shares={f"{MARK}-first": 100}, reason=MARK, override=f"{MARK} waits")
    live = await releases.propose(ctx, first)
    await releases.decide(ctx, live.id, "approved", MARK)
    await serving.serve(ctx, live.id)
    proposed = await releases.propose(ctx, first)

    async def pieces():
        yield weights(MARK[:4].encode())

    file = await files.admit(ctx, f"{MARK}.safetensors", pieces())
    has |= {noun: [f"{MARK}-{noun[:-1]}"] for noun in ("models", "prompts", "functions", "datasets", "evaluations")}
    has |= {
        "indexes": [f"{MARK}-index"],
        "runs": [run.id, waiting.id],
        "reports": [run.result["report_id"]],
        "releases": [proposed.id, live.id],
        "model-files": [file.hash],
    }


async def _work(ctx, run):
    """Do a queued run as the worker does."""
    ledger = RunLedger(ctx)
    begun, kind, arguments = await ledger.begin(run.id)
    result = await run_immediately(replace(begun, clock=ctx.clock), KINDS[kind], arguments, run_id=run.id)
    await ledger.succeed(run.id, result)
    return msgspec.structs.replace(run, result=result)


async def _traces(other):
    """One trace that lies in the lake, one that is on its way, a score on each."""
    ctx = other.ctx
    found = []
    for flushed in (True, False):
        now_ns = ctx.clock.now_ns()
        names = {"trace_id": new_trace_id(), "span_id": new_span_id(), "name": MARK, "project": ctx.project}
        span = Span(start_ns=now_ns - 10**9, end_ns=now_ns, input=MARK, output=MARK, service=MARK, **names)
        async with ctx.db.transaction() as connection:
            await inbox.append_once(connection, [inbox.span_item(span)], now_ns=now_ns)
        await service.record_feedback(ctx, span.trace_id, 1.0, MARK)
        if flushed:
            assert await Flusher(replace(ctx, project="default")).finish(seconds=60)
        found.append(span)
    other.has |= {"traces": [span.trace_id for span in found], "spans": [span.span_id for span in found]}


async def rows_of(ctx, project: str) -> dict[str, str]:
    """Of every table that names the project, and of those of its people, what all its rows are together."""
    people = sql.SQL("select id from members where id in (select member from memberships where project = {})").format(
        project
    )
    selected = []
    async with ctx.db.owner_connection() as connection:
        tables = await fetch_all(connection, _TABLES)
        for row in tables:
            if "project" in row["columns"]:
                wanted = sql.SQL("t.project = {}").format(project)
            elif row["name"] == "projects":
                wanted = sql.SQL("t.id = {}").format(project)
            elif row["name"] == "members" or "member" in row["columns"]:
                column = sql.Identifier("id" if row["name"] == "members" else "member")
                wanted = sql.SQL("t.{} in ({})").format(column, people)
            else:
                continue
            selected.append(
                sql.SQL("select {} as name, md5(string_agg(({row})::text, chr(10) order by ({row})::text)) as rows from {} t where {}")
                .format(row["name"], sql.Identifier(row["name"]), wanted, row=_ROW)
            )  # fmt: skip
        rows = await (await connection.execute(sql.SQL(" union all ").join(selected))).fetchall()
    found = {row["name"]: row["rows"] for row in rows}
    files = [path for path in ctx.layout.lake.rglob(f"project={project}/**/*") if path.is_file()]
    return found | {"files of the lake": repr(sorted((str(path), path.stat().st_size) for path in files))}


_ROW = sql.SQL("to_jsonb(t) - 'changed'")  # but for the mark by which gateways notice that a key's rights may be others
_TABLES = """
    select table_name as name, array_agg(column_name::text) as columns from information_schema.columns
    where table_schema = 'public' group by table_name order by table_name
"""
