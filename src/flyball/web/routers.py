"""Every room's routes under `/api`, as one flat table. No logic."""

from flyball.audit.api import router as audit
from flyball.configuration.api import router as configuration
from flyball.costs.api import router as costs
from flyball.datasets.api import router as datasets
from flyball.evaluations.api import router as evaluations
from flyball.functions.api import router as functions
from flyball.health.api import metrics_router as metrics
from flyball.health.api import router as health
from flyball.identity.api import router as identity
from flyball.identity.member_api import router as members
from flyball.identity.provider_api import router as providers
from flyball.indexes.api import router as indexes
from flyball.ledger.api import router as quotas
from flyball.ledger.ledger_api import router as ledger
from flyball.lineage.api import router as lineage
from flyball.models.api import router as models
from flyball.models.file_api import router as model_files
from flyball.notifications.api import router as notifications
from flyball.projects.account_key_api import router as account_keys
from flyball.projects.api import router as projects
from flyball.projects.key_api import router as keys
from flyball.projects.owner_api import router as owners
from flyball.prompts.api import router as prompts
from flyball.releases.api import router as releases
from flyball.runs.api import router as runs
from flyball.secrets.api import router as secrets
from flyball.security.api import router as security
from flyball.surface.http import Router
from flyball.traces.api import router as traces
from flyball.traces.otlp_api import router as otlp
from flyball.traces.signal_api import router as signals

from .compat.langfuse.routers import ROUTERS as LANGFUSE
from .permissions import router as permissions
from .sql_api import router as questions

ROUTERS: tuple[Router, ...] = (
    otlp,  # first, because paths are looked through in this order and exporters come most often
    configuration,
    owners,
    projects,
    identity,
    members,
    providers,
    keys,
    account_keys,
    secrets,
    quotas,
    notifications,
    ledger,
    costs,
    models,
    model_files,
    prompts,
    functions,
    datasets,
    indexes,
    evaluations,
    releases,
    traces,
    signals,
    questions,
    lineage,
    runs,
    audit,
    security,
    health,
    metrics,
    permissions,
    *LANGFUSE,
)
