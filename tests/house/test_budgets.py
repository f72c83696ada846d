"""The budgets of the house: sizes, names, lazy imports, broad excepts. A budget is a warning light, never lifted."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "flyball"
SOURCES = sorted(SOURCE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
FORBIDDEN_NAMES = re.compile(r"(^|_)(utils?|helpers?|common|misc|managers?|handlers?)$")
EMPTY_PROMISES = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X)\b")

# Where an import inside a function is blessed, and why.
LAZY_IMPORTS = {
    "cli/commands.py": "the shelf of commands: a command's module is loaded when it is called",
    "web/__main__.py": "one door for two processes: the gateway must not load the control process's libraries",
    "worker/__main__.py": "one door for two processes: the runner and the worker load different libraries",
}


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _functions(tree: ast.AST):
    return [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_a_source_file_has_at_most_400_lines():
    long = {_name(path): lines for path in SOURCES if (lines := len(path.read_text().splitlines())) > 400}

    assert long == {}


def test_the_vocabulary_its_dialects_and_providers_grow_no_further():
    # Decision 17: above what they were to have; what is added is paid for by what is shared.
    llm = SOURCE / "llm"
    vocabulary = [llm / f"{name}.py" for name in ("messages", "completions", "usage")]
    counted = [*vocabulary, *llm.glob("dialects/*/*.py"), *llm.glob("providers/*.py")]

    assert sum(len(path.read_text().splitlines()) for path in counted) <= 11_000


def test_a_test_file_has_at_most_600_lines():
    long = {_name(path): lines for path in TESTS if (lines := len(path.read_text().splitlines())) > 600}

    assert long == {}


def test_a_function_has_at_most_60_lines():
    long = {
        f"{_name(path)}:{node.lineno} {node.name}": lines
        for path in SOURCES
        for node in _functions(_parsed(path))
        if (lines := (node.end_lineno or 0) - node.lineno + 1) > 60
    }

    assert long == {}


def test_a_function_has_at_most_8_parameters():
    many = {}
    for path in SOURCES:
        for node in _functions(_parsed(path)):
            names = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
            count = len([name for name in names if name not in ("self", "cls")])
            if count > 8:
                many[f"{_name(path)}:{node.lineno} {node.name}"] = count

    assert many == {}


def test_a_class_has_at_most_15_public_methods():
    many = {
        f"{_name(path)}:{node.lineno} {node.name}": count
        for path in SOURCES
        for node in ast.walk(_parsed(path))
        if isinstance(node, ast.ClassDef)
        and (
            count := sum(
                isinstance(m, ast.FunctionDef | ast.AsyncFunctionDef) and not m.name.startswith("_") for m in node.body
            )
        )
        > 15
    }

    assert many == {}


def test_no_file_has_a_name_that_says_nothing():
    vague = [_name(path) for path in (*SOURCES, *TESTS) if FORBIDDEN_NAMES.search(path.stem)]

    assert vague == []


def test_every_file_opens_by_saying_what_it_knows():
    silent = [
        _name(path) for path in (*SOURCES, *TESTS) if path.read_text().strip() and not ast.get_docstring(_parsed(path))
    ]

    assert silent == []


def test_imports_stand_at_the_top_except_where_a_plug_in_is_loaded():
    lazy = [
        f"{_name(path)}:{inner.lineno}"
        for path in SOURCES
        if str(path.relative_to(SOURCE)) not in LAZY_IMPORTS
        for node in _functions(_parsed(path))
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
    ]

    assert lazy == []


def test_a_broad_except_says_why_it_is_a_door():
    unexplained = []
    for path in SOURCES:
        lines = path.read_text().splitlines()
        for node in ast.walk(_parsed(path)):
            if not isinstance(node, ast.ExceptHandler):
                continue
            broad = node.type is None or (
                isinstance(node.type, ast.Name) and node.type.id in ("Exception", "BaseException")
            )
            if broad and "--" not in lines[node.lineno - 1]:
                unexplained.append(f"{_name(path)}:{node.lineno}")

    assert unexplained == []


def test_a_lint_or_type_check_is_only_silenced_with_a_reason():
    unexplained = [
        f"{_name(path)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if ("# noqa" in line and "--" not in line) or re.search(r"# type: ignore(\[[\w-]+\])?\s*$", line)
    ]

    assert unexplained == []


def test_nothing_is_left_for_later_in_a_comment():
    promises = [
        f"{_name(path)}:{number}"
        for path in (*SOURCES, *TESTS)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if EMPTY_PROMISES.search(line)
    ]

    assert promises == []


def test_sql_is_never_built_from_values():
    """A query is a literal, or names chosen from a table in code; an f-string in a query may hold only such names."""
    executed = re.compile(r"\b(execute|fetch_all|fetch_one)\(\s*\w+,\s*f[\"']")
    built = [_name(path) for path in SOURCES if executed.search(path.read_text()) and path.name != "queries.py"]

    assert built == []


def test_waiting_has_its_limit_by_timeout_and_not_by_wait_for():
    """In Python 3.11 `asyncio.wait_for` swallows a cancellation that comes when what it waits for is done."""
    swallowing = [_name(path) for path in SOURCES if "asyncio.wait_for(" in path.read_text()]

    assert swallowing == []


def test_the_project_speaks_of_itself_alone():
    """No path of a machine stands in what is committed."""
    listed = (
        subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode().split("\0")
    )
    foreign = re.compile(r"(/home/\w+/|/[r]oot/|/[w]ork/main)")  # in brackets, so that this file does not find itself
    found = []
    for name in listed:
        path = ROOT / name
        if (
            path.suffix in {".py", ".md", ".toml", ".yaml", ".json", ".html", ".css", ".js", ".sql", ""}
            and path.is_file()
        ) and foreign.search(path.read_text(errors="replace")):
            found.append(name)

    assert found == []


@pytest.mark.parametrize("room", sorted(p.name for p in SOURCE.iterdir() if (p / "__init__.py").exists()))
def test_a_door_re_exports_at_most_ten_names(room):
    names = [
        alias.asname or alias.name
        for node in _parsed(SOURCE / room / "__init__.py").body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]

    assert len(names) <= 10
