"""What processes told of themselves, as figures: what came in, what was stored, what gateway workers did."""

from flyball.infra.processes.vitals import Vitals

from .records import Flow, Flush, Flusher, Gateway, Spool
from .watching import KINDS, Watch

FLUSHER = "flusher"
_GATEWAY = "gateway-"
_BY_GATEWAYS = "delivered"  # what couriers brought from the spools of workers


def flows_of(watch: Watch) -> tuple[Flow, ...]:
    """Of each kind: acknowledged, refused, stored."""
    return tuple(_flow(watch, kind) for kind in KINDS)


def _flow(watch: Watch, kind: str) -> Flow:
    """What a worker of the gateway recorded counts once it is in the inbox: from then on it waits for its table."""
    rate = watch.growth.per_second
    acknowledged, acknowledged_rate = _sum(watch.vitals, "acknowledged", kind), rate("acknowledged", kind)
    if kind == "span":
        acknowledged += _sum(watch.vitals, _BY_GATEWAYS, "spans")
        acknowledged_rate += rate(_BY_GATEWAYS, "spans")
    return Flow(
        kind=kind,
        acknowledged=acknowledged,
        refused=_sum(watch.vitals, "refused", kind),
        stored=_sum(watch.vitals, "flushed", kind),
        acknowledged_rate=acknowledged_rate,
        stored_rate=rate("flushed", kind),
    )


def flush_of(watch: Watch, kind: str) -> Flush:
    """Batches of a kind."""
    told = _told(watch, FLUSHER)
    last = told.level_of("flush_last_ns", kind) if told else None
    return Flush(
        kind=kind,
        number=watch.batches.get(kind, 0),
        flushes=_sum(watch.vitals, "flushes", kind),
        flushed=_sum(watch.vitals, "flushed", kind),
        seconds=sum(one.sum_of("flush_ns", kind) for one in watch.vitals) / 1e9,
        last_seconds=None if last is None else last / 1e9,
        last_ns=_whole(told.level_of("flushed_ns", kind)) if told else None,
    )


def flusher_of(watch: Watch) -> Flusher:
    """The flusher as a whole."""
    told = _told(watch, FLUSHER)
    if told is None:
        return Flusher()
    return Flusher(
        ended_ns=_whole(told.level_of("flush_ended_ns")),
        failures=int(told.sum_of("flush_failures")),
        failed_ns=_whole(told.level_of("flush_failed_ns")),
        error=told.words.get("flush_error", ""),
    )


def gateways_of(watch: Watch) -> tuple[Gateway, ...]:
    """Each worker of the gateway that lives."""
    return tuple(_gateway(one) for one in watch.vitals if one.role.startswith(_GATEWAY))


def _gateway(told: Vitals) -> Gateway:
    return Gateway(
        role=told.role,
        calls=int(told.sum_of("calls")),
        refused=int(told.sum_of("calls_refused")),
        in_flight=int(told.level_of("calls_in_flight") or 0),
        spools=tuple(
            Spool(
                of=each.of,
                bytes=int(each.number),
                room=int(told.level_of("spool_room", each.of) or 0),
                dropped=int(told.sum_of("spool_dropped", each.of)),
            )
            for each in told.levels
            if each.name == "spool_bytes"
        ),
    )


def _told(watch: Watch, role: str) -> Vitals | None:
    return next((one for one in watch.vitals if one.role == role), None)


def _sum(vitals: tuple[Vitals, ...], name: str, of: str) -> int:
    return int(sum(one.sum_of(name, of) for one in vitals))


def _whole(number: float | None) -> int | None:
    return None if number is None else int(number)
