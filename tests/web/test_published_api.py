"""The published OpenAPI document against the running control process, by schemathesis: no undeclared failure, no secret told.

It calls every operation with what the document allows and with what it forbids, as an owner, over a real socket.
"""

import asyncio
import json
import os
import socket
import sys
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from flyball.infra.sockets.serving import Server
from flyball.kit.secrets import Secret
from flyball.projects import keys
from flyball.secrets import service as secrets
from flyball.surface.http.shield import Shield

pytestmark = pytest.mark.usefixtures("nobody_waits_for_traces")

PLANTED = "sk-planted-4f1c77d0a91b"
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,ignored_auth"


@asynccontextmanager
async def served(application, settings):
    """The application on a port of loopback, as a browser would reach it; its address."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    ready = asyncio.Event()
    server = Server(
        Shield(application, door="public", settings=settings),
        when_listening=ready.set,
        grace_seconds=1,
        hears_signals=False,
    )
    running = asyncio.create_task(server.serve([listening]))
    await ready.wait()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await running


async def examined(address: str, key: Secret, folder: Path, *options: str) -> tuple[int, str, str]:
    """Schemathesis's exit code, its words, and everything that the server answered."""
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("st")), "run", f"{address}/api/openapi.json",
        "--header", f"Authorization: Bearer {key.reveal()}", "--checks", CHECKS, "--phases", "coverage,fuzzing",
        "--continue-on-failure", "--report", "vcr", "--report-dir", str(folder), "--output-sanitize", "false",
        "--request-timeout", "30", "--seed", "1", "--warnings", "off", "--no-color", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, cwd=folder,
        env=os.environ | {"SCHEMATHESIS_HOOKS": ""},
    )  # fmt: skip
    said, _ = await process.communicate()
    [cassette] = folder.glob("*.yaml")
    return process.returncode or 0, said.decode(), cassette.read_text()


async def examine(application, settings, ctx, folder: Path, *options: str) -> None:
    _, key = await keys.create_key(ctx, "examiner", "owner")
    await secrets.set_secret(ctx, "planted", Secret(PLANTED), hosts=("example.org",))

    async with served(application, settings) as address:
        code, said, answers = await examined(address, key, folder, *options)

    assert code == 0, said[-6000:]
    assert PLANTED not in answers
    assert json.dumps(key.reveal())[1:-1] not in answers.replace(f"Bearer {key.reveal()}", "")


@pytest.mark.timeout(300)
async def test_the_api_does_what_its_document_says(application, settings, ctx, tmp_path):
    await examine(application, settings, ctx, tmp_path, "--max-examples", "2", "--max-time", "40")


@pytest.mark.long
@pytest.mark.timeout(1900)
async def test_the_api_does_what_its_document_says_for_long(application, settings, ctx, tmp_path):
    await examine(application, settings, ctx, tmp_path, "--max-examples", "300", "--max-time", "1500")
