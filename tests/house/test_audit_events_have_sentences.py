"""Every action that is recorded anywhere has a sentence, so that the audit page never has to spell one out as it stands."""

import ast
import re
from pathlib import Path

from flyball.audit.reading import DEEDS

SOURCE = Path(__file__).parents[2] / "src" / "flyball"
ACTION = re.compile(r"[a-z_]+\.[a-z_]+")

# Actions whose name is put together where they are recorded, by the module that does so.
PUT_TOGETHER = {"projects/tenants.py": {"organisations.create", "projects.create", "members.create"}}


def test_every_action_that_is_recorded_has_a_sentence():
    recorded = {action for path in SOURCE.rglob("*.py") for action in actions_of(path)}

    assert len(recorded) > 25
    assert sorted(recorded - DEEDS.keys()) == []


def test_every_sentence_is_of_an_action_that_is_recorded():
    recorded = {action for path in SOURCE.rglob("*.py") for action in actions_of(path)}

    assert sorted(DEEDS.keys() - recorded) == []


def test_every_sentence_names_the_object():
    assert [action for action, deed in DEEDS.items() if deed.count("{}") != 1] == []


def test_an_action_is_found_however_it_is_handed_on():
    tree = ast.parse(
        "async def f():\n  await audit.record(c, ctx, action='a.one' if x else 'a.two', object_kind='a', object_id='1')\n"
        "  action = 'a.three' if y else 'a.four'\n"
        "  await record_read(ctx, action=action, object_kind='a', object_id='1')\n  return g(action='a.five')"
    )

    assert actions_in(tree) == {"a.one", "a.two", "a.three", "a.four", "a.five"}


def actions_of(path: Path) -> set[str]:
    name = str(path.relative_to(SOURCE))
    text = path.read_text()
    if not re.search(r"\brecord(_read)?\(", text) or not re.search(r"flyball\.audit|from \.service import", text):
        return set()
    return actions_in(ast.parse(text)) | PUT_TOGETHER.get(name, set())


def actions_in(tree: ast.AST) -> set[str]:
    """Every text that looks like an action and is given, assigned or defaulted to something named `action`."""
    takes = {}  # functions of this module that are given an action, and at which place
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names = [argument.arg for argument in node.args.args]
            takes |= {node.name: names.index("action")} if "action" in names else {}
    given: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            given += [keyword.value for keyword in node.keywords if keyword.arg == "action"]
            if isinstance(node.func, ast.Name) and node.func.id in takes:
                given += node.args[takes[node.func.id] :][:1]
        elif isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "action" for t in node.targets):
            given.append(node.value)
    given = [part for each in given for part in ([] if isinstance(each, ast.JoinedStr) else [each])]
    texts = [each.value for expr in given for each in ast.walk(expr) if isinstance(each, ast.Constant)]
    return {text for text in texts if isinstance(text, str) and ACTION.fullmatch(text)}
