"""The token by which programs read `/metrics`: proved without PostgreSQL, so that what is wrong with it can be read too.

Whoever has it may read how the server does, and nothing else. Everything else is left to whoever proved callers before.
"""

from flyball.infra.context import DEFAULT_PROJECT, Actor, Context
from flyball.kit.secrets import Secret
from flyball.surface.http.identity import Proof, Prover

SCRAPER = Actor(id="system:metrics", kind="system", name="metrics", permissions=frozenset({"health.read"}))


def with_token(prove: Prover) -> Prover:
    """The prover, which knows the token besides."""

    async def prove_both(
        ctx: Context, *, bearer: Secret | None, session: Secret | None, address: str = ""
    ) -> Proof | None:
        token = ctx.settings.metrics_token
        if bearer is not None and token is not None and token.reveal() and bearer == token:
            return Proof(actor=SCRAPER, project=DEFAULT_PROJECT)
        return await prove(ctx, bearer=bearer, session=session, address=address)

    return prove_both
