"""DBOS, and all that flyball knows of it: one workflow, `flyball.run`, whose id is the run's id.

A run that was cut off is found by DBOS at the next start and continues behind its last finished step. What a run is and
where its state is written is the ledger's business (a port that the room `runs` fills). DBOS is given text alone and keeps
it as JSON; pickles, its own choice, are not even read: whoever can write a row shall not run code in the worker.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeVar

import psycopg
import sqlalchemy as sa
from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from dbos._serialization import DefaultSerializer

from flyball.infra.context import Context
from flyball.kit.errors import NotFoundError, UnavailableError
from flyball.kit.retry import backoff

from .job import Job, RunContext
from .outcomes import kept, kept_failure, read
from .shortage import shortage

T = TypeVar("T")
_log = logging.getLogger(__name__)
_EXECUTOR = "flyball-worker"
_PROGRESS_NS = 200_000_000


class Ledger(Protocol):
    """Where the state of runs is written."""

    async def begin(self, run_id: str) -> tuple[Context, str, dict[str, Any]] | None:
        """Mark it running; its context, kind and arguments. None: it has ended, or never was."""
        ...

    async def progress(self, run_id: str, done: int, total: int | None, note: str) -> None:
        """Write how far it is."""
        ...

    async def note(self, run_id: str, note: str) -> None:
        """Write why it does not go on."""
        ...

    async def succeed(self, run_id: str, result: dict[str, Any]) -> None:
        """Write its end; a second time changes nothing."""
        ...

    async def fail(self, run_id: str, error: Exception) -> None:
        """Write its failure; a second time changes nothing."""
        ...


class JobEngine:
    """One per process, because DBOS is. `open` continues what was cut off; `start` begins a queued run, once."""

    def __init__(self, ctx: Context, ledger: Ledger, jobs: tuple[Job, ...], *, at_once: int = 2) -> None:
        self._ctx = ctx
        self._ledger = ledger
        self._jobs = {job.kind: job for job in jobs}
        self._turns = asyncio.Semaphore(at_once)
        self._stopping = asyncio.Event()
        self._steps = 0
        self._reported_ns: dict[str, int] = {}
        self._workflow: Callable[[str], Awaitable[None]] | None = None

    async def open(self) -> None:
        """Make DBOS's own tables where they are missing, and continue runs that were cut off."""
        config: DBOSConfig = {
            "name": "flyball",
            "system_database_engine": _engine(self._ctx.db.url),
            "dbos_system_schema": "dbos",
            "executor_id": _EXECUTOR,
            "application_version": "flyball",  # a run continues under a newer flyball as well
            "enable_otlp": False,
            "log_level": "WARNING",
            "serializer": DBOSPortableJSONSerializer(),
        }
        DBOS(config=config)

        async def execute(run_id: str) -> None:
            async with self._turns:
                await self._execute(run_id)

        await asyncio.to_thread(_begin_pickled_runs_again, config["system_database_engine"])
        self._workflow = DBOS.workflow(name="flyball.run", max_recovery_attempts=None)(execute)
        DBOS.launch()

    async def start(self, run_id: str) -> None:
        """Begin a run; nothing where it has begun or ended."""
        if self._workflow is None:
            raise RuntimeError("the engine is not open")
        with SetWorkflowID(run_id):
            await DBOS.start_workflow_async(self._workflow, run_id)  # type: ignore[arg-type] # typed as a coroutine function

    async def close(self, *, patience: float = 10.0) -> None:
        """Begin no further step, give the running ones `patience` seconds, and leave the rest to the next start."""
        self._stopping.set()
        for _ in range(int(patience / 0.05)):
            if not self._steps:
                break
            await asyncio.sleep(0.05)
        await asyncio.to_thread(DBOS.destroy, destroy_registry=True)

    async def step(self, name: str, work: Callable[[], Awaitable[T]], returns: Any) -> T:
        """A durable step of the run that calls; while something is away, or a disk is full, it is repeated for a while."""

        async def patient() -> T:
            for pause in (*backoff(first=0.2, most=10.0, tries=12), None):
                try:
                    return await work()
                except Exception as error:  # -- whatever is not worth waiting for is raised again
                    away = shortage(error)
                    if away is None:
                        raise
                    if pause is None:
                        raise away from error
                    _log.warning("step %s waits: %s", name, away)
                    await self._note(DBOS.workflow_id, f"waits: {away.message}")
                    await asyncio.sleep(pause)
            raise AssertionError("the last try returns or raises")

        raised: list[Exception] = []

        async def recorded() -> str:
            try:
                return kept(await patient())
            except Exception as error:  # noqa: BLE001 -- it is kept as this step's end, and raised below
                raised.append(error)
                return kept_failure(error)

        if self._stopping.is_set():
            await asyncio.Event().wait()  # this process ends; the next start continues here
        self._steps += 1
        try:
            text = await DBOS.run_step_async({"name": name}, recorded)
        finally:
            self._steps -= 1
        if raised:
            raise raised[0]
        result: T = read(text, returns)
        return result

    async def progress(self, run_id: str, done: int, total: int | None, note: str) -> None:
        """Write progress, five times a second at most, and always the end."""
        now = self._ctx.clock.monotonic_ns()
        if done != total and now - self._reported_ns.get(run_id, -_PROGRESS_NS) < _PROGRESS_NS:
            return
        self._reported_ns[run_id] = now
        try:
            await self._ledger.progress(run_id, done, total, note)
        except UnavailableError as error:
            _log.warning("progress of %s is not written: %s", run_id, error)

    async def _note(self, run_id: str | None, note: str) -> None:
        """Tell whoever watches why nothing moves; where PostgreSQL itself is what is away, only the log knows."""
        with contextlib.suppress(UnavailableError):
            await self._ledger.note(run_id or "", note)

    async def _execute(self, run_id: str) -> None:
        begun = await self._until_there(lambda: self._ledger.begin(run_id))
        if begun is None:
            return
        ctx, kind, arguments = begun
        try:
            result = await self._job(kind).work(RunContext(run_id, ctx, self), arguments)
        except Exception as error:  # noqa: BLE001 -- a door: whatever a job raises becomes the run's recorded failure
            failure = error
            _log.exception("run %s (%s) failed", run_id, kind)
            await self._until_there(lambda: self._ledger.fail(run_id, failure))
        else:
            await self._until_there(lambda: self._ledger.succeed(run_id, result))
        finally:
            self._reported_ns.pop(run_id, None)

    def _job(self, kind: str) -> Job:
        job = self._jobs.get(kind)
        if job is None:
            raise NotFoundError(
                f"no job does runs of the kind {kind!r}",
                next_step=f"kinds that this worker knows: {', '.join(sorted(self._jobs)) or 'none'}",
            )
        return job

    async def _until_there(self, deed: Callable[[], Awaitable[T]]) -> T:
        """Repeat a write to the ledger until PostgreSQL takes it."""
        while True:
            for pause in backoff(first=0.1, most=5.0, tries=10):
                try:
                    return await deed()
                except UnavailableError as error:
                    _log.warning("the ledger of runs waits: %s", error)
                    await asyncio.sleep(pause)


