"""The first wall between tenants: whatever reads or writes a table that has a project says which. Those that do not are named here.

Read off the source: every text that is SQL about such a table, by the constant or the function in which it stands.
"""

import ast
import importlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from flyball.infra.db.database import fetch_all

SOURCE = Path(__file__).parents[2] / "src/flyball"
PART = "a part, of which the others here are made"
CREDENTIAL = "by a credential's hash, which finds out the project"
PERSON = "what a person has, in all of their projects"
MACHINERY = "works for all projects: the worker, the flusher, the gateway's snapshot, the master key"
QUOTA = "a quota by its id, or the quotas and counters of all: an organisation's is of no project, and settling serves everybody"
ORGANISATION = "sign-in providers are an organisation's; their names are the server's"
QUOTA = "a quota, or who is told of it, is a project's or an organisation's, and its policy looks at both; the rest goes by it"
WITHOUT = {
    **dict.fromkeys(
        [
            "audit/store.newest", "identity/invitation_store._INVITATION", "identity/provider_store._IDENTITY",
            "identity/provider_store._IN_USE", "identity/session_store._REVOKE", "identity/session_store._SESSION",
            "projects/key_store._JOINED", "projects/key_store._WITH_ROLES", "projects/store._MEMBER", "runs/store._SELECT",
            "secrets/store._SEALED",
        ],
        PART,
    ),
    **dict.fromkeys(
        [
            "identity/invitation_store._BY_HASH", "identity/invitation_store._BY_HASH_LOCKED",
            "identity/session_store._LIVE_BY_HASH", "identity/session_store._REVOKE_BY_HASH",
            "identity/session_store.delete_steps", "identity/session_store.get_link",
            "identity/session_store.get_step", "identity/session_store.use_link",
            "projects/key_store._BY_HASH", "traces/media_store.get_ticket",
        ],
        CREDENTIAL,
    ),
    **dict.fromkeys(
        [
            "identity/session_store._LIVE_OF_MEMBER", "identity/session_store._REVOKE_OF_MEMBER",
            "identity/session_store._REVOKE_OWN", "identity/session_store._UNTOUCHED", "identity/session_store.delete_steps_in",
            "identity/session_store.delete_steps_of", "identity/session_store.discard_links_of",
            "identity/session_store.note_use", "identity/session_store.revoke_sessions_by_password",
            "identity/session_store.set_hash", "identity/session_store.take_untouched", "projects/key_store._USABLE_OF",
            "projects/owner_store.discard_links_by", "projects/owner_store.set_removed", "projects/store.projects_of",
            "identity/provider_store._IDENTITIES_OF", "identity/provider_store._IDENTITY_BY_SUBJECT",
            "identity/provider_store.memberships_by",
        ],
        PERSON,
    ),
    **dict.fromkeys(
        [
            "identity/provider_store._BY_NAME", "identity/provider_store._OF_ORGANISATION",
            "identity/provider_store._ORGANISATION", "identity/provider_store._SHOWN", "identity/provider_store._UPDATE",
            "identity/provider_store.enforced_of", "identity/provider_store.remove_provider",
            "identity/provider_store.shows_beyond",
        ],
        ORGANISATION,
    ),
    **dict.fromkeys(
        [
            "ledger/alert_store._OF_QUOTA", "ledger/alert_store.forget_old", "notifications/store._TOLD",
            "ledger/declared_store._LEASES", "ledger/declared_store.count", "ledger/quota_store._DERIVED", "ledger/quota_store._ENTRIES", "ledger/quota_store._EVERY",
            "ledger/quota_store._FIND", "ledger/quota_store._NEAR", "ledger/quota_store.forget_old", "ledger/quota_store.remove",
            "ledger/quota_store._USED", "ledger/quota_store.update",
        ],
        QUOTA,
    ),
    **dict.fromkeys(
        [
            "audit/store.heads", "functions/store.all_current", "functions/store.all_live", "functions/store.live_variants",
            "models/store.all_current", "notifications/store._CLAIM", "notifications/store.delivered",
            "notifications/store.failed", "notifications/store.forget", "notifications/store.remove", "notifications/store.waits", "projects/key_store._ACTIVE", "projects/key_store._CHANGED",
            "projects/key_refusals._WAITING", "projects/key_refusals.forget",
            "projects/key_store._CHECKED", "projects/key_store._ENDED", "prompts/store.all_current", "runs/store._BEGIN", "runs/store.fail",
            "runs/store.note", "runs/store.progress", "runs/store.succeed", "runs/store.unfinished",
            "health/store._JOBS", "health/store._OLDEST", "health/store._WAITING",
            "secrets/store._SEALED_OF_ALL", "secrets/store.wraps_by_master", "secrets/store.wraps_for_update",
            "health/store._ASIDE", "traces/blob_use._BESIDE", "traces/blob_use._ELSEWHERE", "traces/inbox.count_all", "traces/moving/native.move", "traces/moving/native.oldest", "traces/moving/requests._BODIES",
            "traces/moving/native._ROWS", "traces/moving/native.take_out", "traces/moving/requests._DELETE", "traces/moving/requests._CLAIMED", "traces/moving/requests.take_out", "traces/moving/requests.oldest", "traces/open_spans._END", "traces/open_spans._CROWDED", "traces/open_spans._OVERDUE", "traces/parts._CROWDED", "traces/parts._OVERDUE", "traces/open_spans.end",
            "traces/pressure._WAITING", "traces/retention._PROJECTS",
        ],
        MACHINERY,
    ),
}  # fmt: skip


