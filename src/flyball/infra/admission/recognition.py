"""What a file is that is not let in, for the sentence that says so. Decides nothing: whatever comes here is refused."""

import re
from collections.abc import Callable

from .archive import is_zip
from .errors import NotAdmittedError, RunsCodeError, UnknownFileError
from .faces import is_hdf5, is_tar
from .pickles import imports_as_pickle
from .source import Source

_CONVERT = "load it where you trust it and write it anew with safetensors.torch.save_file, or fetch the .safetensors that most publishers offer"
_UNPACK = "unpack it and send the .safetensors or .gguf file itself, or a plain zip of them"
_CODE = "files that bring code are not taken"
_MAGICS: tuple[
    tuple[bytes, str, str, bool], ...
] = (  # how it begins, what it is, what to do, whether loading it runs code
    (b"\x93NUMPY", "a NumPy array, which may hold pickled objects", _CONVERT, True),
    (b"\x1f\x8b", "packed by gzip", _UNPACK, False),
    (b"BZh", "packed by bzip2", _UNPACK, False),
    (b"\xfd7zXZ\0", "packed by xz", _UNPACK, False),
    (b"\x5d\0\0", "packed by LZMA", _UNPACK, False),
    (b"\x28\xb5\x2f\xfd", "packed by Zstandard", _UNPACK, False),
    (b"\x04\x22\x4d\x18", "packed by LZ4", _UNPACK, False),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive", _UNPACK, False),
    (b"Rar!", "a RAR archive", _UNPACK, False),
    (b"\x78", "packed by zlib, as joblib packs its pickles", _CONVERT, True),
    (b"\x7fELF", "a program", _CODE, True),
    (b"MZ", "a program", _CODE, True),
    (b"#!", "a script", _CODE, True),
    (b"ggml", "a GGML file, the format before GGUF", "convert it with llama.cpp's convert scripts", False),
    (b"lmgg", "a GGML file, the format before GGUF", "convert it with llama.cpp's convert scripts", False),
    (b"tjgg", "a GGML file, the format before GGUF", "convert it with llama.cpp's convert scripts", False),
    (b"FUGG", "a big-endian GGUF file", "write it little-endian", False),
    (
        b"version https://git-lfs",
        "a pointer of Git LFS in the place of the file",
        "run `git lfs pull` and send the file",
        False,
    ),
    (b"\xcf\xfa\xed\xfe", "a program", _CODE, True),
    (b"\xa7\r\r\n", "compiled Python", _CODE, True),
)
_PYTHON = re.compile(rb"^\s*(import|from|def|class)\s+\w", re.MULTILINE)


def refusal(source: Source, where: str = "") -> NotAdmittedError:
    """The error for a file that is none of those that are let in. `where`: in which archive it lies."""
    what, advice, runs = _recognise(source)
    named = f"{source.name!r:.200}{where} is {what}"
    if runs:
        return RunsCodeError(f"{named}: loading such files runs code that they bring", next_step=advice)
    return UnknownFileError(f"{named}: only safetensors and GGUF are taken", next_step=advice)


def _recognise(source: Source) -> tuple[str, str, bool]:
    start = source.peek(0, 4096)
    if not start:
        return "empty", "send the file itself", False
    for magic, what, advice, runs in _MAGICS:
        if start.startswith(magic) and (magic != b"\x78" or start[1:2] in (b"\x01", b"\x5e", b"\x9c", b"\xda")):
            return what, advice, runs
    for is_it, what, advice, runs in _SHAPES:
        if is_it(source):
            return what, advice, runs
    return "of a format that flyball does not know", _CONVERT, False


def _is_pickle(source: Source) -> bool:
    """The PROTO opcode of protocols 2 to 5, or what pickles of 0 and 1 mostly begin with and always end with, or an import."""
    start, end = source.peek(0, 2), source.peek(source.size - 1, 1)
    begins = (start[0] == 0x80 and start[1:] <= b"\x05") or (start[:1] in b"(]}cSVIL" and end == b".")
    return begins or imports_as_pickle(source)


def _is_python(source: Source) -> bool:
    return bool(_PYTHON.search(source.peek(0, 4096)))


# What has no word at its beginning: in this order.
_SHAPES: tuple[tuple[Callable[[Source], bool], str, str, bool], ...] = (
    (is_zip, "an archive", _UNPACK, False),
    (is_hdf5, "HDF5, in which Keras keeps layers of pickled code", _CONVERT, True),
    (is_tar, "a tar archive", _UNPACK, False),
    (_is_pickle, "a pickle", _CONVERT, True),
    (_is_python, "Python code", _CODE, True),
)
