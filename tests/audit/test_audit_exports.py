"""An export verifies by itself, and whatever is done to a byte, a line or its end is found and named."""

import random
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.audit import Event, Head, chain, checkpoints, exporting, offline, service
from flyball.audit.chain import Marked
from flyball.audit.checkpoints import Stood
from flyball.audit.noted import checkpoint_of
from flyball.audit.signing import SigningKey, signing_key
from flyball.infra.context import Context
from flyball.kit.errors import InvalidInputError

KEY = SigningKey(Ed25519PrivateKey.generate())
OTHER_KEY = SigningKey(Ed25519PrivateKey.generate())
EVENTS, EVERY = 25, 7  # four checkpoints, the last at the end


def event(seq: int, **fields) -> Event:
    known = {
        "project": "default",
        "at_ns": 1_700_000_000_000_000_000 + seq,
        "mono_ns": seq,
        "boot_id": "b",
        "actor_id": "m1",
    }
    known |= {
        "actor_kind": "member",
        "actor_name": "ada",
        "action": "keys.create",
        "object_kind": "key",
        "object_id": f"k{seq}",
    }
    return Event(**({"seq": seq, "after": "0" * 64, "auth_method": "password"} | known | fields))


def build_lines(events: list[Event], key: SigningKey = KEY) -> list[bytes]:
    """The lines of an export of these events, made by hand."""
    previous, since, hashes, marks, lines = chain.FIRST, 0, [], [], []
    before: Marked | None = None
    for each in events:
        previous = chain.chained(previous, each)
        hashes.append(previous)
        lines.append(chain.line(chain.canonical(each), previous))
        if each.seq % EVERY == 0 or each.seq == len(events):
            root = chain.merkle_root(hashes[since:]).hex()
            stood = Stood("checkpoint", since + 1, each.seq, previous, root, each.at_ns)
            body, signature = checkpoints.make(key, "default", before, stood, at_ns=each.at_ns)
            before = Marked(before.number + 1 if before else 1, body.decode(), signature.hex())
            marks.append(before)
            since = each.seq
    header = exporting.Header(
        format=exporting.FORMAT, project="default", begins_at=1, head=Head(seq=len(events), hash=previous.hex()),
        checkpoints=len(marks), made_ns="1", key=key.public,
    )  # fmt: skip
    signed = [exporting.checkpoint_line_of(each) for each in marks]
    return [exporting.header_line(header, key), *signed, *lines]


LINES = build_lines([event(seq) for seq in range(1, EVENTS + 1)])
WHOLE = b"".join(line + b"\n" for line in LINES)
FIRST_EVENT = len(LINES) - EVENTS


def verify(folder: Path, data: bytes, **named):
    path = folder / "export.jsonl"
    path.write_bytes(data)
    return offline.verify_file(path, **named)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("exports")


def test_an_export_verifies_by_itself(folder):
    found = verify(folder, WHOLE, public_keys=[KEY.public])

    assert found.ok, found.finding
    assert (found.events, found.checkpoints, found.signed_up_to, found.keys) == (EVENTS, 4, EVENTS, (KEY.public,))


