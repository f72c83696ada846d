"""Every route, page, job and command says which permission it needs, and says the truth."""

from commands_and_routes import SOURCE, routes_called

from flyball.cli.commands import COMMANDS, declared
from flyball.configuration.service import WRITING
from flyball.gateway.identify import PERMISSION
from flyball.jobs import JOBS
from flyball.projects.roles import DESCRIPTIONS, PERMISSIONS, ROLES, unknown
from flyball.surface.console import LOCAL
from flyball.surface.http import AUTHENTICATED, PUBLIC
from flyball.web import health
from flyball.web.pages import PAGES
from flyball.web.routers import ROUTERS

ROUTES = [route for router in (*ROUTERS, health.router) for route in router.routes]
ANYBODY = {
    "GET /healthz": "probes have no key",
    "GET /readyz": "likewise",
    "GET /api/openapi.json": "it describes, and tells nothing of what is kept",
    "POST /api/sessions": "this is how one proves who one is",
    "PUT /api/public/media/content/{ticket}": "the ticket in the address says who may send what was announced",
    "GET /api/public/media/content/{ticket}": "likewise who may fetch it",
    "GET /api/public/health": "a probe of Langfuse's clients",
}


def test_every_permission_that_something_needs_can_be_given():
    needed = {route.permission for route in ROUTES}
    needed |= {route.permission for pages in PAGES for route in pages.router.routes}
    needed |= {job.permission for job in JOBS} | {PERMISSION}

    assert needed - PERMISSIONS == {PUBLIC, AUTHENTICATED}


def test_every_permission_is_needed_by_something():
    needed = {route.permission for route in ROUTES} | {job.permission for job in JOBS} | {PERMISSION}
    needed |= {route.permission for pages in PAGES for route in pages.router.routes}
    needed |= IN_A_VERB

    assert sorted(PERMISSIONS - needed) == []


# What a verb asks of its caller beyond the route's permission.
IN_A_VERB = frozenset(WRITING.values())


def test_the_routes_for_anybody_are_few_and_known():
    assert {f"{route.method} {route.path}" for route in ROUTES if route.permission == PUBLIC} == set(ANYBODY)


def test_every_command_declares_what_the_routes_that_it_calls_need():
    wrong = []
    modules = {entry.module for entry in COMMANDS}
    found = {}
    for module in sorted(modules):
        path = SOURCE.parent / (module.replace(".", "/") + ".py")
        found |= {(module, name): needed for name, needed in routes_called(path, ROUTES).items()}
    for module, word, function, says in commands():
        needs = {one for one in found[module, function] if one != PUBLIC}
        if set(says) != (needs or {LOCAL}):
            wrong.append(f"{word}: says {says}, its routes need {sorted(needs)}")

    assert wrong == []


def test_every_command_is_in_the_table_that_is_printed():
    words = [word for word, _ in declared()]

    assert len(words) == len(set(words)) > 50
    assert all(needed for _, needed in declared())


def test_the_built_in_roles_give_permissions_that_there_are():
    assert {name: unknown(permissions) for name, permissions in ROLES.items()} == dict.fromkeys(ROLES, ())
    assert ROLES.keys() == DESCRIPTIONS.keys()


def commands():
    """Module, word, function and declared permissions of every command."""
    from importlib import import_module

    for entry in COMMANDS:
        module = import_module(entry.module)
        group = module.verbs if entry.verb else module.app
        for command in group.registered_commands:
            word = command.name or command.callback.__name__
            if not entry.verb or word == entry.name:
                yield entry.module, word, command.callback.__name__, group.permissions[word]