def _refuse(_: DefaultSerializer, __: str) -> Any:
    raise ValueError("a pickle among DBOS's rows, which flyball writes none of, is not read")


DefaultSerializer.deserialize = _refuse  # type: ignore[method-assign,assignment] # DBOS reads each row as the row itself says


def _begin_pickled_runs_again(engine: sa.Engine | None) -> None:
    """Runs that were cut off under a flyball which left pickles: their steps are forgotten, and they start over."""
    if engine is None or not sa.inspect(engine).has_table("workflow_status", schema="dbos"):
        return
    with engine.begin() as connection:
        for statement in _FORGET_PICKLES:
            connection.execute(sa.text(statement))


_OLD = "select workflow_uuid from dbos.workflow_status where status = 'PENDING' and serialization = 'py_pickle'"
_FORGET_PICKLES = (
    f"delete from dbos.operation_outputs where workflow_uuid in ({_OLD})",
    f"""update dbos.workflow_status set serialization = 'portable_json',
        inputs = json_build_object('positionalArgs', json_build_array(workflow_uuid), 'namedArgs', json_build_object())
        where workflow_uuid in ({_OLD})""",
)


def _engine(url: str) -> sa.Engine:
    """DBOS's pool. DBOS repeats what failed for want of a connection, and must be told that a refused socket is one."""
    engine = sa.create_engine(
        sa.make_url(url).set(drivername="postgresql+psycopg"),
        pool_size=5,
        max_overflow=5,
        pool_pre_ping=True,
        connect_args={"application_name": "flyball jobs", "connect_timeout": 10},
    )

    @sa.event.listens_for(engine, "handle_error")
    def recognise(context: sa.engine.ExceptionContext) -> None:
        error = context.original_exception
        if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
            context.is_disconnect = True

    return engine
