"""One stand for all clients of a run, and each test against every provider dialect."""

import pytest
from npm import absence
from stand import TARGETS, On, Stand


def pytest_terminal_summary(terminalreporter):
    """Say loudly what was not proved."""
    if absence():
        terminalreporter.section("NO NPM CLIENT WAS PROVED", sep="!", red=True, bold=True)
        terminalreporter.line(f"{absence()}: the clients for Node.js ran against nothing. Next: scripts/install dev")


@pytest.fixture(scope="session")
def stand(tmp_path_factory):
    with Stand(tmp_path_factory.mktemp("s")) as stand:
        yield stand


@pytest.fixture
def address(stand):
    return stand.address


@pytest.fixture
def runner(stand):
    """The function `triage`: `given` is what it was given."""
    return stand


@pytest.fixture(params=TARGETS)
def on(stand, request):
    """One provider dialect: `then` says what it does next, `seen` what it was asked."""
    on = On(stand, request.param)
    on.then()
    return on
