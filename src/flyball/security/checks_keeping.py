"""What is kept: the record of what was done, secrets, rows of other projects, files."""

from flyball.infra.secrets.references import parse

from .records import Check, Facts, Finding, State

_HOUR_NS = 3_600 * 1_000_000_000


def checkpoints(facts: Facts) -> Finding:
    """Whether the end of the record is signed."""
    standing, settings = facts.audit, facts.settings
    covered = standing.latest.checkpoint.seq if standing.latest else 0
    waiting = standing.head.seq - covered
    told = f"signed up to event {covered}, checked before it was" if covered else "nothing is signed yet"
    if not waiting:
        return _audit("checkpoints", "good", told)
    told = f"{told}; {waiting} events since"
    when = f"after {settings.audit_checkpoint_events} events or {settings.audit_checkpoint_seconds:g} seconds"
    if standing.unsigned_since_ns is None:
        return _audit(
            "checkpoints", "bad", f"{told}, of which the first is missing", "`flyball audit verify` says what is"
        )
    patience_ns = _HOUR_NS + int(settings.audit_checkpoint_seconds * 1e9)
    if facts.now_ns - standing.unsigned_since_ns > patience_ns:
        return _audit(
            "checkpoints",
            "bad",
            f"{told}, the first more than an hour longer ago than it may wait: the control process signs {when}",
            "`flyball audit verify` says whether the chain holds; what keeps it from being signed is in the log",
        )
    return _audit("checkpoints", "good", f"{told}, to be signed {when}")


def chain(facts: Facts) -> Finding:
    """Whether the whole chain holds, as far as somebody has asked."""
    verified = facts.audit.verified
    if verified is None:
        return _audit(
            "chain",
            "note",
            "nobody has had the whole chain checked since flyball started; its new events are, before they are signed",
            "`flyball audit verify` checks it",
        )
    hours = max(0, facts.now_ns - verified.at_ns) // _HOUR_NS
    when = f"{hours} hours ago" if hours > 1 else "within the last two hours"
    if verified.finding:
        return _audit(
            "chain",
            "bad",
            f"it does not hold: {verified.finding} (checked {when})",
            "find out who changed the database, and keep a copy of it as it is",
        )
    return _audit("chain", "good", f"the whole chain was checked {when}, and holds")


def sinks(facts: Facts) -> Finding:
    """Whether somebody whom this server cannot rewrite has the checkpoints too."""
    standing = facts.audit
    if not standing.sinks:
        return _audit(
            "elsewhere",
            "warn",
            "the record goes nowhere else: who owns this server could make it anew",
            "set FLYBALL_AUDIT_WEBHOOK or FLYBALL_AUDIT_SYSLOG, or keep what `flyball audit checkpoint` prints",
        )
    failing = [sink for sink in standing.sinks if sink.failed_ns is not None and sink.failed_ns > (sink.sent_ns or 0)]
    if failing:
        return _audit(
            "elsewhere",
            "bad",
            "; ".join(f"{sink.name} fails ({sink.failure}), {sink.behind} events behind" for sink in failing),
            "correct the address or the receiver; sending goes on by itself",
        )
    return _audit("elsewhere", "good", f"sent to {', '.join(sink.name for sink in standing.sinks)}")


def retention(facts: Facts) -> Finding:
    """How long the record is kept."""
    days = facts.audit.retention_days
    return _audit("retention", "good", f"events are kept for {days} days" if days else "events are kept for ever")


def master_key(facts: Facts) -> Finding:
    """Where the master key lies."""
    if facts.master is None:
        return _secret("master key", "bad", facts.master_trouble, "give the master key again; `flyball secrets --help`")
    if facts.master.foreign:
        return _secret(
            "master key",
            "bad",
            f"some secrets are under a master key that is not here: {', '.join(facts.master.foreign)}",
            "give that key as well, then `flyball secrets rotate-master`",
        )
    if facts.master.origin == "none":
        return _secret("master key", "good", "no secret is kept yet, so no master key is needed")
    if facts.master.origin == "data directory":
        return _secret(
            "master key",
            "warn",
            "the master key lies in the data directory: who copies the directory has the secrets",
            "set FLYBALL_MASTER_KEY_FILE or FLYBALL_MASTER_KEY_COMMAND to keep it apart, then `flyball secrets rotate-master`",
        )
    return _secret("master key", "good", f"the master key comes from the {facts.master.origin}, apart from the data")


def where_secrets_are(facts: Facts) -> Finding:
    """Encrypted here, in a vault, or in the environment of every process."""
    kinds = [parsed.kind for parsed in map(parse, facts.references) if parsed is not None]
    told = ", ".join(f"{kinds.count(kind)} by {kind}:" for kind in sorted(set(kinds))) or "no model needs a secret"
    if "env" in kinds:
        return _secret(
            "references",
            "note",
            told,
            "`flyball secrets set NAME` keeps a key encrypted, bound to its host; name it as secret:NAME",
        )
    return _secret("references", "good", told)


def row_security(facts: Facts) -> Finding:
    """The second wall between projects."""
    walls = facts.walls
    if walls.bypassing or walls.unguarded:
        why = (
            f"these tables have none: {', '.join(walls.unguarded)}"
            if walls.unguarded
            else "this connection's role passes it by"
        )
        return _data(
            "row-level security",
            "bad",
            why,
            "let flyball's role be no superuser and without BYPASSRLS, and start again",
        )
    return _data(
        "row-level security", "good", "every table with rows of projects shows a connection its own project's alone"
    )


def way_to_database(facts: Facts) -> Finding:
    """How PostgreSQL is reached."""
    if facts.walls.local:
        return _data("way to PostgreSQL", "good", "through a socket of this machine")
    if facts.walls.encrypted:
        return _data("way to PostgreSQL", "good", "encrypted")
    return _data(
        "way to PostgreSQL", "bad", "over the network, in the clear", "add sslmode=verify-full to FLYBALL_DATABASE_URL"
    )


def files(facts: Facts) -> Finding:
    """The data directory is its owner's alone."""
    if facts.open_folders:
        return _data(
            "files",
            "bad",
            f"others may enter {', '.join(facts.open_folders)}",
            "chmod go-rwx on them; the next start does so by itself",
        )
    return _data("files", "good", "the folders of the data directory are their owner's alone")


def weights(facts: Facts) -> Finding:
    """What may come in as weights."""
    limit = facts.settings.max_weights_bytes // 1024**3
    return _data(
        "files of weights",
        "good",
        f"safetensors and GGUF alone, up to {limit} GiB; whatever is loaded by unpickling is refused",
    )


CHECKS: tuple[Check, ...] = (
    checkpoints,
    chain,
    sinks,
    retention,
    master_key,
    where_secrets_are,
    row_security,
    way_to_database,
    files,
    weights,
)
OF_PROJECT: tuple[Check, ...] = (checkpoints, chain, retention, where_secrets_are)


def _audit(name: str, state: State, found: str, next_step: str = "") -> Finding:
    return Finding(topic="Audit", name=name, state=state, found=found, next_step=next_step)


def _secret(name: str, state: State, found: str, next_step: str = "") -> Finding:
    return Finding(topic="Secrets", name=name, state=state, found=found, next_step=next_step)


def _data(name: str, state: State, found: str, next_step: str = "") -> Finding:
    return Finding(topic="Data", name=name, state=state, found=found, next_step=next_step)
