"""No record prints a password, a code, a token or a key: such a field is a `Secret`, or hidden from the repr, or says here what it is."""

import ast
import re
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "flyball"
NAMES = re.compile(
    r"(?:^|_)(?:password|passphrase|code|codes|token|tokens|secret|secrets|key|credential|credentials|nonce|verifier|cookie|state|made|link)$"
)
PLAIN = re.compile(r"\b(?:str|bytes|Any)\b")

# Fields of such a name that are no secret, and what they are.
HARMLESS = {
    "audit/": "public keys, by which signatures are checked",
    "costs/": "names of keys, and how an attempt ended",
    "datasets/collector.py Refused.code": "of an error",
    "functions/records.py RulesVariant.code": "the name of a piece of code",
    "functions/records.py FunctionSpec.code": "files of code, by hash",
    "gateway/orders.py RunRefusal.code": "of an error",
    "identity/factor_store.py Factor.data_key": "the name of one",
    "identity/oidc/metadata.py Metadata.token": "an address",
    "identity/provider_records.py ProviderWish.client_secret": "a reference: a value is refused",
    "identity/tries.py Count.key": "what is counted",
    "infra/jobs/outcomes.py _Ended.code": "of an error",
    "infra/secrets/safe.py Wrap.master_key": "the name of one",
    "kit/errors.py FlyballError.code": "of an error",
    "ledger/cli.py Narrowed.": "names of keys, and how an attempt ended",
    "ledger/declared.py EntryFilter.state": "how an attempt ended",
    "ledger/pages.py": "names of keys, how an attempt ended, and counts of tokens",
    "ledger/sum_store.py _Table.key": "columns of a table",
    "llm/catalog/__init__.py": "the names of settings",
    "llm/completions.py Trouble.code": "of an error",
    "llm/dialects/": "what a model says, and errors",
    "models/records.py Endpoint.": "references: values are refused",
    "notifications/records.py": "a reference: a value is refused",
    "projects/key_refusals.py Refused.key": "the id of one",
    "projects/key_pages.py ShownKey.state": "active, expired, replaced",
    "runs/records.py Run.": "of an error, and of a run",
    "sdk/options.py Told.key": "the names of a function's arguments",
    "secrets/records.py": "names of keys",
    "settings.py Settings.tls_key": "a file",
    "settings.py Settings.audit_webhook_secret": "a reference",
    "settings.py Settings.smtp_password": "a reference",
    "surface/html/rendering.py FailurePage.code": "of an error",
    "surface/http/responses.py Problem.code": "of an error",
    "testing/": "never holds a real one",
    "traces/aside_store.py Unmovable.key": "what an item is told apart by",
    "traces/inbox.py Item.key": "what an item is told apart by",
    "traces/told.py": "the W3C trace state",
}


def test_no_record_prints_a_secret():
    found = [
        place
        for path in sorted(SOURCE.rglob("*.py"))
        for place in printing(path.relative_to(SOURCE).as_posix(), path.read_text())
    ]

    assert [place for place in found if not any(place.startswith(known) for known in HARMLESS)] == []
    assert [known for known in HARMLESS if not any(place.startswith(known) for place in found)] == []


def test_a_field_that_prints_is_found_and_one_that_is_hidden_is_not():
    plain = "class New(Struct):\n    password: str\n    token: Secret\n    name: str\n    api_key: str | None = None"

    assert printing("a.py", plain) == ["a.py New.password", "a.py New.api_key"]
    assert printing("a.py", "@hiding('password', 'api_key')\n" + plain) == []


def printing(path: str, source: str) -> list[str]:
    """The fields of records whose name says secret, whose type prints, and which nothing hides."""
    return [
        f"{path} {record.name}.{field.target.id}"
        for record in ast.walk(ast.parse(source))
        if isinstance(record, ast.ClassDef)
        for field in record.body
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and NAMES.search(field.target.id)
        and PLAIN.search(ast.unparse(field.annotation))
        and field.target.id not in hidden(record)
    ]


def hidden(record: ast.ClassDef) -> set[str]:
    return {
        argument.value
        for decorator in record.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "hiding"
        for argument in decorator.args
        if isinstance(argument, ast.Constant)
    }
