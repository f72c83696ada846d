"""The data directory: private to its owner, with sockets that nobody else can replace."""

import os
import stat
import tempfile
from pathlib import Path

import pytest

from flyball.kit.errors import ForbiddenError
from flyball.kit.layout import Layout


def test_every_folder_is_private_to_its_owner(data_dir):
    layout = Layout(data_dir / "new")

    layout.create()

    for path in (layout.root, layout.sockets, layout.spool, layout.blobs):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700


def test_a_socket_folder_that_was_left_open_is_closed(data_dir):
    layout = Layout(data_dir)
    layout.create()
    layout.sockets.chmod(0o777)

    layout.create()

    assert stat.S_IMODE(layout.sockets.stat().st_mode) == 0o700


def test_folders_that_were_left_open_are_closed_and_nobody_may_exchange_what_lies_in_the_root(data_dir):
    data_dir.chmod(0o777)
    before = os.umask(0)
    try:
        for name in ("code", "blobs", "logs", "spool"):
            (data_dir / name).mkdir()
        Layout(data_dir).create()
    finally:
        os.umask(before)

    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o755
    assert {stat.S_IMODE(path.stat().st_mode) for path in data_dir.iterdir()} == {0o700}


def test_a_socket_folder_laid_by_somebody_else_is_refused(data_dir, monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    layout = Layout(data_dir / ("deep/" * 20))
    assert layout.sockets.parent == tmp_path
    (tmp_path / "elsewhere").mkdir()
    layout.sockets.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ForbiddenError, match="belongs to somebody else"):
        layout.create()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_socket_folder_owned_by_somebody_else_is_refused(data_dir):
    layout = Layout(data_dir)
    layout.create()
    os.chown(layout.sockets, 12345, 12345)

    with pytest.raises(ForbiddenError, match=str(Path(layout.sockets))):
        layout.create()
