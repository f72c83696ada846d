"""Which failures of a step are worth waiting for: something away, a full disk; and no other."""

import errno
import os

import pytest

from flyball.infra.jobs.shortage import DiskFullError, shortage
from flyball.infra.lake.errors import LakeAwayError
from flyball.kit.errors import InvalidInputError


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/staging/x"),
        OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)),
        RuntimeError("lance error: LanceError(IO): No space left on device (os error 28), writer.rs:258:9"),
    ],
)
def test_a_full_disk_is_recognised_whichever_library_says_it(error):
    found = shortage(error)

    assert isinstance(found, DiskFullError)
    assert "no room" in found.message
    assert "flyball doctor" in found.next_step


def test_what_is_away_stays_what_it_is():
    away = LakeAwayError("the table spans cannot be written")

    assert shortage(away) is away


@pytest.mark.parametrize(
    "error", [ValueError("No space left on device"), OSError(errno.EACCES, "no"), InvalidInputError("wrong")]
)
def test_anything_else_is_not_waited_for(error):
    assert shortage(error) is None
