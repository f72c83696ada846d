"""Start PostgreSQL as a child that ends with its parent and, where flyball runs as root, belongs to another user.

Run by path (`python -I -S launch.py UID GID PROGRAM ARGUMENT...`), imports the standard library alone, and turns itself
into the program. PostgreSQL refuses to run as root. Instead of opening every folder above the data directory to
others, the new user keeps root's right to pass closed folders (an ambient capability, Linux only).
Knows nothing of flyball.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAPABILITIES = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
_VERSION_3 = 0x20080522


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def main(arguments: list[str]) -> None:
    """Become the program in `arguments[2:]` as the user and group in `arguments[:2]`."""
    uid, gid, program = int(arguments[0]), int(arguments[1]), arguments[2]
    parent = os.getppid()
    linux = sys.platform == "linux"
    libc = ctypes.CDLL(None, use_errno=True) if linux else None
    if os.geteuid() == 0 and uid != 0:
        _become(libc, uid, gid)
    if libc is not None:  # after the change of user, which would clear it
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)  # PostgreSQL's fast shutdown
        if os.getppid() != parent:
            sys.exit("the parent has ended")
    os.umask(0o077)
    os.execv(program, arguments[2:])  # noqa: S606 -- no shell is wanted


def _become(libc: ctypes.CDLL | None, uid: int, gid: int) -> None:
    wanted = 0
    if libc is not None:
        libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
        wanted = _permitted(libc) & sum(1 << capability for capability in _CAPABILITIES)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if libc is not None and wanted:
        sets = (_Sets * 2)(_Sets(wanted, wanted, wanted), _Sets(0, 0, 0))
        libc.capset(ctypes.byref(_Header(_VERSION_3, 0)), sets)
        for capability in _CAPABILITIES:
            if wanted >> capability & 1:
                libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, capability, 0, 0)


def _permitted(libc: ctypes.CDLL) -> int:
    sets = (_Sets * 2)()
    libc.capget(ctypes.byref(_Header(_VERSION_3, 0)), sets)
    return int(sets[0].permitted)


if __name__ == "__main__":
    main(sys.argv[1:])
