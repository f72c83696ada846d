"""Whether a file of one format is a file of another one besides: for readers that begin at the end, further in, or do not look at all."""

from .errors import TwoFacedFileError
from .pickles import imports_as_pickle
from .source import Source

_ZIP_END = b"PK\x05\x06"
_ZIP_END_BYTES = 22
_HDF5 = b"\x89HDF\r\n\x1a\n"
_TAR_BLOCK = 512


def refuse_two_faces(source: Source) -> None:
    """Raise TwoFacedFileError where another reader would take this file for something that brings code."""
    other = _other_face(source)
    if other:
        raise TwoFacedFileError(
            f"{source.name!r:.200} reads as {other} as well",
            next_step="have it written anew by the library of its format; no such library makes a file like this one",
        )


def _other_face(source: Source) -> str:
    if ends_as_zip(source):
        return "a zip"
    if is_hdf5(source):
        return "HDF5"
    if is_tar(source):
        return "a tar"
    return "a pickle" if imports_as_pickle(source) else ""


def ends_as_zip(source: Source) -> bool:
    """Whether a zip's reader, which begins at the end, finds a directory there."""
    tail = source.peek(max(0, source.size - 65_535 - _ZIP_END_BYTES), 65_535 + _ZIP_END_BYTES)
    at = tail.rfind(_ZIP_END)
    while at >= 0:
        comment = int.from_bytes(tail[at + 20 : at + 22], "little")
        if len(tail) - at >= _ZIP_END_BYTES and at + _ZIP_END_BYTES + comment <= len(tail):
            return True
        at = tail.rfind(_ZIP_END, 0, at)
    return False


def is_hdf5(source: Source) -> bool:
    """Whether the signature of HDF5 is where its reader looks: at the start, at 512, and at each doubling of that."""
    offset = 0
    while offset < source.size:
        if source.peek(offset, len(_HDF5)) == _HDF5:
            return True
        offset = offset * 2 or 512
    return False


def is_tar(source: Source) -> bool:
    """Whether the first block has the sum that a tar's header has."""
    block = source.peek(0, _TAR_BLOCK)
    if len(block) < _TAR_BLOCK:
        return False
    said = block[148:156].strip(b" \0")
    if not said.isdigit() or set(said) - set(b"01234567"):
        return False
    return int(said, 8) == sum(block[:148]) + 8 * ord(" ") + sum(block[156:])
