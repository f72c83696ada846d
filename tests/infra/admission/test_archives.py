"""A zip of weights: its paths, sizes and entries are checked before anything is unpacked, and nothing is unpacked under its names."""

import io
import stat
import struct
import zipfile

import pytest

from flyball.infra.admission.errors import ArchiveRefusedError, FileTooLargeError, NotAdmittedError, UnknownFileError
from flyball.infra.admission.receiving import let_in
from flyball.infra.admission.source import Limits

from .files import LIMITS, gguf, safetensors

WEIGHTS = safetensors()


def zipped(files: dict[str, bytes], *, packed: int = zipfile.ZIP_DEFLATED, **changes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packed) as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo("placeholder")
            info.filename = info.orig_filename = name
            info.compress_type = packed
            for field, value in changes.items():
                setattr(info, field, value)
            archive.writestr(info, data)
    return out.getvalue()


@pytest.fixture
def come_in(tmp_path):
    def come_in(data: bytes, limits: Limits = LIMITS):
        file = tmp_path / "inner" / "received"
        file.parent.mkdir()
        file.write_bytes(data)
        try:
            return let_in(file, "sha256:0", "model.zip", limits)
        finally:
            assert [path for path in tmp_path.rglob("*") if file.parent not in (path, path.parent)] == []

    return come_in


def test_a_zip_of_weights_and_what_describes_them_comes_in(come_in):
    files = {
        "m/model-1.safetensors": WEIGHTS,
        "m/model.gguf": gguf(),
        "m/config.json": b'{"a": [1, 2]}',
        "m/README.md": b"# A model\n",
        "m/LICENSE": b"Apache\n",
    }

    kept = come_in(zipped(files))

    assert {each.path: each.judged.format for each in kept} == {
        "m/model-1.safetensors": "safetensors", "m/model.gguf": "gguf", "m/config.json": "json", "m/README.md": "text", "m/LICENSE": "text",
    }  # fmt: skip
    assert {each.file.read_bytes() for each in kept} == set(files.values())
    assert all(each.file.name.startswith("entry-") for each in kept)


BAD_PATHS = [
    "../evil.safetensors", "a/../../evil.safetensors", "..", "a/..", "/etc/passwd", "//server/share", "C:/evil", "C:evil", "c:\\evil", "a\\..\\..\\evil", "\\\\server\\share",
    "~/evil", "a//b", "./a", "a/./b", "", "a\0b", "a\nb", "a\tb", "\u202egnp.exe", "a/ b", "a /b", "a./b", "...", "a" * 300, "/".join("a" * 9), "e\u0301",
    "a/\u2024\u2024/b\u200b",
]  # fmt: skip


@pytest.mark.parametrize("path", BAD_PATHS, ids=lambda path: repr(path[:20]))
def test_no_path_leads_out_of_the_archive(come_in, path):
    with pytest.raises(NotAdmittedError):
        come_in(zipped({"model.safetensors": WEIGHTS, path: WEIGHTS}))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFSOCK])
def test_links_and_devices_are_refused(come_in, kind):
    with pytest.raises(ArchiveRefusedError, match="a link or a device"):
        come_in(zipped({"model.safetensors": WEIGHTS}, external_attr=(kind | 0o777) << 16, create_system=3))


@pytest.mark.parametrize(
    "pair", [("a.json", "a.json"), ("A.json", "a.json"), ("ﬁ.json", "fi.json"), ("a", "a/"), ("STRASSE", "straße")]
)
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_no_path_is_there_twice_for_anybody(come_in, pair):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in ("model.safetensors", *pair):
            archive.writestr(name, b"" if name.endswith("/") else WEIGHTS)

    with pytest.raises(ArchiveRefusedError, match="there twice"):
        come_in(out.getvalue())


