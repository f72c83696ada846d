"""Every command in one flat table, and the shelf that loads a command's module when it is called. Knows names, no deed."""

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from flyball.surface.console import Commands

from .errors import MissingExtraError


class Entry(NamedTuple):
    """A row: the command's word, its sentence, its module. A noun is the module's `app`; a verb stands in its `verbs`."""

    name: str
    help: str
    module: str
    verb: bool = False


COMMANDS: tuple[Entry, ...] = (
    Entry("up", "Start flyball on a data directory and stay until stopped.", "flyball.cli.up", verb=True),
    Entry(
        "demo",
        "Run the main job on a real corpus: collect, index, evaluate, release, serve, observe, learn, explain.",
        "flyball.cli.demo",
        verb=True,
    ),
    Entry("doctor", "Check everything that flyball needs and say what to do.", "flyball.cli.doctor", verb=True),
    Entry("apply", "Make everything as the file says, in one transaction.", "flyball.configuration.cli", verb=True),
    Entry("diff", "Show what `apply` would change.", "flyball.configuration.cli", verb=True),
    Entry(
        "export",
        "Write what is there as a flyball.yaml and the files that it names.",
        "flyball.configuration.cli",
        verb=True,
    ),
    Entry("keys", "API keys: how a program calls.", "flyball.projects.key_cli"),
    Entry("budgets", "Budgets: how much money calls may cost.", "flyball.ledger.budget_cli"),
    Entry("limits", "Limits: how many requests, tokens and calls at once.", "flyball.ledger.limit_cli"),
    Entry(
        "notifications",
        "Notifications: who is told of thresholds, by webhook or e-mail.",
        "flyball.notifications.cli",
    ),
    Entry("ledger", "The ledger: what every attempt used and cost, append-only.", "flyball.ledger.cli"),
    Entry("costs", "Costs: what was spent, why it changed, what it will be.", "flyball.costs.cli"),
    Entry("secrets", "Secrets: what models are called with, encrypted and told to nobody.", "flyball.secrets.cli"),
    Entry(
        "permissions",
        "Print the permission of every route, page, path of the model API, job and command.",
        "flyball.cli.permissions",
        verb=True,
    ),
    Entry("members", "Members: who belongs to the project, in which role; invitations.", "flyball.identity.member_cli"),
    Entry("roles", "Roles: sets of permissions, built in and the project's own.", "flyball.projects.role_cli"),
    Entry("projects", "Projects: each with rows, keys and members of its own.", "flyball.projects.project_cli"),
    Entry(
        "organisations",
        "Organisations: who shares members; for the server's operator.",
        "flyball.projects.organisation_cli",
    ),
    Entry("providers", "Sign-in providers: OpenID Connect, groups to roles.", "flyball.identity.provider_cli"),
    Entry("models", "Models: the catalog of what may be called.", "flyball.models.cli"),
    Entry("prompts", "Prompts: templates with versions.", "flyball.prompts.cli"),
    Entry("functions", "Functions: named tasks and the variants that compete for them.", "flyball.functions.cli"),
    Entry("datasets", "Datasets: versioned rows with their sources.", "flyball.datasets.cli"),
    Entry("index", "Indexes: retrieval over a dataset version.", "flyball.indexes.cli"),
    Entry("eval", "Evaluations: variants judged on a dataset.", "flyball.evaluations.cli"),
    Entry("release", "Releases: what serves a function, and why.", "flyball.releases.cli"),
    Entry("traces", "What happened: every call as a trace with its spans.", "flyball.traces.cli"),
    Entry("logs", "Log records that applications sent by OpenTelemetry.", "flyball.traces.log_cli"),
    Entry("metrics", "Metrics that applications sent by OpenTelemetry.", "flyball.traces.metric_cli"),
    Entry("why", "Print what an answer rests on, by content hash.", "flyball.lineage.cli", verb=True),
    Entry("feedback", "Say what you think of an answer: a score about its trace.", "flyball.traces.cli", verb=True),
    Entry("runs", "Durable executions: imports, index builds, evaluations.", "flyball.runs.cli"),
    Entry("audit", "The chained record of who did what to which object.", "flyball.audit.cli"),
    Entry("health", "Show how the server does: lag, flushing, disk, runs, processes.", "flyball.health.cli", verb=True),
    Entry("security", "Show how well this flyball is locked.", "flyball.security.cli", verb=True),
    Entry("sql", "Ask the tables a question in SQL.", "flyball.cli.sql", verb=True),
)


_EXTRA_OF = {"openai": "demo"}  # every other library of a server's part comes with `server`


def load(entry: Entry) -> TyperCommand | TyperGroup:
    """The command of a row, its module imported now."""
    module = import_module(entry.module)
    group = typer.main.get_group(module.verbs if entry.verb else module.app)
    if not entry.verb:
        return group
    command = group.commands[entry.name]
    assert isinstance(command, TyperCommand)  # noqa: S101 -- typer makes nothing else of a function
    return command


def declared() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every command as it is typed, and the permissions that its caller needs on the server."""
    for entry in COMMANDS:
        module = import_module(entry.module)
        group: Commands = module.verbs if entry.verb else module.app
        for word, permissions in group.permissions.items():
            if not entry.verb:
                yield f"flyball {entry.name} {word}", permissions
            elif word == entry.name:
                yield f"flyball {word}", permissions


def load_all() -> dict[str, TyperCommand | TyperGroup]:
    """Every command by its word; for the documentation."""
    return {entry.name: load(entry) for entry in COMMANDS}


def load_server_part(module: str) -> ModuleType:
    """A module that needs an extra: `server`, or `demo` for the story.

    Raises:
        MissingExtraError: a library of it is not installed; says which, and the command that installs it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "flyball":
            raise
        raise MissingExtraError(
            f"this needs the library {error.name!r}, which is not installed",
            next_step=f"pip install 'flyball[{_EXTRA_OF.get(error.name, 'server')}]'",
        ) from error
