"""The navigation: the loop's stages and what lies at each, as one table. No logic."""

from flyball.surface.html import Link, Site, Stage

SITE = Site(
    stages=(
        Stage("Overview", (Link("The loop", "/"),)),
        Stage("Collect, prepare", (Link("Datasets", "/datasets"), Link("Indexes", "/indexes"))),
        Stage("Adapt", (Link("Functions", "/functions"), Link("Prompts", "/prompts"), Link("Models", "/models"))),
        Stage("Evaluate", (Link("Evaluations", "/evaluations"),)),
        Stage("Release", (Link("Releases", "/releases"),)),
        Stage(
            "Observe, learn",
            (
                Link("Traces", "/traces"),
                Link("Logs", "/logs"),
                Link("Metrics", "/measurements"),
                Link("Scores", "/scores"),
                Link("Costs", "/costs"),
                Link("Ledger", "/ledger"),
            ),
        ),
        Stage(
            "Govern",
            (
                Link("Budgets", "/budgets"),
                Link("Notifications", "/notifications"),
                Link("Runs", "/runs"),
                Link("Members", "/members"),
                Link("Roles", "/roles"),
                Link("Projects", "/projects"),
                Link("Sign-in providers", "/providers"),
                Link("Keys", "/keys"),
                Link("Secrets", "/secrets"),
                Link("Audit", "/audit"),
                Link("Security", "/security"),
                Link("Health", "/health"),
                Link("Account", "/account"),
                Link("API", "/reference"),
            ),
        ),
    )
)