def test_encrypted_entries_are_refused(come_in):
    data = bytearray(zipped({"model.safetensors": WEIGHTS}, packed=zipfile.ZIP_STORED))
    data[6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1

    with pytest.raises(ArchiveRefusedError, match="encrypted"):
        come_in(bytes(data))


@pytest.mark.parametrize("packed", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_unusual_packing_is_refused(come_in, packed):
    with pytest.raises(ArchiveRefusedError, match="other than deflate"):
        come_in(zipped({"model.safetensors": WEIGHTS}, packed=packed))


def test_a_bomb_is_refused_before_it_goes_off(come_in):
    with pytest.raises(FileTooLargeError, match="unpacks to"):
        come_in(zipped({"model.safetensors": b"\0" * 4_000_000}))


def test_many_small_bombs_are_counted_together(come_in):
    with pytest.raises(FileTooLargeError, match="more than 1,000,000 bytes"):
        come_in(zipped({f"{i}.json": b" " * 300_000 for i in range(5)}), Limits(file_bytes=1_000_000))


def test_a_directory_of_too_many_entries_is_refused(come_in):
    with pytest.raises(FileTooLargeError, match="entries"):
        come_in(zipped({f"{i}.json": b"{}" for i in range(11)}), Limits(archive_entries=10))


def test_an_entry_that_lies_about_its_size_is_cut_off(come_in):
    data = bytearray(zipped({"model.safetensors": WEIGHTS}))
    at = data.index(b"PK\1\2")
    data[at + 24 : at + 28] = struct.pack("<I", 1_000_000)

    with pytest.raises(ArchiveRefusedError):
        come_in(bytes(data))


def test_entries_that_share_their_bytes_are_refused(come_in):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.safetensors", WEIGHTS)
        archive.writestr("b.safetensors", WEIGHTS)
        archive.infolist()[1].header_offset = 0

    with pytest.raises(ArchiveRefusedError):
        come_in(out.getvalue())


def test_a_name_that_differs_between_the_entry_and_the_directory_is_refused(come_in):
    data = bytearray(zipped({"a.safetensors": WEIGHTS}))
    data[30:31] = b"b"

    with pytest.raises(ArchiveRefusedError):
        come_in(bytes(data))


@pytest.mark.parametrize("what", ["in front", "behind", "comment"])
def test_nothing_stands_around_an_archive(come_in, what):
    data = zipped({"model.safetensors": WEIGHTS})
    if what == "comment":
        out = io.BytesIO(data)
        with zipfile.ZipFile(out, "a") as archive:
            archive.comment = b"#!/bin/sh"
        data = out.getvalue()

    with pytest.raises(NotAdmittedError):
        come_in({"in front": b"PK\3\4" + data, "behind": data + b"\0", "comment": data}[what])


def test_one_part_of_several_is_refused(come_in):
    data = bytearray(zipped({"model.safetensors": WEIGHTS}))
    data[-18:-16] = b"\1\0"

    with pytest.raises(ArchiveRefusedError, match="one part of several"):
        come_in(bytes(data))


def test_a_directory_that_would_not_fit_into_memory_is_refused(come_in):
    data = bytearray(zipped({"model.safetensors": WEIGHTS}))
    data[-10:-6] = struct.pack("<I", 1 << 30)

    with pytest.raises(FileTooLargeError, match="directory"):
        come_in(bytes(data))


def test_an_archive_without_weights_is_refused(come_in):
    with pytest.raises(ArchiveRefusedError, match="holds no weights"):
        come_in(zipped({"config.json": b"{}"}))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("modeling.py", b"import os\nos.system('id')\n"),
        ("run.sh", b"#!/bin/sh\nid\n"),
        ("page.html", b"<script>1</script>"),
        ("a.svg", b"<svg onload=alert(1)>"),
        ("tokenizer.model", b"\n\x0e\0\1"),
        ("lib.so", b"\x7fELF\2\1\1"),
        ("setup.pth", b"import os"),
        ("x.yaml", b"!!python/object/apply:os.system [id]"),
    ],
)
def test_what_is_neither_weights_nor_their_description_is_refused(come_in, name, data):
    with pytest.raises(NotAdmittedError, match="in the archive"):
        come_in(zipped({"model.safetensors": WEIGHTS, name: data}))


def test_json_that_nests_without_end_is_refused(come_in):
    with pytest.raises(UnknownFileError):
        come_in(zipped({"model.safetensors": WEIGHTS, "config.json": b"[" * 5000 + b"]" * 5000}))
