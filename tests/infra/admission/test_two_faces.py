"""A file that is sound as one format and is another one besides is refused: each of these is read by some loader as what it hides."""

import io
import pickle
import pickletools
import struct
import tarfile
import zipfile

import pytest

from flyball.infra.admission.errors import NotAdmittedError, TwoFacedFileError
from flyball.infra.admission.pickles import imports_as_pickle
from flyball.infra.admission.source import Source

from .files import gguf, info, judged, safetensors, tensor, text

EVIL = b"cbuiltins\nstr\n(Valive\ntR."


def with_data(data: bytes, *, length: int | None = None) -> bytes:
    """A sound safetensors with that data, its header filled up to a length."""
    raw = b'{"w":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (len(data), len(data))
    return safetensors(raw=raw.ljust(length or len(raw)), data=data)


def a_zip() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", EVIL)
    return out.getvalue()


def test_a_line_of_text_that_begins_in_the_length_and_ends_in_the_data():
    # 0x56 is the opcode V: everything up to the first line break in the data is one string, and behind it the pickle goes on.
    file = with_data(b"\n" + EVIL, length=0x156)
    assert pickle.loads(file) == "alive"  # noqa: S301 -- our own bytes: the trick works

    with pytest.raises(TwoFacedFileError, match="a pickle"):
        judged(file)


def test_a_counted_string_that_swallows_the_header():
    # 0x58 is BINUNICODE: the next four bytes of the length say how much is skipped.
    header = 0x158
    file = bytearray(with_data(b"\0" * 4 + EVIL, length=header))
    inside = b"\0" * 3 + bytes(file[8:])
    assert struct.unpack("<I", bytes(file[1:5]))[0] == 1
    assert inside

    assert judged(bytes(file)).format == "safetensors"  # behind the one byte comes a zero, which no unpickler passes


@pytest.mark.parametrize("first", range(256))
def test_whatever_the_length_begins_with_what_pickle_can_load_is_refused(first):
    file = with_data(b"\n" + EVIL + b"\n" + EVIL, length=0x100 + first)
    try:
        loads = pickle.loads(file) == "alive"  # noqa: S301 -- our own bytes
    except Exception:  # noqa: BLE001 -- whatever an unpickler says
        loads = False

    try:
        let_in = judged(file).tensors == 1
    except TwoFacedFileError:
        let_in = False

    assert not (loads and let_in)
    assert (
        let_in or first in b"VFILPSgpic"
    )  # what reads to the end of a line comes to the import, and fails before it only by its luck


def test_a_zip_at_the_end_of_a_tensor():
    file = with_data(b"\0" * 100 + a_zip())
    assert zipfile.is_zipfile(io.BytesIO(file))

    with pytest.raises(TwoFacedFileError, match="a zip"):
        judged(file)


def test_a_zip_with_a_long_comment():
    inner = bytearray(a_zip())
    inner[-2:] = struct.pack("<H", 60_000)

    with pytest.raises(TwoFacedFileError, match="a zip"):
        judged(with_data(bytes(inner) + b"x" * 60_000))


def test_a_zip_at_the_end_of_a_gguf():
    data = b"\0" * 8 + a_zip()

    with pytest.raises(TwoFacedFileError, match="a zip"):
        judged(gguf(infos=[info("w", [len(data)], 24, 0)], data=data))


@pytest.mark.parametrize("offset", [512, 1024, 4096, 65_536])
def test_hdf5_where_its_reader_looks(offset):
    start = len(with_data(b"\0", length=100)) - 1
    data = (b"\0" * (offset - start) + b"\x89HDF\r\n\x1a\n").ljust(70_000, b"\0")

    with pytest.raises(TwoFacedFileError, match="HDF5"):
        judged(with_data(data, length=100))


def test_a_tar_in_the_header():
    member = tarfile.TarInfo("x")
    member.size = 3
    block = bytearray(member.tobuf(tarfile.USTAR_FORMAT))
    file = bytearray(with_data(b"\0" * 2048, length=504))
    raw = (
        b'{"__metadata__":{"a":"'.ljust(92)
        + bytes(block[100:148]).replace(b"\0", b" ")
        + b"SUMSUMSU"
        + b"0"
        + b" " * 100
    )
    tail = b'"},"w":{"dtype":"U8","shape":[2048],"data_offsets":[0,2048]}}'
    file[8:512] = raw + b" " * (504 - len(raw) - len(tail)) + tail
    total = sum(file[:148]) + 8 * 32 + sum(file[156:512])
    file[148:156] = b"%06o  " % total
    assert tarfile.TarInfo.frombuf(bytes(file[:512]), "utf-8", "surrogateescape")

    with pytest.raises(TwoFacedFileError, match="a tar"):
        judged(bytes(file))


def test_so_many_tensors_that_gguf_reads_as_a_line_of_text():
    # After the float that GGUF's magic word is to a pickle, the second byte of the count would be the opcode V.
    with pytest.raises(NotAdmittedError):
        judged(b"GGUF" + struct.pack("<IQQ", 3, 0x5600, 0) + text(b"\n" + EVIL))


@pytest.mark.parametrize("count", range(0, 16_385, 128))
def test_no_count_of_tensors_that_is_taken_leads_a_pickle_further(count):
    head = b"GGUF" + struct.pack("<IQQ", 3, count, 1) + text(b"\n" + EVIL) + b"\n" + EVIL

    assert not imports_as_pickle(Source(io.BytesIO(head), name=""))
    try:
        loaded = pickle.loads(head)  # noqa: S301 -- our own bytes
    except Exception:  # noqa: BLE001 -- whatever an unpickler says
        loaded = 0.0
    assert isinstance(loaded, float)  # the magic word itself, where the next opcode is STOP


def test_the_walk_knows_every_opcode_that_the_interpreter_knows():
    walked = {opcode.code for opcode in pickletools.opcodes}

    assert {
        value.decode("latin-1")
        for name, value in vars(pickle).items()
        if name.isupper() and isinstance(value, bytes) and len(value) == 1
    } <= walked


def test_ordinary_tensors_are_not_taken_for_something_else():
    noise = bytes((i * 2654435761 >> 7) & 0xFF for i in range(200_000))
    for length in range(64, 320):
        assert judged(with_data(noise, length=length)).tensors == 1
    assert judged(safetensors({"w": tensor("U8", [4], 0, 4)}, b"PK\5\6")).tensors == 1
