"""No GET without a word on whether what it shows is sensitive: it leads to the audit record, or stands here with its reason."""

from flyball.web.pages import PAGES
from flyball.web.routers import ROUTERS

from .test_changes_are_audited import reach, read_package

RECORD_READ = "flyball.audit.service.record_read"

# Modules, or single routes of them, whose GETs show nothing that people said, stored or are, and what they show instead.
OPEN = {
    "flyball.audit.": "the record itself: who did what; its export is recorded",
    "flyball.costs.": "amounts, and names of keys and members; an export is recorded",
    "flyball.datasets.api.list_datasets": "names",
    "flyball.datasets.api.list_versions": "hashes and counts",
    "flyball.datasets.api.show_dataset": "what is declared",
    "flyball.datasets.api.show_version": "hashes, counts, and why rows were refused",
    "flyball.datasets.pages.list_datasets": "names",
    "flyball.evaluations.api.check_report": "whether hashes hold",
    "flyball.evaluations.api.list_": "names and verdicts",
    "flyball.evaluations.api.show_": "what is declared; metrics",
    "flyball.evaluations.pages.list_": "names and verdicts",
    "flyball.evaluations.pages.show_evaluation": "what is declared; verdicts",
    "flyball.functions.": "what is declared",
    "flyball.health.": "numbers of the server, and errors of its own work",
    "flyball.identity.": "the caller's own account, the ways to sign in, and open invitations and sessions",
    "flyball.indexes.api.list_": "names, hashes and counts",
    "flyball.indexes.api.show_index": "what is declared",
    "flyball.indexes.pages.list_indexes": "names",
    "flyball.ledger.": "amounts, and names of keys and members: nothing that anybody said",
    "flyball.models.": "what is declared; references to secrets, never secrets",
    "flyball.notifications.": "mailboxes that tell of thresholds, hosts of webhooks, and amounts: nothing that anybody said",
    "flyball.projects.": "names, rights and prefixes of keys",
    "flyball.prompts.": "what is declared",
    "flyball.releases.": "what is released, and on which evidence",
    "flyball.runs.": "what ran and how it ended",
    "flyball.secrets.": "hosts and hashes of one name that is known already, and the state of the master key",
    "flyball.security.": "settings",
    "flyball.traces.api.count_traces": "counts",
    "flyball.traces.api.get_retention": "a number of days",
    "flyball.traces.pages.show_kept": "likewise",
    "flyball.traces.api.list_traces": "the first words of texts, which cannot be told apart from looking for one",
    "flyball.traces.pages.list_traces": "likewise",
    "flyball.traces.signal_api.list_metrics": "names and counts",
    "flyball.traces.signal_pages.list_metrics": "likewise",
    "flyball.web.compat.langfuse.account.": "that it lives, and the caller's own project",
    "flyball.web.compat.langfuse.datasets.get_dataset": "what is declared",
    "flyball.web.compat.langfuse.datasets.list_datasets": "what is declared",
    "flyball.web.compat.langfuse.runs.list_": "names and ids",
    "flyball.web.compat.langfuse.experiments.list_experiments": "names and ids",
    "flyball.web.compat.langfuse.media.fetch_content": "a file at an address that was given for it, which is recorded",
    "flyball.web.compat.langfuse.pages.": "only sends the browser on",
    "flyball.web.compat.langfuse.prompts.": "what is declared",
    "flyball.web.compat.langfuse.scores.get_config": "what is declared",
    "flyball.web.compat.langfuse.scores.list_configs": "what is declared",
    "flyball.web.overview.": "counts, and names",
    "flyball.web.permissions.": "what this server is",
    "flyball.web.reference.": "likewise",
}


def test_every_route_that_shows_something_records_who_looked_or_says_why_not():
    recording = reach(read_package()[0], RECORD_READ)

    silent = [name for name in reading() if name not in recording]

    assert len(reading()) > 80
    assert [name for name in silent if not any(name.startswith(prefix) for prefix in OPEN)] == []


def test_what_holds_texts_of_people_is_recorded():
    recording = reach(read_package()[0], RECORD_READ)

    for name in (
        "configuration.api.export_configuration", "datasets.api.list_rows", "datasets.pages.show_row",
        "evaluations.api.list_results", "evaluations.pages.show_report", "identity.member_api.list_members",
        "indexes.api.search_index", "indexes.pages.show_index", "lineage.api.why", "secrets.api.list_secrets",
        "traces.api.export_trace", "traces.api.get_text", "traces.api.get_trace", "traces.api.list_scores", "traces.pages.list_scores",
        "traces.signal_api.list_logs", "traces.signal_api.export_logs", "traces.signal_api.read_series",
        "traces.signal_api.export_points", "traces.signal_pages.list_logs", "traces.signal_pages.show_metric",
    ):  # fmt: skip
        assert f"flyball.{name}" in recording, name


def test_every_reason_is_still_needed():
    recording = reach(read_package()[0], RECORD_READ)
    silent = [name for name in reading() if name not in recording]

    assert [prefix for prefix in OPEN if not any(name.startswith(prefix) for name in silent)] == []


def reading() -> list[str]:
    return [
        f"{route.endpoint.__module__}.{route.endpoint.__name__}"
        for router in (*ROUTERS, *(pages.router for pages in PAGES))
        for route in router.routes
        if route.method == "GET"
    ]
