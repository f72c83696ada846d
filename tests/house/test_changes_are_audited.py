"""No change without an event: whatever opens a transaction appends to the audit record in it, or says here why not."""

import ast
from functools import cache
from pathlib import Path

from flyball.web.pages import PAGES
from flyball.web.routers import ROUTERS

SOURCE = Path(__file__).parents[2] / "src"
RECORD = "flyball.audit.service.record"

# Transactions in which nobody changes anything that they are accountable for, and why.
UNAUDITED = {
    "flyball.audit.verifying._verify": "reads",
    "flyball.audit.exporting._lines": "reads; who exports is recorded before",
    "flyball.audit.sealing.seal": "signs what is recorded, and changes nothing of it",
    "flyball.costs.store.at_one_moment": "reads",
    "flyball.gateway.load": "reads",
    "flyball.health.watching._write": "what was measured of the server itself",
    "flyball.traces.": "what happened, not what somebody changed: spans and scores are append-only records themselves",
    "flyball.ledger.bank_postgres.": "what was used, not what somebody changed: an append-only record itself",
    "flyball.ledger.alerts.": "tells what was used; who is told, and at which thresholds, is audited where it is decided",
    "flyball.ledger.keeping.fold": "brings rows of one sum together: the sum stays",
    "flyball.runs.ledger.": "how far a run is; asking for one is audited by the verb that asks",
    "flyball.evaluations.planning.make": "pins variants: content named by its own hash; the run that needs it is audited",
    "flyball.secrets.rotation._forget_earlier": "only holds a lock; the exchange before it is audited",
    "flyball.infra.": "machinery under the nouns",
}

# Routes that are no GET and change nothing that anybody is accountable for, and why.
UNAUDITED_ROUTES = {
    "flyball.audit.pages.verify": "reads; a form, because it takes its time",
    "flyball.audit.pages.seal": "signs what is recorded, and changes nothing of it",
    "flyball.audit.api.seal": "likewise",
    "flyball.configuration.api.": "diff only compares",
    "flyball.traces.": "spans and scores are append-only records themselves",
    "flyball.web.compat.langfuse.media.": "likewise: what belongs to spans is appended",
    "flyball.web.compat.langfuse.traces.": "likewise, as Langfuse's clients send them",
    "flyball.web.compat.langfuse.ingestion.": "likewise",
    "flyball.web.compat.langfuse.scores.create_scores": "likewise",
}


def test_every_transaction_appends_to_the_audit_record():
    calls, opens = read_package()
    recording = reach(calls, RECORD)

    silent = [name for name in opens if name not in recording and not excused(name)]

    assert silent == []


def test_every_route_that_changes_something_leads_to_the_audit_record():
    calls, _ = read_package()
    recording = reach(calls, RECORD)
    changing = [
        f"{route.endpoint.__module__}.{route.endpoint.__name__}"
        for router in (*ROUTERS, *(pages.router for pages in PAGES))
        for route in router.routes
        if route.method != "GET"
    ]

    silent = [name for name in changing if name not in recording]

    assert changing
    assert [name for name in silent if not any(name.startswith(prefix) for prefix in UNAUDITED_ROUTES)] == []


def test_every_excuse_is_still_needed():
    _, opens = read_package()

    assert [prefix for prefix in UNAUDITED if not any(name.startswith(prefix) for name in opens)] == []


def test_a_function_that_does_not_record_is_found():
    calls, opens = read_module(
        "flyball.a.service",
        ast.parse("async def f(ctx):\n  async with ctx.db.transaction() as c: g(c)\ndef g(c): pass"),
    )

    assert opens == {"flyball.a.service.f"}
    assert reach(calls, RECORD) == {RECORD}


def excused(name: str) -> bool:
    return any(name.startswith(prefix) for prefix in UNAUDITED)


def reach(calls: dict[str, set[str]], goal: str) -> set[str]:
    """The functions that call `goal`, directly or through others."""
    found = {goal}
    while more := {name for name, called in calls.items() if called & found} - found:
        found |= more
    return found


@cache
def read_package() -> tuple[dict[str, set[str]], set[str]]:
    calls: dict[str, set[str]] = {}
    opens: set[str] = set()
    for path in sorted(SOURCE.rglob("*.py")):
        module = ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")
        more_calls, more_opens = read_module(module, ast.parse(path.read_text()))
        calls |= more_calls
        opens |= more_opens
    return calls, opens


def read_module(module: str, tree: ast.Module) -> tuple[dict[str, set[str]], set[str]]:
    """Which functions call which (by full name, methods by their own name), and which open a transaction."""
    names = imported(module, tree)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    calls = {f"{module}.{name}": {full} for name, full in names.items()}  # what a module re-exports
    names |= {function.name: f"{module}.{function.name}" for function in functions}
    opens = set()
    for function in functions:
        called = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
        calls[f"{module}.{function.name}"] = {full for each in called if (full := full_name(each, names))}
        if any(isinstance(each, ast.Attribute) and each.attr == "transaction" for each in called):
            opens.add(f"{module}.{function.name}")
    return calls, opens


def imported(module: str, tree: ast.Module) -> dict[str, str]:
    names = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            base = module.rsplit(".", node.level)[0] + "." * bool(node.module) if node.level else ""
            for alias in node.names:
                names[alias.asname or alias.name] = f"{base}{node.module or ''}.{alias.name}"
    return names


def full_name(called: ast.expr, names: dict[str, str]) -> str:
    if isinstance(called, ast.Name):
        return names.get(called.id, "")
    if isinstance(called, ast.Attribute) and isinstance(called.value, ast.Name):
        owner = called.value.id
        if owner == "self":
            return names.get(called.attr, "")
        return f"{names[owner]}.{called.attr}" if owner in names else ""
    return ""
