"""Keys that were proven within the last second, for callers who send hundreds of requests in one: exporters of telemetry.

A revocation counts after a second at the latest, as in the gateway. What was refused is looked up again each time.
"""

from flyball.infra.context import Context
from flyball.infra.db.database import DatabaseAwayError
from flyball.kit.clock import NANOSECONDS, Clock
from flyball.kit.secrets import Secret, token_hash
from flyball.kit.within import within
from flyball.surface.http.identity import Proof, Prover

KEPT_NS = NANOSECONDS
PATIENCE_SECONDS = (
    4.0  # for a look-up, until the caller is told to come again: exporters wait for ten, and writing takes time too
)
_MOST = 10_000  # keys and addresses


class LatelyProven:
    """A prover that asks another one at most once a second for each key and address."""

    def __init__(self, prover: Prover, clock: Clock) -> None:
        self._prover = prover
        self._clock = clock
        self._proven: dict[tuple[bytes, str], tuple[int, Proof]] = {}

    async def __call__(
        self, ctx: Context, *, bearer: Secret | None, session: Secret | None, address: str = ""
    ) -> Proof | None:
        """The proof of a key, a second old at most; sessions are looked up each time.

        Raises:
            DatabaseAwayError: PostgreSQL does not say who it is.
        """
        if bearer is None:
            return await self._asked(ctx, None, session, address)
        name = (token_hash(bearer.reveal()), address)
        now_ns = self._clock.monotonic_ns()
        proven = self._proven.get(name)
        if proven is not None and now_ns - proven[0] < KEPT_NS:
            return proven[1]
        proof = await self._asked(ctx, bearer, None, address)
        if proof is None:
            self._proven.pop(name, None)
            return None
        if len(self._proven) >= _MOST:
            self._proven.clear()
        self._proven[name] = (now_ns, proof)
        return proof

    async def _asked(self, ctx: Context, bearer: Secret | None, session: Secret | None, address: str) -> Proof | None:
        try:
            return await within(PATIENCE_SECONDS, self._prover(ctx, bearer=bearer, session=session, address=address))
        except TimeoutError:
            raise DatabaseAwayError(
                f"PostgreSQL has not said within {PATIENCE_SECONDS:.0f} seconds whose key this is",
                next_step="send it again; `flyball doctor` checks the database",
            ) from None
