"""Every family of errors is drawn as a tree at the top of its file, and the tree is the family."""

import ast
import re
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "flyball"
FAMILIES = sorted(path for path in SOURCE.rglob("errors.py") if path != SOURCE / "kit" / "errors.py")
NAME = re.compile(r"\b[A-Z]\w*Error\b")
BRANCH = re.compile(r"^(?P<indent>[│ ]*)[├└][─ ]+(?P<name>[A-Z]\w*Error)\b", re.MULTILINE)


@pytest.mark.parametrize("path", FAMILIES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_tree_names_the_whole_family_and_nobody_else(path):
    module = ast.parse(path.read_text())
    drawn = set(NAME.findall(ast.get_docstring(module) or ""))

    family = {node.name for node in module.body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")}
    known = (
        family
        | {"FlyballError"}
        | {alias.name for node in module.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    )

    assert family - drawn == set(), "not drawn"
    assert drawn - known == set(), "drawn, and not there"


@pytest.mark.parametrize("path", FAMILIES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_the_tree_hangs_every_error_under_what_it_derives_from(path):
    module = ast.parse(path.read_text())
    parents = {
        node.name: {ast.unparse(base) for base in node.bases} for node in module.body if isinstance(node, ast.ClassDef)
    }
    wrong = []
    above: list[tuple[int, str]] = []
    for branch in BRANCH.finditer(ast.get_docstring(module) or ""):
        depth, name = len(branch["indent"]), branch["name"]
        above = [(outer, parent) for outer, parent in above if outer < depth]
        parent = above[-1][1] if above else "FlyballError"
        if name in parents and parent not in parents[name]:
            wrong.append(f"{name} hangs under {parent} and derives from {', '.join(parents[name])}")
        above.append((depth, name))

    assert wrong == []