@pytest.fixture
async def tables(ctx):
    """The tables that have a project."""
    async with ctx.db.owner_connection() as connection:
        rows = await fetch_all(
            connection,
            "select table_name as name from information_schema.columns where table_schema = 'public' and column_name = 'project'",
        )
    return [row["name"] for row in rows]


def texts(path: Path) -> Iterator[tuple[str, str]]:
    """Where it stands and what it says, of every text of a module; what an f-string puts in is filled in where it is a constant."""
    tree = ast.parse(path.read_text())
    room = path.relative_to(SOURCE).with_suffix("")
    module = importlib.import_module(".".join(("flyball", *room.parts)))
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and isinstance(found := getattr(module, target.id, None), str):
                    yield f"{room}.{target.id}", found
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            for inner in [node, *node.body] if isinstance(node, ast.ClassDef) else [node]:
                if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                    for text in _inside(inner, module):
                        yield f"{room}.{inner.name}", text


def _inside(function: ast.AST, module: object) -> Iterator[str]:
    parts = {id(part) for node in ast.walk(function) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(function):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in parts:
            yield node.value
        elif isinstance(node, ast.JoinedStr):
            yield "".join(_part(part, module) for part in node.values)


def _part(part: ast.expr, module: object) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    name = getattr(getattr(part, "value", None), "id", "")
    found = getattr(module, name, "") if name else ""
    return found if isinstance(found, str) else ""


def names_its_project(text: str) -> bool:
    """`project = ` in a condition, or a project among what is written."""
    said = " ".join(text.split())
    if written := re.findall(r"insert into \w+ \(([^)]*)\)", said):
        return any("project" in columns for columns in written)
    return re.search(r"\b(project|p\.id) = %s|\bproject = \$|\bproject = any|\(project, \w+\) = ", said) is not None


async def test_every_query_about_something_of_a_project_names_the_project(tables):
    about = re.compile(rf"\b(from|join|update|into)\s+({'|'.join(tables)})\b")
    is_sql = re.compile(r"\s*(select|insert|update|delete|with|join|left join)\b")
    found = {
        where
        for path in SOURCE.rglob("*.py")
        if path.stem != "__main__" and about.search(path.read_text())
        for where, text in texts(path)
        if is_sql.match(text) and about.search(text) and not names_its_project(text)
    }

    assert found - WITHOUT.keys() == set()
    assert WITHOUT.keys() - found == set(), "an exception that is none any more"
