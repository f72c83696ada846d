"""Cut and changed files: whatever becomes of them, the answer is one of ours, and what it takes to find out is bounded."""

import io
import struct
import tracemalloc
import zipfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.infra.admission.archive import Archive
from flyball.infra.admission.errors import NotAdmittedError
from flyball.infra.admission.judging import judge, judge_entry
from flyball.infra.admission.source import Limits, Source

from .files import LIMITS, gguf, info, judged, pair, safetensors, tensor, text

SOUND = {
    "safetensors": safetensors({"a": tensor("F16", [3, 5], 0, 30), "b": tensor("U8", [], 30, 31), "__metadata__": {"format": "pt"}}, bytes(range(31))),
    "gguf": gguf(
        [pair("general.alignment", 4, struct.pack("<I", 32)), pair("t", 9, struct.pack("<IQ", 8, 2) + text("a") + text("b")), pair("x", 8, text("y"))],
        [info("a", [8, 2], 0, 0), info("b", [32], 8, 64)],
        bytes(range(98)),
    ),
}  # fmt: skip


def _zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/model.safetensors", SOUND["safetensors"])
        archive.writestr("m/config.json", b'{"a": 1}' * 1)
    return out.getvalue()


ZIP = _zip()


def admit_zip(data: bytes) -> None:
    archive = Archive(io.BytesIO(data), "model.zip", LIMITS)
    for entry in archive.entries:
        out = io.BytesIO()
        archive.copy(entry, out)
        judge_entry(Source(out, name=entry.path), LIMITS)


@pytest.mark.parametrize("kind", SOUND)
def test_a_file_cut_at_any_byte_is_refused(kind):
    assert judged(SOUND[kind]).tensors == 2
    for length in range(len(SOUND[kind])):
        with pytest.raises(NotAdmittedError):
            judged(SOUND[kind][:length])


@pytest.mark.parametrize("kind", SOUND)
def test_any_byte_before_the_tensors_may_change_to_anything(kind):
    data = SOUND[kind]
    for at in range(len(data)):
        for value in {0, 1, 0x7F, 0x80, 0xFF, data[at] ^ 1, data[at] ^ 0x20, ord('"'), ord("9")}:
            try:
                judged(data[:at] + bytes([value]) + data[at + 1 :])
            except NotAdmittedError:
                continue


def test_an_archive_cut_or_changed_at_any_byte_is_answered():
    for at in range(len(ZIP)):
        for changed in (
            ZIP[:at],
            *(ZIP[:at] + bytes([value]) + ZIP[at + 1 :] for value in (0, 1, 0xFF, ZIP[at] ^ 0x10)),
        ):
            try:
                admit_zip(changed)
            except NotAdmittedError:
                continue


splices = st.lists(st.tuples(st.integers(0, 400), st.integers(0, 16), st.binary(max_size=16)), max_size=6)


@pytest.mark.parametrize("kind", [*SOUND, "zip"])
@settings(max_examples=150, deadline=None)
@given(changes=splices)
def test_pieces_put_in_and_taken_out_are_answered(kind, changes):
    data = SOUND.get(kind, ZIP)
    for at, gone, new in changes:
        data = data[:at] + new + data[at + gone :]
    with suppress(NotAdmittedError):
        admit_zip(data) if kind == "zip" else judged(data)


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"GGUF\3\0\0\0", b"\x20\0\0\0\0\0\0\0{", b"PK\3\4", b"\x80\4", b"\x93NUMPY"]),
)
def test_noise_is_answered(noise, start):
    with pytest.raises(NotAdmittedError):
        judged(start + noise)


numbers = (
    st.integers(-(2**70), 2**70) | st.integers(-2, 40) | st.booleans() | st.floats() | st.none() | st.text(max_size=3)
)
tensors = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "U8", "F4", "x"]) | numbers,
        "shape": st.lists(numbers, max_size=4) | numbers,
        "data_offsets": st.lists(numbers, max_size=3) | numbers,
    }
)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.text(max_size=5), tensors | numbers, max_size=4), st.binary(max_size=64))
def test_headers_of_any_values_are_answered(header, data):
    with suppress(NotAdmittedError):
        judged(safetensors(header, data))


HUNGRY = {
    "a header of empty lists": safetensors(raw=b'{"a":[' + b"[]," * 340_000 + b"[]]}", data=b""),
    "a header of short names": safetensors(raw=b"{" + b",".join(b'"%x":0' % i for i in range(100_000)) + b"}", data=b""),
    "a header of one long name": safetensors(raw=b'{"' + b"a" * 1_000_000 + b'":0}', data=b""),
    "a header of escapes": safetensors(raw=b'{"' + b"\\u00e9" * 160_000 + b'":0}', data=b""),
    "gguf of empty texts": gguf([pair("a", 9, struct.pack("<IQ", 8, 60_000) + b"\0" * 480_000)], [], b""),
    "gguf of one long text": gguf([pair("a", 8, text(b"x" * 3_900_000))], [], b""),
    "gguf of a long array": gguf([pair("a", 9, struct.pack("<IQ", 0, 3_900_000) + b"\0" * 3_900_000)], [], b""),
    "a pickle of many steps": b"N0" * 2_000_000 + b".",
}  # fmt: skip


@pytest.mark.parametrize("what", HUNGRY)
def test_memory_is_bounded_by_the_limits_whatever_the_file(what):
    source = Source(io.BytesIO(HUNGRY[what]), name="hungry")
    tracemalloc.start()
    try:
        judge(source, LIMITS)
    except NotAdmittedError:
        pass
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert peak < 40 * LIMITS.json_header_bytes


def test_a_file_of_terabytes_takes_no_more_than_a_small_one(tmp_path):
    path = tmp_path / "large"
    raw = b'{"w":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (1 << 40, 1 << 40)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(raw)) + raw)
        file.truncate(8 + len(raw) + (1 << 40))  # sparse: it takes no room
    tracemalloc.start()
    with path.open("rb") as file:
        found = judge(Source(file, name="large"), Limits(file_bytes=1 << 41))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found.parameters == 1 << 40
    assert peak < 1_000_000
