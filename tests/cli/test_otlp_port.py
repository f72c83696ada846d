"""`flyball doctor` says who has the port of OTLP over gRPC; it never keeps flyball from working."""

import os
import socket
import sys

import pytest

from flyball.cli.diagnosis import server
from flyball.cli.diagnosis.server import check_otlp_port
from flyball.settings import Settings

HOLDER = object()  # a flyball runs; who exactly is not asked


@pytest.fixture
def taken():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


def test_port_0_is_off():
    found = check_otlp_port(Settings(otlp_grpc_port=0), None)

    assert (found.state, "off" in found.found) == ("ok", True)


def test_a_port_that_another_program_holds_is_a_warning_that_names_it(taken):
    for holder in (None, HOLDER):
        found = check_otlp_port(Settings(otlp_grpc_port=taken), holder)

        assert (found.state, f"process {os.getpid()}" in found.found) == ("warning", True)
        assert "FLYBALL_OTLP_GRPC_PORT" in found.next_step


def test_a_free_port_is_well_as_long_as_nothing_runs():
    assert check_otlp_port(Settings(otlp_grpc_port=1), None).state == "ok"
    assert check_otlp_port(Settings(otlp_grpc_port=1), HOLDER).state == "warning"


def test_the_port_of_a_running_flyball_is_well(monkeypatch):
    monkeypatch.setattr(server, "holder_of_port", lambda _port: f"process 1, {sys.executable} -m flyball.web control")

    assert check_otlp_port(Settings(otlp_grpc_port=4317), HOLDER).state == "ok"
