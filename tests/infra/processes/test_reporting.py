"""What a process says of itself holds no secret: log lines, exceptions, tracebacks of what nobody caught, plain prints."""

import subprocess
import sys

import pytest

from flyball.infra.processes.logs import ChildLog

HELD = "a-password-without-any-shape-4711"
SHAPED = "flyball_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4"

BEGIN = f"""
import asyncio, logging, sys, threading
from flyball.infra.processes.reporting import report
from flyball.kit.secrets import Secret
report("debug")
held, shaped = Secret({HELD!r}), {SHAPED!r}
log = logging.getLogger("some.package")
"""

SAYINGS = {
    "a message": "log.warning(f'it is {held.reveal()} and {shaped}')",
    "an argument": "log.warning('it is %s and %r', held.reveal(), {'x': shaped})",
    "a handler of a library's own": (
        "own = logging.StreamHandler(sys.stderr); own.setFormatter(logging.Formatter('%(message)s %(args)s'));"
        "log.addHandler(own); log.propagate = False; log.warning('it is %s', held.reveal())"
    ),
    "what was attached": "log.warning('x', extra={'taskName': held.reveal(), 'thing': shaped})",
    "an exception": "\ntry:\n  raise ValueError(held.reveal(), shaped)\nexcept ValueError:\n  log.exception('failed')",
    "an exception's cause": (
        "\ntry:\n  try:\n    raise KeyError(held.reveal())\n  except KeyError as error:\n    raise ValueError(shaped) from error\n"
        "except ValueError:\n  log.exception('failed')"
    ),
    "a stack": "log.warning('x %s' % shaped, stack_info=True)",
    "a line that cannot be formatted": "log.warning('%d of %s', held.reveal(), shaped)",
    "an argument that fails": "\nclass Bad:\n  def __str__(self): raise ValueError(held.reveal())\nlog.warning('%s', Bad())",
    "a task that nobody awaits": (
        "\nasync def fail():\n  raise ValueError(held.reveal() + shaped)\n"
        "async def main():\n  task = asyncio.ensure_future(fail()); await asyncio.sleep(0); del task; import gc; gc.collect()\n"
        "asyncio.run(main())"
    ),
    "a thread": (
        "\ndef fail():\n  raise ValueError(held.reveal() + shaped)\n"
        "thread = threading.Thread(target=fail); thread.start(); thread.join()"
    ),
    "a finaliser": "\nclass Bad:\n  def __del__(self): raise ValueError(held.reveal())\nBad()",
    "what nobody caught": "raise ValueError(held.reveal(), shaped)",
}


@pytest.mark.parametrize("way", SAYINGS)
def test_a_process_says_no_secret_on_its_standard_error(way):
    done = subprocess.run([sys.executable, "-c", BEGIN + SAYINGS[way]], capture_output=True, text=True, check=False)

    said = done.stdout + done.stderr
    assert HELD not in said
    assert SHAPED not in said
    assert said.strip()


def test_what_is_no_secret_is_said_as_it_is():
    code = BEGIN + "log.info('%d of %s are there', 5, 'seven')\nlog.debug('x')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "INFO some.package: 5 of seven are there" in done.stderr
    assert "DEBUG some.package: x" in done.stderr


@pytest.fixture
def log(tmp_path):
    log = ChildLog(tmp_path / "child.log")
    yield log
    log.close()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_what_a_child_prints_is_blotted_wherever_it_is_cut(log, size):
    said = f"begin\nGET /?key={SHAPED} HTTP/1.1\nAuthorization: Bearer {HELD}\n\xff end".encode("latin-1")

    for start in range(0, len(said), size):
        log.write(said[start : start + size])
    last = log.last_lines()
    log.close()

    kept = log.path.read_bytes()
    assert kept == b"begin\nGET /?key=*** HTTP/1.1\nAuthorization: Bearer ***\n\xff end"
    assert last[0] == "begin"
    assert SHAPED not in "".join(last)


def test_a_line_is_in_the_file_when_it_is_whole_and_the_rest_at_the_end(log):
    log.write(b"one\ntw")
    assert log.path.read_bytes() == b"one\n"
    assert log.last_lines() == ["one", "tw"]
    log.write(b"o\nthree")
    log.close()

    assert log.path.read_bytes() == b"one\ntwo\nthree"


def test_a_line_without_end_is_written_in_pieces(log):
    for _ in range(40):
        log.write(b"x" * 4096)

    assert log.path.stat().st_size > 100_000
