"""What has to survive a loss of power is on the disk before anybody is told."""

import os

import pytest

from flyball.kit.durable import sync


def test_a_file_or_a_folder_is_synced_and_nothing_stays_open(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_bytes(b"x")
    synced, opened = [], []

    def noted(handle):
        opened.append(handle)
        synced.append(os.fstat(handle).st_ino)

    monkeypatch.setattr(os, "fsync", noted)
    sync(file)
    sync(tmp_path)
    assert synced == [file.stat().st_ino, tmp_path.stat().st_ino]
    for handle in opened:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(handle)


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(FileNotFoundError):
        sync(tmp_path / "nothing")
