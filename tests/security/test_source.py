"""What the source may not do, whoever writes it: run what it was given, unpickle, build SQL of values, trust any certificate, share a temporary file.

Read as syntax, so that a new file is covered. An excuse names its file and its reason, and goes when it is no longer needed.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src" / "flyball"
MODULES = {str(path.relative_to(SOURCE)): ast.parse(path.read_text()) for path in sorted(SOURCE.rglob("*.py"))}

FORBIDDEN_CALLS = {
    "eval", "exec", "compile", "__import__", "execfile", "breakpoint", "input",
    "os.system", "os.popen", "os.execv", "os.execvp", "os.spawnl", "os.spawnv", "pty.spawn", "subprocess.getoutput", "subprocess.getstatusoutput", "asyncio.create_subprocess_shell",
    "yaml.load", "yaml.load_all", "yaml.unsafe_load", "yaml.full_load", "yaml.unsafe_load_all",
    "tempfile.mktemp", "tempfile.gettempdir", "os.tempnam", "os.tmpnam", "ssl._create_unverified_context", "hashlib.md5", "hashlib.sha1",
    "random.random", "random.randint", "random.choice", "random.choices", "random.getrandbits", "uuid.uuid1", "runpy.run_path", "runpy.run_module",
    "importlib.import_module", "logging.config.listen", "logging.config.fileConfig", "numpy.load", "torch.load", "joblib.load", "builtins.eval", "builtins.exec",
    "string.Template", "xml.etree.ElementTree.parse", "xml.etree.ElementTree.fromstring",
}  # fmt: skip
FORBIDDEN_IMPORTS = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "marshal",
    "shelve",
    "jsonpickle",
    "imp",
    "telnetlib",
    "ftplib",
    "xmlrpc",
    "code",
    "codeop",
    "pdb",
    "ctypes",
    "commands",
    "popen2",
    "joblib",
    "msgpack",
}
FORBIDDEN_WORDS = {"shell": True, "verify": False, "allow_pickle": True, "check_hostname": False, "ssl": False}
EXCUSED = {
    ("__init__.py", "importlib.import_module"): "a name of the door's own table",
    ("cli/commands.py", "importlib.import_module"): "a module of the table of commands, never a name from outside",
    (
        "datasets/sources/stdlib/modules.py",
        "importlib.import_module",
    ): "the interpreter's own list of its modules, in a child",
    (
        "functions/completion.py",
        "random.random",
    ): "spreads calls over endpoints and variants; nothing is kept secret by it",
    ("functions/rules.py", "imports ctypes"): "stops the thread of a rule that does not end",
    ("gateway/choose.py", "random.random"): "spreads calls over endpoints and variants; nothing is kept secret by it",
    ("indexes/engines.py", "importlib.import_module"): "an engine of the table",
    ("infra/db/launch.py", "imports ctypes"): "asks Linux to end PostgreSQL with its parent",
    ("infra/db/launch.py", "os.execv"): "becomes PostgreSQL, whose path is that of our own wheel",
    ("infra/processes/leash.py", "imports ctypes"): "asks Linux to end a child with its parent",
    (
        "kit/layout.py",
        "tempfile.gettempdir",
    ): "a folder of our own (0700, checked) where a socket's path would be too long",
    ("llm/providers/__init__.py", "importlib.import_module"): "a provider of the catalog",
    ("llm/translation.py", "importlib.import_module"): "a dialect of the table",
    ("worker/__main__.py", "importlib.import_module"): "one of two modules of its own",
}


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def imports(tree: ast.Module):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def offences(tree: ast.Module):
    known = dict(imports(tree))
    for name in known.values():
        if name.partition(".")[0] in FORBIDDEN_IMPORTS:
            yield f"imports {name}"
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = dotted(node.func)
        first, dot, rest = called.partition(".")
        full = known.get(first, first) + dot + rest
        by_constant = bool(node.args) and isinstance(node.args[0], ast.Constant)
        if {called, full} & FORBIDDEN_CALLS and not (full.endswith("import_module") and by_constant):
            yield f"{full} in line {node.lineno}"
        for keyword in node.keywords:
            if (
                keyword.arg in FORBIDDEN_WORDS
                and isinstance(keyword.value, ast.Constant)
                and keyword.value.value is FORBIDDEN_WORDS[keyword.arg]
            ):
                yield f"{keyword.arg}={keyword.value.value} in line {node.lineno}"


def test_no_module_does_what_is_forbidden():
    found = [
        f"{module}: {each}"
        for module, tree in MODULES.items()
        for each in offences(tree)
        if not any(module == excused and what in each for excused, what in EXCUSED)
    ]

    assert found == []


def test_every_excuse_is_still_needed():
    assert [
        (module, what) for module, what in EXCUSED if not any(what in each for each in offences(MODULES[module]))
    ] == []


def test_the_lint_sees_what_it_is_for():
    bad = ast.parse(
        "import pickle, yaml, subprocess as s, os\nfrom os import system as run\neval('1')\nyaml.load(x)\ns.run('x', shell=True)\nrun('id')\nos.popen('x')\n"
    )

    assert len([*offences(bad)]) == 6


A_STATEMENT = re.compile(
    r"\s*(select\b.*\bfrom\b|insert into\b|update \w+ set\b|delete from\b|with \w+ (\(.*\) )?as\b|create \w+ |drop |alter |set (local|role)\b|grant |copy )",
    re.IGNORECASE | re.DOTALL,
)


def inside_functions(tree: ast.Module):
    """What is put together while it runs; at the top of a module there are no values yet."""
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from ast.walk(function)


def statements(tree: ast.Module):
    """f-strings, sums and formats that are a statement, with what is put into them."""
    for node in inside_functions(tree):
        if isinstance(node, ast.JoinedStr):
            text = "x".join(part.value for part in node.values if isinstance(part, ast.Constant))
            if A_STATEMENT.match(text):
                yield node.lineno, [part.value for part in node.values if isinstance(part, ast.FormattedValue)]
        elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
            left = node.left
            while isinstance(left, ast.BinOp):
                left = left.left
            if isinstance(left, ast.Constant) and isinstance(left.value, str) and A_STATEMENT.match(left.value):
                yield node.lineno, [node.right]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            text = node.func.value
            if isinstance(text, ast.Constant) and isinstance(text.value, str) and A_STATEMENT.match(text.value):
                yield node.lineno, [*node.args, *(keyword.value for keyword in node.keywords)]


def is_of_the_code(value: ast.expr) -> bool:
    """A constant of the module (`_COLUMNS`), or a piece of text."""
    name = dotted(value)
    return isinstance(value, ast.Constant) or (bool(name) and name.rpartition(".")[2].isupper())


# Statements that hold names which are no constants of a module, and where those come from.
MADE_OF_NAMES = {
    "infra/lake/questions.py": "names of tables and columns of the schema, for DuckDB in a child that sees this project's files alone",
    "audit/store.py": "conditions of a table in the code, whose values are parameters",
    "costs/store.py": "names of tables and columns that stand in the same file and in `costs/asking.py`",
    "datasets/reading.py": "conditions in the code, whose values are parameters",
    "ledger/entry_store.py": "conditions of a table in the code, whose values are parameters",
    "ledger/sum_store.py": "names of tables and columns that stand in the same file",
    "traces/erasing.py": "names of tables and columns that stand in the same file",
    "traces/queries.py": "conditions in the code, whose values are parameters",
    "traces/tree.py": "`input` or `output`",
}


def test_no_statement_is_made_of_values():
    made = [
        f"{module}:{line}"
        for module, tree in MODULES.items()
        for line, values in statements(tree)
        if not all(map(is_of_the_code, values)) and not module.startswith(tuple(MADE_OF_NAMES))
    ]

    assert made == []


def test_the_lint_of_statements_sees_what_it_is_for():
    bad = ast.parse(
        "def f():\n f'select * from t where a = {x}'\n 'select * from ' + x\n 'delete from t where a = %s' % x\n 'update t set a = {}'.format(x)\n f'select {_COLUMNS} from t'\n"
    )

    assert len([1 for _, values in statements(bad) if not all(map(is_of_the_code, values))]) == 4


# What is no secret, although its name says so.
OPENLY_COMPARED = {
    ("audit/signing.py", "signature != signature.lower()"): "how a signature is spelt",
    (
        "identity/providers.py",
        "before.client_secret == wish.client_secret",
    ): "two references, of which neither is the secret",
    ("health/scraping.py", "bearer == token"): "two `Secret`s, which compare by hmac.compare_digest",
    ("identity/sign_in_pages.py", "password != form.get('again', '')"): "what one person typed twice",
    ("sdk/offline.py", "token == self._token"): "a number that says which lock file is one's own",
    ("surface/html/assets.py", "digest != found.digest"): "the digest of a file that everybody may read",
    ("testing/vault.py", "headers.get('x-vault-token') != self.token"): "a vault that tests make",
}


def test_nothing_is_compared_in_a_time_that_tells_of_it():
    """A digest, a token or a password is compared by hmac.compare_digest, never by ==."""
    words = ("token", "secret", "password", "digest", "signature", "verifier", "csrf")
    told = []
    for module, tree in MODULES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
                sides = [node.left, *node.comparators]
                names = [dotted(side).lower().rpartition(".")[2] for side in sides]
                plain = any(isinstance(side, ast.Constant) for side in sides)
                if not plain and any(
                    name in words or name.endswith(tuple(f"_{word}" for word in words)) for name in names
                ):
                    told.append((module, ast.unparse(node)))

    assert [each for each in told if each not in OPENLY_COMPARED] == []
    assert [each for each in OPENLY_COMPARED if each not in told] == []


def test_importing_everything_asks_no_network():
    # By the word of the interpreter itself, in a process of its own.
    program = """
import importlib, pkgutil, sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        raise SystemExit(f"{event} {arguments!r:.200}")
sys.addaudithook(refuse)
import flyball
for module in pkgutil.walk_packages(flyball.__path__, "flyball."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print("quiet")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=110, check=False)

    assert ran.stdout == "quiet\n", ran.stderr[-2000:]


def test_every_test_that_the_threat_model_names_is_there():
    root = SOURCE.parents[1]
    named = re.findall(r"`(tests/[\w./]+)`", (root / "SECURITY.md").read_text())

    assert len(named) > 15
    assert [name for name in named if not (root / name).exists()] == []
