"""The data directory before a start: what is in its way is said in words."""

import errno
import os
from pathlib import Path

import pytest

from flyball.cli import premises
from flyball.cli.errors import DataDirectoryError
from flyball.cli.premises import prepare
from flyball.kit.errors import ForbiddenError
from flyball.kit.layout import Layout


def test_a_new_directory_is_made_private(tmp_path: Path):
    layout = Layout(tmp_path / "data")

    prepare(layout)

    assert layout.root.stat().st_mode & 0o777 == 0o700
    assert not (layout.root / ".probe").exists()


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "is full"),
        (errno.EDQUOT, "is full"),
        (errno.EROFS, "read-only file system"),
        (errno.EACCES, "cannot be written by this user"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_a_disk_that_refuses_is_explained(tmp_path: Path, monkeypatch, number, words):
    def refuse(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(premises.os, "fsync", refuse)

    with pytest.raises(DataDirectoryError, match=words) as refusal:
        prepare(Layout(tmp_path))

    assert "--data" in refusal.value.next_step


def test_too_little_room_is_refused_before_anything_starts(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(premises.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 5 * 2**20})())

    with pytest.raises(DataDirectoryError, match="only 5 MiB are free"):
        prepare(Layout(tmp_path))


def test_a_link_in_place_of_the_sockets_directory_is_refused(tmp_path: Path):
    layout = Layout(tmp_path / "data")
    layout.root.mkdir()
    (tmp_path / "elsewhere").mkdir()
    layout.sockets.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ForbiddenError, match="belongs to somebody else"):
        prepare(layout)
