"""Which routes a command calls, read off its source: the paths that it gives to `control()`, matched with the route table."""

import ast
import re
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src/flyball"
_CALLS = {"get": "GET", "get_bytes": "GET", "post": "POST", "send_file": "POST", "put": "PUT", "delete": "DELETE"}


def routes_called(path: Path, routes) -> dict[str, set[str]]:
    """The permissions of the routes that each function of a file leads to, through the file's other functions too."""
    tree = ast.parse(path.read_text())
    texts = {
        target.id: _text(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    functions = {node.name: node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    own = {name: _permissions(node, texts, routes) for name, node in functions.items()}
    found = {}
    for name in functions:
        reached, waiting = set(), [name]
        while waiting:
            current = waiting.pop()
            if current in reached:
                continue
            reached.add(current)
            waiting += [
                node.id for node in ast.walk(functions[current]) if isinstance(node, ast.Name) and node.id in functions
            ]
        found[name] = set().union(*(own[one] for one in reached))
    return found


def _permissions(function: ast.FunctionDef, texts: dict[str, str | None], routes) -> set[str]:
    texts = texts | {
        target.id: _text(node.value)
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "follow_run":
            found.add("runs.read")
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _CALLS):
            continue
        if not node.args:
            continue
        text = texts.get(node.args[0].id) if isinstance(node.args[0], ast.Name) else _text(node.args[0])
        if text and text.startswith("/api"):
            found.add(_permission(_CALLS[node.func.attr], text.partition("?")[0], routes, function.name))
    return found


def _permission(method: str, path: str, routes, where: str) -> str:
    matching = [
        one for one in routes if one.method == method and re.fullmatch(re.sub(r"\{[^}]*\}", "[^/]+", one.path), path)
    ]
    assert matching, f"{where} calls {method} {path}, which is no route"
    exact = [one for one in matching if one.path == path]
    return (exact or matching)[0].permission


def _text(node: ast.expr) -> str | None:
    """A literal's text; what an f-string puts in becomes a `x`."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(part.value if isinstance(part, ast.Constant) else "x" for part in node.values)
    return None