@settings(max_examples=400, deadline=None)
@given(at=st.integers(0, len(WHOLE) * 8 - 1))
def test_any_single_bit_that_flips_is_found(folder, at):
    data = bytearray(WHOLE)
    data[at // 8] ^= 1 << at % 8

    found = verify(folder, bytes(data))

    assert not found.ok
    assert found.finding


def event_at_bit(at: int) -> int:
    """The event in whose line a bit of WHOLE lies; 0: in none."""
    line = WHOLE[: at // 8].count(b"\n")
    return max(0, line - FIRST_EVENT + 1)


@settings(max_examples=300, deadline=None)
@given(at=st.integers(sum(len(line) + 1 for line in LINES[:FIRST_EVENT]) * 8, len(WHOLE) * 8 - 1))
def test_a_bit_that_flips_in_an_event_is_named_by_that_event(folder, at):
    data = bytearray(WHOLE)
    data[at // 8] ^= 1 << at % 8
    seq = event_at_bit(at)

    found = verify(folder, bytes(data))

    assert (found.broken_at or found.gap) in (seq, seq + 1)  # a line's end belongs to both
    assert str(found.broken_at or found.gap) in found.finding


@settings(deadline=None)
@given(first=st.integers(0, len(LINES) - 1), many=st.integers(1, 5))
def test_lines_that_were_taken_out_are_found(folder, first, many):
    left = LINES[:first] + LINES[first + many :]

    found = verify(folder, b"".join(line + b"\n" for line in left))

    assert not found.ok
    if first >= FIRST_EVENT:
        assert found.gap == first - FIRST_EVENT + 1
        assert found.fault == ("truncation" if first + many >= len(LINES) else "gap")


@settings(deadline=None)
@given(places=st.lists(st.integers(0, len(LINES) - 1), min_size=2, max_size=2, unique=True))
def test_lines_that_changed_places_are_found(folder, places):
    one, two = sorted(places)
    lines = list(LINES)
    lines[one], lines[two] = lines[two], lines[one]

    found = verify(folder, b"".join(line + b"\n" for line in lines))

    assert not found.ok
    if one >= FIRST_EVENT:
        assert (found.fault, found.broken_at) == ("order", one - FIRST_EVENT + 1)
        assert "changed places" in found.finding


@settings(deadline=None)
@given(left=st.integers(0, len(WHOLE) - 1))
def test_an_end_that_was_cut_off_is_found_wherever_it_was_cut(folder, left):
    assert not verify(folder, WHOLE[:left]).ok


@settings(deadline=None)
@given(more=st.binary(min_size=1, max_size=20))
def test_what_was_written_behind_the_end_is_found(folder, more):
    assert not verify(folder, WHOLE + more).ok


def test_a_repeated_event_is_found(folder):
    lines = [*LINES[: FIRST_EVENT + 3], LINES[FIRST_EVENT + 1], *LINES[FIRST_EVENT + 3 :]]

    found = verify(folder, b"".join(line + b"\n" for line in lines))

    assert (found.fault, found.broken_at) == ("order", 4)
    assert "second time" in found.finding


def test_a_chain_made_anew_with_another_key_shows_against_the_public_key(folder):
    forged = build_lines([event(seq, actor_name="nobody") for seq in range(1, EVENTS + 1)], OTHER_KEY)
    data = b"".join(line + b"\n" for line in forged)

    alone, against = verify(folder, data), verify(folder, data, public_keys=[KEY.public])

    assert alone.ok  # by itself it is in order: that is what the public key is for
    assert alone.keys == (OTHER_KEY.public,)
    assert not against.ok
    assert against.fault == "signature"


def test_events_made_anew_under_the_signed_checkpoints_are_found(folder):
    changed = [event(seq, actor_name="nobody" if seq == 9 else "ada") for seq in range(1, EVENTS + 1)]
    forged = build_lines(changed, OTHER_KEY)
    lines = [*LINES[:FIRST_EVENT], *forged[FIRST_EVENT:]]

    found = verify(folder, b"".join(line + b"\n" for line in lines))

    assert (found.fault, found.broken_at) == ("edit", 14)
    assert "checkpoint 2" in found.finding


def test_a_head_noted_elsewhere_is_compared(folder):
    assert verify(folder, WHOLE, expected=Head(seq=3, hash=LINES[FIRST_EVENT + 2][9:73].decode())).ok
    assert verify(folder, WHOLE, expected=Head(seq=3, hash="0" * 64)).broken_at == 3
    assert verify(folder, WHOLE, expected=Head(seq=99, hash="0" * 64)).gap == EVENTS + 1


def pruned(up_to: int, *, key: SigningKey = KEY) -> bytes:
    """An export of the chain after the events up to a checkpoint's were given up."""
    before = Marked(1, *told(0))
    stood = Stood("pruned", 1, up_to, bytes.fromhex(hash_of(up_to)), "", event(up_to).at_ns)
    late = event(up_to).at_ns + 200 * 86_400 * 10**9
    body, signature = checkpoints.make(key, "default", before, stood, at_ns=late)
    marks = [before, Marked(2, body.decode(), signature.hex())]
    header = exporting.Header(
        format=exporting.FORMAT, project="default", begins_at=up_to + 1, head=Head(seq=EVENTS, hash=hash_of(EVENTS)),
        checkpoints=2, made_ns="1", key=key.public,
    )  # fmt: skip
    signed = [exporting.checkpoint_line_of(each) for each in marks]
    lines = [exporting.header_line(header, key), *signed, *LINES[FIRST_EVENT + up_to :]]
    return b"".join(line + b"\n" for line in lines)


def hash_of(seq: int) -> str:
    return LINES[FIRST_EVENT + seq - 1][9:73].decode()


def told(at: int) -> tuple[str, str]:
    """The body and the signature of a checkpoint in LINES."""
    found = checkpoint_of(LINES[1 + at])
    return checkpoints.checkpoint_body(found.checkpoint).decode(), found.signature


def test_a_head_noted_elsewhere_is_compared_with_what_was_given_up(folder):
    data = pruned(EVERY)

    assert verify(folder, data).ok
    assert verify(folder, data, expected=Head(seq=EVERY, hash=hash_of(EVERY))).ok
    assert verify(folder, data, expected=Head(seq=EVERY + 1, hash=hash_of(EVERY + 1))).ok
    at_the_base = verify(folder, data, expected=Head(seq=EVERY, hash="0" * 64))
    assert (at_the_base.ok, at_the_base.broken_at) == (False, EVERY)
    below = verify(folder, data, expected=Head(seq=3, hash=hash_of(3)))
    assert (below.ok, below.finding) == (
        False,
        "the note of event 3 cannot be checked any more: events up to 7 were given up",
    )


@pytest.mark.parametrize("seq", [0, -1])
def test_a_head_of_no_event_is_refused(folder, seq):
    with pytest.raises(InvalidInputError, match="the number of no event"):
        verify(folder, WHOLE, expected=Head(seq=seq, hash="0" * 64))


def test_numbers_that_grow_by_a_digit_verify(folder):
    lines = build_lines([event(seq) for seq in range(1, 1_102)])

    assert verify(folder, b"".join(line + b"\n" for line in lines)).events == 1_101


text = st.text(max_size=30)


@settings(deadline=None)
@given(
    event=st.builds(
        Event,
        seq=st.integers(1, 2**53 - 1), project=text, at_ns=st.integers(-(2**63), 2**63), mono_ns=st.integers(0, 2**63),
        boot_id=text, actor_id=text, actor_kind=text, actor_name=text, action=text, object_kind=text, object_id=text,
        before=st.none() | text, after=st.none() | text, request_id=text, auth_method=text, object_name=text,
    )
)  # fmt: skip
def test_an_event_is_written_as_rfc_8785_says_and_read_back(event):
    fields = msgspec.structs.asdict(event) | {"at_ns": str(event.at_ns), "mono_ns": str(event.mono_ns)}
    del fields["hash"]
    for later in ("auth_method", "object_name"):  # left out where there is none, as before there was one
        if not fields[later]:
            del fields[later]

    assert chain.canonical(event) == rfc8785.dumps(fields)
    assert chain.read(chain.canonical(event), b"") == event


async def record_some(ctx: Context, many: int) -> None:
    for number in range(many):
        async with ctx.db.transaction() as connection:
            await service.record(
                connection,
                ctx,
                action="keys.create",
                object_kind="key",
                object_id=f'{number}\n"\\ü\x1f\x7f\u2028',
                after=number,
            )


async def test_an_export_of_the_database_verifies_offline_and_holds_its_own_export(ctx, tmp_path):
    await record_some(replace(ctx, request_id="r\b\f\t"), 9)

    data = b"".join([part async for part in await exporting.export(ctx)])

    found = verify(tmp_path, data, public_keys=[signing_key(ctx.layout).public])
    assert found.ok, found.finding
    assert (found.events, found.signed_up_to) == (10, 10)
    assert b'"action":"audit.export"' in data.splitlines()[-1]


def test_chance_in_the_order_of_all_lines_is_found(folder):
    shuffled = LINES[FIRST_EVENT:]
    random.Random(7).shuffle(shuffled)

    assert not verify(folder, b"".join(line + b"\n" for line in LINES[:FIRST_EVENT] + shuffled)).ok
