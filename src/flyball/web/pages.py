"""Every room's pages, as one flat table. No logic."""

from flyball.audit.pages import pages as audit
from flyball.costs.pages import pages as costs
from flyball.datasets.pages import pages as datasets
from flyball.evaluations.pages import pages as evaluations
from flyball.functions.pages import pages as functions
from flyball.health.pages import pages as health
from flyball.identity.account_pages import pages as account
from flyball.identity.member_pages import pages as members
from flyball.identity.provider_pages import pages as providers
from flyball.identity.sign_in_pages import pages as sign_in
from flyball.indexes.pages import pages as indexes
from flyball.ledger.pages import pages as ledger
from flyball.ledger.quota_pages import pages as quotas
from flyball.lineage.pages import pages as lineage
from flyball.models.pages import pages as models
from flyball.notifications.pages import pages as notifications
from flyball.projects.account_key_pages import pages as account_keys
from flyball.projects.key_pages import pages as keys
from flyball.projects.role_pages import project_pages as projects
from flyball.projects.role_pages import role_pages as roles
from flyball.prompts.pages import pages as prompts
from flyball.releases.pages import pages as releases
from flyball.runs.pages import pages as runs
from flyball.secrets.pages import pages as secrets
from flyball.security.pages import pages as security
from flyball.surface.html import Pages
from flyball.traces.pages import pages as traces
from flyball.traces.pages import score_pages as scores
from flyball.traces.signal_pages import log_pages as logs
from flyball.traces.signal_pages import metric_pages as metrics

from .compat.langfuse.pages import pages as langfuse
from .navigation import SITE
from .overview import pages as overview
from .reference import pages as reference

__all__ = ["PAGES", "SITE"]

PAGES: tuple[Pages, ...] = (
    overview,
    datasets,
    indexes,
    functions,
    prompts,
    models,
    evaluations,
    releases,
    traces,
    logs,
    metrics,
    scores,
    costs,
    ledger,
    quotas,
    notifications,
    lineage,
    runs,
    members,
    roles,
    projects,
    providers,
    keys,
    secrets,
    audit,
    security,
    health,
    account,
    account_keys,
    sign_in,
    reference,
    langfuse,
)
