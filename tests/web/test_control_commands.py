"""The commands of keys, runs and audit against a control process that runs."""

import asyncio
import json
import sys

import pytest


@pytest.fixture
def flyball(control, data_dir):
    """Runs a command: its exit code, standard output and standard error."""

    async def run(*arguments: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "flyball.cli", *arguments, "--data", str(data_dir),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, error = await asyncio.wait_for(process.communicate(), 60)
        return process.returncode, out.decode(), error.decode()

    return run


async def test_a_key_is_created_listed_and_revoked(flyball):
    code, out, _ = await flyball("keys", "create", "my app", "--json")
    made = json.loads(out)
    assert code == 0
    assert made["key"].startswith("flyball_")

    code, out, _ = await flyball("keys", "list")
    assert code == 0
    assert "my app" in out
    assert made["prefix"] in out
    assert made["key"] not in out

    code, out, _ = await flyball("keys", "revoke", "my app")
    assert code == 0
    assert "revoked" in out

    code, out, error = await flyball("keys", "revoke", "my app")
    assert code == 7
    assert "my app" in error
    assert "next: " in error


async def test_a_sign_in_link_is_made(flyball):
    code, out, _ = await flyball("members", "sign-in-link", "--json")

    assert code == 0
    assert json.loads(out)["path"].startswith("/sign-in/")


async def test_the_record_is_listed_and_verified(flyball):
    await flyball("keys", "create", "app")

    code, out, _ = await flyball("audit", "list")
    assert code == 0
    assert "keys.create" in out

    code, out, _ = await flyball("audit", "verify", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["ok"]

    code, out, _ = await flyball("audit", "verify", "--head", found["head"])
    assert code == 0

    code, out, _ = await flyball("audit", "verify", "--head", f"1:{'0' * 64}")
    assert code == 1
    assert "not the one that was noted" in out

    code, _, error = await flyball("audit", "verify", "--head", "nonsense")
    assert code == 2
    assert "SEQ:HASH" in error


async def test_the_record_is_exported_signed_and_verified_without_the_server(flyball, tmp_path):
    await flyball("keys", "create", "app")
    path = tmp_path / "export.jsonl"

    code, out, _ = await flyball("audit", "checkpoint", "--json")
    assert code == 0
    assert json.loads(out)["seq"] == 1
    code, out, _ = await flyball("audit", "key", "--json")
    key = json.loads(out)["key"]
    code, _, error = await flyball("audit", "export", str(path))
    assert code == 0, error
    assert path.stat().st_mode & 0o077 == 0
    code, _, error = await flyball("audit", "export", str(path))
    assert (code, "is there already" in error) == (2, True)

    code, out, _ = await flyball("audit", "verify", "--file", str(path), "--public-key", key, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["ok"], found["events"], found["keys"]) == (True, 2, [key])
    code, out, _ = await flyball("audit", "verify", "--file", str(path), "--public-key", "0" * 64)
    assert code == 1
    path.write_bytes(path.read_bytes().replace(b"keys.create", b"keys.revoke"))
    code, out, _ = await flyball("audit", "verify", "--file", str(path))
    assert code == 1
    assert "event 1 was changed" in out
    code, _, error = await flyball("audit", "verify", "--file", str(tmp_path / "none"))
    assert (code, "cannot be read" in error) == (2, True)

    code, out, _ = await flyball("audit", "show", "1")
    assert "made the key" in out
    code, out, _ = await flyball("audit", "prune", "--json")
    assert json.loads(out) == {"days": 0, "events": 0, "up_to": 0}
    code, out, _ = await flyball("audit", "list", "--action", "audit.export", "--json")
    assert [event["action"] for event in json.loads(out)["items"]] == ["audit.export"]


async def test_a_run_is_listed_and_shown_with_its_state(flyball, tmp_path):
    rows = tmp_path / "questions.jsonl"
    rows.write_text('{"question": "why?"}\n')
    code, out, _ = await flyball("datasets", "import", "rows", str(rows), "--no-wait", "--json")
    run = json.loads(out)
    assert (code, run["status"]) == (0, "queued")

    _, listed, _ = await flyball("runs", "list")
    _, shown, _ = await flyball("runs", "show", run["id"])

    assert listed.splitlines()[1].split()[:3] == [run["id"], "datasets.import", "queued"]
    assert "queued" in shown


async def test_the_vendors_are_listed_with_what_each_needs(flyball):
    code, out, _ = await flyball("models", "providers", "--json")
    assert code == 0
    assert "bedrock" in [item["name"] for item in json.loads(out)["items"]]

    code, out, _ = await flyball("models", "providers")
    assert code == 0
    assert "api_key or service_account" in out
