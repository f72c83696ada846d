"""What stops a second start: the data directory's lock and the port, each naming its holder."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from flyball.infra.processes.errors import AddressRefusedError, AlreadyRunningError, PortInUseError
from flyball.infra.processes.lock import DataLock, Holder, holder_of
from flyball.infra.processes.ports import bind, holder_of_port, is_loopback, url_of


def test_a_second_holder_is_refused_with_who_holds_it_and_where(tmp_path: Path):
    lock = DataLock(tmp_path / "flyball.lock")
    lock.acquire(1_700_000_000_000_000_000)
    lock.tell(Holder(os.getpid(), 1_700_000_000_000_000_000, "http://127.0.0.1:4000"))

    with pytest.raises(AlreadyRunningError) as refusal:
        DataLock(tmp_path / "flyball.lock").acquire(1)

    assert f"flyball is already running on {tmp_path} (process {os.getpid()}, since 2023-11-1" in refusal.value.message
    assert "at http://127.0.0.1:4000)" in refusal.value.message
    assert f"kill {os.getpid()}" in refusal.value.next_step
    lock.release()


def test_a_released_lock_can_be_taken(tmp_path: Path):
    first, second = DataLock(tmp_path / "flyball.lock"), DataLock(tmp_path / "flyball.lock")
    first.acquire(1)
    first.release()

    second.acquire(2)

    assert holder_of(tmp_path / "flyball.lock") == Holder(os.getpid(), 2)
    second.release()
    assert holder_of(tmp_path / "flyball.lock") is None


def test_the_lock_of_a_killed_holder_is_free(tmp_path: Path):
    code = (
        "import os, sys, pathlib; from flyball.infra.processes.lock import DataLock; "
        "lock = DataLock(pathlib.Path(sys.argv[1])); lock.acquire(1); os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "flyball.lock")], check=False)
    lock = DataLock(tmp_path / "flyball.lock")

    lock.acquire(2)

    lock.release()


def test_a_port_in_use_names_the_program_that_listens():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(PortInUseError) as refusal:
            bind("127.0.0.1", port)

    assert f"port {port} on 127.0.0.1 is in use by process {os.getpid()}, " in refusal.value.message
    assert f"--port {port + 1}" in refusal.value.next_step


def test_port_zero_takes_a_free_one_and_says_which():
    with bind("127.0.0.1", 0) as listener:
        assert url_of("127.0.0.1", listener) == f"http://127.0.0.1:{listener.getsockname()[1]}"
        assert str(os.getpid()) in holder_of_port(listener.getsockname()[1])


@pytest.mark.parametrize("host", ["no-such-host.invalid", "203.0.113.7"])
def test_a_host_that_is_not_ours_is_refused_by_name(host: str):
    with pytest.raises(AddressRefusedError, match=host):
        bind(host, 0)


def test_a_port_that_does_not_exist_is_refused():
    with pytest.raises(AddressRefusedError, match="there is no port 70000"):
        bind("127.0.0.1", 70_000)


@pytest.mark.parametrize(
    ("host", "loopback"), [("127.0.0.1", True), ("::1", True), ("localhost", True), ("192.0.2.1", False)]
)
def test_only_loopback_is_loopback(host: str, *, loopback: bool):
    assert is_loopback(host) is loopback


def test_an_ipv6_address_stands_in_brackets():
    try:
        listener = bind("::1", 0)
    except AddressRefusedError:
        pytest.skip("this machine has no IPv6 loopback")
    with listener:
        assert url_of("::1", listener).startswith("http://[::1]:")
