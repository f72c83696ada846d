"""safetensors and GGUF as their own libraries write them come in; one that was made wrong in any way does not."""

import struct

import gguf as ggufs
import numpy as np
import pytest
from safetensors.numpy import save

from flyball.infra.admission.errors import DamagedFileError, FileTooLargeError, NotAdmittedError
from flyball.infra.admission.gguf import TYPES
from flyball.infra.admission.safetensors import BITS
from flyball.infra.admission.source import Limits

from .files import gguf, info, judged, pair, safetensors, tensor, text


def test_what_the_library_of_safetensors_writes_comes_in():
    weights = {f"layer.{i}.w": np.ones((4, i + 1), dtype=np.float16) for i in range(20)} | {
        "bias": np.zeros(3),
        "scalar": np.array(1, dtype=np.int8),
        "none": np.zeros((0, 5)),
    }

    found = judged(save(weights, metadata={"format": "pt"}))

    assert (found.format, found.tensors, found.parameters) == ("safetensors", 23, sum(w.size for w in weights.values()))
    assert found.data_types == {"F16": 20, "F64": 2, "I8": 1}


def test_what_the_library_of_gguf_writes_comes_in(tmp_path):
    path = tmp_path / "model.gguf"
    writer = ggufs.GGUFWriter(path, "llama")
    writer.add_name("a model")
    writer.add_uint64("large", 1 << 40)
    writer.add_bool("yes", val=True)
    writer.add_token_list(["a", "b", b"\xff\xfe"])
    writer.add_token_scores([0.5, 1.5, 2.5])
    writer.add_chat_template("{{ messages }}")
    writer.add_tensor("blk.0.w", np.ones((8, 32), dtype=np.float32))
    writer.add_tensor(
        "blk.1.w",
        ggufs.quants.quantize(np.ones((8, 64), dtype=np.float32), ggufs.GGMLQuantizationType.Q8_0),
        raw_dtype=ggufs.GGMLQuantizationType.Q8_0,
    )
    writer.add_tensor("odd", np.ones(3, dtype=np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()

    found = judged(path.read_bytes())

    assert (found.format, found.tensors, found.parameters) == ("gguf", 3, 8 * 32 + 8 * 64 + 3)
    assert found.data_types == {"F32": 2, "Q8_0": 1}
    assert "chat template" in found.notes[0]


def test_the_table_of_types_is_that_of_the_library():
    assert {
        int(kind): (kind.name, *sizes) for kind, sizes in ggufs.GGML_QUANT_SIZES.items() if kind.name != "Q8_1"
    } == TYPES  # no file holds Q8_1


W = tensor("F32", [2], 0, 8)
BAD_SAFETENSORS = {
    "a header longer than the file": struct.pack("<Q", 1000) + b"{}",
    "a header above the format's own cap": struct.pack("<Q", 100_000_001) + b"{" + b" " * 100,
    "a header above our cap": safetensors(raw=b"{" + b" " * 1024 * 1024 + b"}", data=b""),
    "a header of 2 ** 63 bytes": struct.pack("<Q", 1 << 63) + b"{}",
    "no JSON": safetensors(raw=b"{nothing}"),
    "no object": safetensors(raw=b"[1, 2]"),
    "a second value behind the object": safetensors(raw=b'{} {"a": 1}'),
    "no UTF-8": safetensors(raw=b'{"\xff": 1}'),
    "half a surrogate": safetensors(raw=b'{"\\ud800": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'),
    "a NUL in a name": safetensors(raw=b'{"a\\u0000": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'),
    "a line break": safetensors(raw=b'{"w": {"dtype": "F32", "shape": [2],\n"data_offsets": [0, 8]}}'),
    "a name twice": safetensors(raw=b'{"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'),
    "a field twice": safetensors(raw=b'{"w": {"dtype": "F32", "dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}'),
    "a field too many": safetensors({"w": {**W, "code": "x"}}),
    "a field too few": safetensors({"w": {"dtype": "F32", "shape": [2]}}),
    "an unknown type": safetensors({"w": tensor("PICKLE", [2], 0, 8)}),
    "a type that is no word": safetensors({"w": tensor(["F32"], [2], 0, 8)}),
    "offsets out of order": safetensors({"w": tensor("F32", [2], 8, 0)}),
    "offsets beyond the file": safetensors({"w": tensor("F32", [4], 0, 16)}),
    "negative offsets": safetensors({"w": tensor("F32", [2], -8, 0)}),
    "offsets that are truths": safetensors({"w": tensor("U8", [1], False, True)}, b"\0"),
    "offsets that are fractions": safetensors({"w": tensor("F32", [2], 0.0, 8.0)}),
    "a size that is not the shape's": safetensors({"w": tensor("F32", [3], 0, 8)}),
    "a shape that overflows": safetensors({"w": tensor("F32", [1 << 62, 1 << 62, 0, 2], 0, 8)}),
    "a negative shape": safetensors({"w": tensor("F32", [-1, -2], 0, 8)}),
    "a shape of numbers without end": safetensors(raw=b'{"w": {"dtype": "F32", "shape": [' + b"9" * 5000 + b'], "data_offsets": [0, 8]}}'),
    "NaN in a shape": safetensors(raw=b'{"w": {"dtype": "F32", "shape": [NaN], "data_offsets": [0, 8]}}'),
    "tensors that overlap": safetensors({"a": tensor("U8", [6], 0, 6), "b": tensor("U8", [6], 2, 8)}),
    "the same bytes twice": safetensors({"a": W, "b": W}),
    "a hole between tensors": safetensors({"a": tensor("U8", [2], 0, 2), "b": tensor("U8", [2], 6, 8)}),
    "a hole at the start": safetensors({"a": tensor("U8", [4], 4, 8)}),
    "bytes behind the last tensor": safetensors({"w": W}, b"\0" * 9),
    "no tensors, and bytes": safetensors({}, b"\0"),
    "metadata that is no words": safetensors({"w": W, "__metadata__": {"a": 1}}),
    "metadata that is a list": safetensors({"w": W, "__metadata__": []}),
    "nesting": safetensors(raw=b'{"w":' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    "four dimensions of half a byte": safetensors({"w": tensor("F4", [3], 0, 1)}, b"\0"),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_SAFETENSORS)
def test_a_wrong_safetensors_is_refused(what):
    with pytest.raises(NotAdmittedError):
        judged(BAD_SAFETENSORS[what])


def u32(value: int) -> bytes:
    return struct.pack("<I", value)


def u64(value: int) -> bytes:
    return struct.pack("<Q", value)


BAD_GGUF = {
    "version 1": gguf(version=1),
    "version 4": gguf(version=4),
    "big-endian": gguf(version=0x03000000),
    "more tensors than any model": gguf(counts=(1 << 40, 0)),
    "more values than any model": gguf(counts=(0, 1 << 40)),
    "a tensor that is not there": gguf(counts=(2, 1)),
    "a value that is not there": gguf(counts=(1, 2)),
    "a key without end": gguf([u64(1 << 62) + b"x"]),
    "a key that is no UTF-8": gguf([text(b"\xff\xfe") + u32(4) + u32(1)]),
    "an empty key": gguf([pair("", 4, u32(1))]),
    "a key twice": gguf([pair("a", 4, u32(1)), pair("a", 4, u32(2))]),
    "an unknown type of value": gguf([pair("a", 13, u32(1))]),
    "a truth that is neither": gguf([pair("a", 7, b"\2")]),
    "a text without end": gguf([pair("a", 8, u64(1 << 63) + b"x")]),
    "an array without end": gguf([pair("a", 9, u32(4) + u64(1 << 62))]),
    "an array of texts without end": gguf([pair("a", 9, u32(8) + u64(1 << 62) + text("x"))]),
    "an array of arrays": gguf([pair("a", 9, u32(9) + u64(1) + u32(4) + u64(0))]),
    "an array of what nobody knows": gguf([pair("a", 9, u32(77) + u64(1) + b"x" * 100)]),
    "an alignment of nothing": gguf([pair("general.alignment", 4, u32(0))]),
    "an alignment of three": gguf([pair("general.alignment", 4, u32(3))]),
    "an alignment of a gigabyte": gguf([pair("general.alignment", 4, u32(1 << 30))]),
    "an alignment that is a text": gguf([pair("general.alignment", 8, text("32"))]),
    "a tensor twice": gguf(infos=[info("w", [2], 0, 0), info("w", [2], 0, 32)], data=b"\0" * 40),
    "a tensor without a name": gguf(infos=[info("", [2], 0, 0)]),
    "a tensor with a line break in its name": gguf(infos=[info("a\nb", [2], 0, 0)]),
    "five dimensions": gguf(infos=[info("w", [1, 1, 1, 1, 2], 0, 0)]),
    "dimensions without end": gguf(infos=[text("w") + u32(1 << 31)]),
    "a shape that overflows": gguf(infos=[info("w", [1 << 40, 1 << 40], 0, 0)]),
    "an unknown type of tensor": gguf(infos=[info("w", [2], 99, 0)]),
    "a type that was taken out": gguf(infos=[info("w", [32], 4, 0)], data=b"\0" * 32),
    "rows of half a block": gguf(infos=[info("w", [16], 2, 0)], data=b"\0" * 9),
    "an offset beyond the file": gguf(infos=[info("w", [2], 0, 1 << 40)]),
    "an offset off its boundary": gguf(infos=[info("w", [2], 0, 4)], data=b"\0" * 12),
    "tensors that overlap": gguf(infos=[info("a", [16], 0, 0), info("b", [16], 0, 32)], data=b"\0" * 96),
    "a hole between tensors": gguf(infos=[info("a", [2], 0, 0), info("b", [2], 0, 64)], data=b"\0" * 72),
    "something in the space between": gguf(infos=[info("a", [2], 0, 0), info("b", [2], 0, 32)], data=b"\0" * 8 + b"hidden" + b"\0" * 26),
    "something behind the end": gguf(data=b"\0" * 8 + b"hidden"),
    "zeros behind the end": gguf(data=b"\0" * 512),
    "an end too early": gguf(data=b"\0" * 7),
}  # fmt: skip


@pytest.mark.parametrize("what", BAD_GGUF)
def test_a_wrong_gguf_is_refused(what):
    with pytest.raises(DamagedFileError, match="is damaged or made up"):
        judged(BAD_GGUF[what])


def test_padding_up_to_the_boundary_is_no_hole():
    two = gguf(infos=[info("a", [2], 0, 0), info("b", [2], 0, 32)], data=b"\0" * 64)

    assert judged(two).tensors == judged(two[:-24]).tensors == 2


def test_types_of_half_a_byte_are_counted_in_whole_ones():
    assert judged(safetensors({"w": tensor("F4", [4], 0, 2)}, b"\0\0")).parameters == 4
    assert {"F8_E8M0", "F6_E2M3", "BF16"} <= BITS.keys()


def test_a_file_above_the_largest_is_refused_before_it_is_looked_at():
    with pytest.raises(FileTooLargeError):
        judged(safetensors(), limits=Limits(file_bytes=10))


def test_an_error_names_the_file_and_what_to_do():
    with pytest.raises(DamagedFileError, match=r"'weights\.safetensors' is damaged") as refused:
        judged(safetensors({"w": W}, b""), "weights.safetensors")
    assert "SHA-256" in refused.value.next_step
