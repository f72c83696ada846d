"""Secrets are seeded everywhere, through a whole running flyball; afterwards none is found in any log, table, file, page or answer.

What callers write into their prompts is content and stays; seeded is what proves who somebody is: keys, passwords, links,
sessions, the keys of providers and what they are encrypted under. The scanner itself is held against a leak in every place.
"""

import base64
import json
import os
import secrets
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psycopg
import pytest

from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.kit.layout import Layout
from flyball.testing.vault import scripted_vault

from .scanning import Scanner, Seeds, Visitor, asking, everything_of, set_by_command, until_in_force
from .signing_in import environment_of_identity, prove_who_one_is

KINDS = ("env", "file", "cmd", "vault", "secret")
FAULTS = (
    "status-401",
    "status-400",
    "status-429",
    "status-500",
    "text-500",
    "page",
    "error-in-200",
    "header",
    "garbage",
    "fine",
)


class Repeating(BaseHTTPRequestHandler):
    """A provider that repeats whatever it was sent in a header, in every way in which one can fail."""

    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        sent = " ".join(f"{name}: {value}" for name, value in self.headers.items())
        fault, stream = body["model"], bool(body.get("stream"))
        escaped = {"error": {"message": f"refused: {sent}", "type": sent[:2000], "code": sent[:2000]}}
        status, kind = int(fault[-3:]) if fault[-3:].isdigit() else 200, "application/json"
        answer = json.dumps(escaped).encode()
        if fault.startswith("text"):
            answer, kind = f"what is {sent}?".encode(), "text/plain"
        elif fault == "page":
            answer, kind = f"<html><body>{sent}</body></html>".encode(), "text/html"
        elif fault == "garbage":
            answer = f'{{"choices": [{{"message": 5, "{sent}": 1}}]'.encode()
        elif fault in ("fine", "header"):
            choice = {"index": 0, "message": {"role": "assistant", "content": "Good."}, "finish_reason": "stop"}
            answer = json.dumps({"id": "1", "object": "chat.completion", "model": "m", "choices": [choice]}).encode()
        if stream and status == 200 and kind == "application/json":
            first = {"choices": [{"index": 0, "delta": {"content": "Good."}}]}
            events = [first, escaped] if fault != "fine" else [first]
            answer = (
                b"".join(b"data: " + json.dumps(event).encode() + b"\n\n" for event in events)
                + f": {sent}\n\n".encode()
            )
            kind = "text/event-stream"
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(answer)))
        self.send_header("x-request-id", sent[:150] if fault == "header" else "1")
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


@pytest.fixture
def provider():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Repeating)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def declared(port, data_dir):
    """A flyball.yaml with a model for each kind of reference and each fault, and a function that calls one."""
    reference = {
        "env": "env:SEEDED_API_KEY",
        "file": f"file:{data_dir}/secrets/provider",
        "cmd": "cmd:provider",
        "vault": "vault:secret/provider#key",
        "secret": "secret:provider",
    }
    endpoint = (
        "{{provider: openai-compatible, base_url: 'http://127.0.0.1:{port}/v1', model: {fault}, api_key: '{key}'}}"
    )
    models = "".join(
        f"  {kind}-{fault}: {{endpoints: [{endpoint.format(port=port, fault=fault, key=reference[kind])}]}}\n"
        for kind in KINDS
        for fault in FAULTS
    )
    function = (
        "functions:\n  triage:\n    input: {type: object, properties: {question: {type: string}}, required: [question]}\n"
        "    variants:\n      big: {kind: prompt, prompt: triage, model: secret-status-401}\n"
    )
    return f"project: default\nmodels:\n{models}prompts:\n  triage: {{file: triage.md}}\n{function}"


def operator_commands(tmp_path, seeds):
    held = tmp_path / "held"
    held.write_text(seeds.plant("a provider's key, printed by a command"))
    commands = tmp_path / "commands.yaml"
    commands.write_text(f"provider: [cat, {held}]\n")
    commands.chmod(0o600)
    return str(commands)


def call_everything(visitor, key):
    """Every model in every dialect, whole and streamed; its statuses."""
    found = []
    question = [{"role": "user", "content": "Good day."}]
    for kind in KINDS:
        for fault in FAULTS:
            for stream in (False, True):
                body = json.dumps({"model": f"{kind}-{fault}", "messages": question, "stream": stream, "max_tokens": 9})
                found.append(visitor.send("POST", "/v1/chat/completions", body.encode(), authorization=f"Bearer {key}"))
        for fault in ("status-401", "error-in-200", "garbage"):
            body = json.dumps({"model": f"{kind}-{fault}", "messages": question, "max_tokens": 9}).encode()
            found.append(visitor.send("POST", "/v1/messages", body, x_api_key=key))
            told = json.dumps({"contents": [{"role": "user", "parts": [{"text": "Good day."}]}]}).encode()
            found.append(visitor.send("POST", f"/v1beta/models/{kind}-{fault}:generateContent?key={key}", told))
            found.append(
                visitor.send("POST", f"/v1beta/models/{kind}-{fault}:generateContent", told, x_goog_api_key=key)
            )
    return found


def present_wrongly(visitor, seeds, revoked):
    """Credentials where they do not count, in requests that are refused or broken."""
    stranger = seeds.plant("a key that is none", "flyball_" + secrets.token_urlsafe(32))
    theirs = seeds.plant("somebody else's key in a header")
    for key in (revoked, stranger, theirs):
        for headers in ({"authorization": f"Bearer {key}"}, {"authorization": f"Basic {key}"}, {"x_api_key": key}):
            for path in ("/v1/chat/completions", "/api/models", "/v1/models", "/api/no-such-route", "/v1/messages"):
                visitor.send("POST", path, b"{not json", content_type="application/json", **headers)
                visitor.send("GET", f"{path}?key={key}", **headers)
        visitor.send("GET", "/healthz", **{f"x_{key.lower()[:30]}": "1", "cookie": f"flyball_session={key}"})


def sign_in_and_out(flyball, seeds, link):
    """By link, by password, wrongly; what the session's cookie was is a seed, too."""
    visitor = Visitor(flyball)
    seeds.plant("a sign-in link", link.rpartition("/")[2])
    password, wrong = seeds.plant("a password"), seeds.plant("a wrong password")
    assert visitor.submit("/sign-in", token=seeds["a sign-in link"]) == 303
    assert visitor.submit("/account/password", password=password, again=password) == 303
    for _ in range(2):
        assert Visitor(flyball).submit("/sign-in", name="administrator", password=wrong) == 303
    again = Visitor(flyball)
    assert again.submit("/sign-in", name="administrator", password=password) == 303
    assert again.send("GET", "/account")[0] == 200
    for number, one in enumerate((visitor, again)):
        for name, value in one.cookies.items():
            if "session" in name and value:
                seeds.plant(f"session {number}", value)
    assert {"session 0", "session 1"} <= seeds.keys()
    return again


def set_by_page(visitor, seeds, port):
    value = seeds.plant("a secret set on the page")
    assert visitor.submit("/secrets", name="by-page", value=value, hosts=f"127.0.0.1:{port}") == 303
    assert visitor.submit("/secrets", name="a b", value=value, hosts="x") == 303


def plant_a_leak_everywhere(flyball, visitor, key):
    """One value that is found in every kind of place: what the scanner has to find there."""
    leak = f"leaked-{secrets.token_hex(12)}"
    question = [{"role": "user", "content": f"Good day, {leak}."}]
    body = json.dumps({"model": "secret-fine", "messages": question}).encode()
    status, answer = visitor.send("POST", "/v1/chat/completions", body, authorization=f"Bearer {key}")
    assert status == 200, answer
    layout = Layout(flyball.data)
    with (layout.logs / "gateway-1.log").open("a") as log:
        log.write(f"2026-11-21 WARNING somewhere: {base64.b64encode(f'key={leak};'.encode()).decode()}\n")
    (layout.spool / "left-behind").write_bytes(b"\x00\x01" + leak.encode("utf-16-le"))
    with psycopg.connect(EmbeddedPostgres(layout.postgres, layout.sockets).url, autocommit=True) as connection:
        connection.execute("create table leaky (a jsonb, b bytea, c text[])")
        connection.execute(
            "insert into leaky values (%s, %s, %s)", (json.dumps({"x": [leak]}), leak.encode(), [leak.encode().hex()])
        )
    return leak


def recorded(flyball, least):
    """Wait until that many calls have come into the tables."""
    count = "select count(*) as calls from spans where parent_id = '' or parent_id is null"
    flyball.until(lambda: flyball.sql(count)[0]["calls"] >= least, "the calls are not recorded")


def work_through_a_day(flyball, seeds, provider):
    """Everything that has to do with secrets is done; the answers of all calls, and the key that they were made with."""
    data = flyball.data
    told = b""
    for what in ("a stored secret, of before", "a stored secret"):
        told += set_by_command(flyball, "provider", seeds.plant(what), "--host", f"127.0.0.1:{provider}").encode()
    key = seeds.plant("an application's key", flyball.ask("keys", "create", "desk")["key"])
    revoked = seeds.plant("a revoked key", flyball.ask("keys", "create", "gone")["key"])
    flyball.ask("keys", "revoke", "gone")
    owner = seeds.plant("an owner's key", flyball.ask("keys", "create", "owner", "--role", "owner")["key"])
    member = sign_in_and_out(flyball, seeds, flyball.greeting["sign_in"])
    set_by_page(member, seeds, provider)
    prove_who_one_is(flyball, seeds, member, seeds["a password"])
    another_link = flyball.ask("members", "sign-in-link")["path"]
    seeds.plant("an unused link", another_link.rpartition("/")[2])
    member.send("GET", another_link)
    program = Visitor(flyball)
    until_in_force(flyball, program, key)
    flyball.until(lambda: b"secret-fine" in asking(Layout(data))("/api/models"), "the models are not there")
    answers = call_everything(program, key)
    present_wrongly(program, seeds, revoked)
    value = seeds.plant("a secret sent to the API")
    for name, hosts in (("api", ["127.0.0.1:1"]), ("api", []), ("a%20b", ["x"]), ("api", "x")):
        sent = json.dumps({"value": value, "hosts": hosts}).encode()
        headers = {"authorization": f"Bearer {owner}", "content_type": "application/json"}
        program.send("PUT", f"/api/secrets/{name}", sent, **headers)
    flyball.ask("secrets", "rotate-data-key")
    return [*answers, (0, told)], key


def begin_with_seeds(begin, seeds, vault, provider, tmp_path):
    """A flyball whose operator gave it secrets in every way there is, with its models declared."""
    vault.secrets["/v1/secret/data/provider"] = {"key": seeds.plant("a provider's key, in Vault")}
    environment = {
        "FLYBALL_MASTER_KEY": seeds.plant("the master key", base64.b64encode(os.urandom(32)).decode()),
        "FLYBALL_LOG_LEVEL": "debug",
        "FLYBALL_SECRET_COMMANDS": operator_commands(tmp_path, seeds),
        "SEEDED_API_KEY": seeds.plant("a provider's key, in the environment"),
        "VAULT_ADDR": vault.address,
        "VAULT_TOKEN": vault.token,
        **environment_of_identity(seeds, provider),
    }
    flyball = begin(environment)
    (flyball.data / "secrets").mkdir(mode=0o700)
    (flyball.data / "secrets/provider").write_text(seeds.plant("a provider's key, in a file"))
    example = tmp_path / "example"
    example.mkdir()
    (example / "triage.md").write_text("---\nvariables: [question]\n---\nTriage: {{ question }}\n")
    (example / "flyball.yaml").write_text(declared(provider, flyball.data))
    flyball.start()
    flyball.ask("apply", str(example))
    return flyball


def exchange_the_master_key(flyball, seeds):
    flyball.stop()
    flyball._environment |= {
        "FLYBALL_MASTER_KEY": seeds.plant("the new master key", base64.b64encode(os.urandom(32)).decode()),
        "FLYBALL_MASTER_KEY_OLD": seeds["the master key"],
    }
    flyball.start()
    assert flyball.ask("secrets", "rotate-master")["data_keys"] == 2  # that of secrets and that of second factors


@pytest.mark.long
@pytest.mark.timeout(900)
def test_no_secret_is_left_anywhere_and_the_scanner_would_find_it(begin, provider, tmp_path):
    seeds = Seeds()
    with scripted_vault(seeds.plant("Vault's token", f"hvs.{secrets.token_urlsafe(24)}")) as vault:
        flyball = begin_with_seeds(begin, seeds, vault, provider, tmp_path)
        answers, key = work_through_a_day(flyball, seeds, provider)
        fine = [status for status, _ in answers if status == 200]
        assert len(fine) >= 2 * len(KINDS), [status for status, _ in answers]
        assert len(answers) - len(fine) > 8 * len(KINDS)
        recorded(flyball, len(fine))
        exchange_the_master_key(flyball, seeds)

        scanner = Scanner(seeds)
        for number, (_, answer) in enumerate(answers):
            scanner.look(f"call:{number}", answer)
        everything_of(flyball, scanner, tmp_path)
        assert sorted(scanner.hits) == []
        for kind, least in (("page", 30), ("answer", 15), ("table", 200), ("file", 300), ("lake", 1), ("export", 2)):
            assert scanner.seen.get(kind, 0) >= least, scanner.seen

        program = Visitor(flyball)
        until_in_force(flyball, program, key)
        spans = flyball.sql("select count(*) as calls from spans")[0]["calls"]
        leak = plant_a_leak_everywhere(flyball, program, key)
        flyball.until(lambda: flyball.sql("select count(*) as calls from spans")[0]["calls"] > spans, "not recorded")
        control = Scanner(Seeds({"the leak": leak}))
        everything_of(flyball, control, tmp_path)
        flyball.stop()
    places = {place for _, place in control.hits}
    assert {place.partition(":")[0] for place in places} >= {"page", "answer", "table", "file", "lake", "command"}
    for place in ("file:logs/gateway-1.log", "file:spool/left-behind", *(f"table:public.leaky.{one}" for one in "abc")):
        assert place in places


@pytest.mark.timeout(300)
def test_no_secret_of_signing_in_is_left_in_any_table_page_log_or_export(begin, provider, tmp_path):
    seeds = Seeds()
    flyball = begin({"FLYBALL_LOG_LEVEL": "debug", **environment_of_identity(seeds, provider)})
    flyball.start()
    member = sign_in_and_out(flyball, seeds, flyball.greeting["sign_in"])
    prove_who_one_is(flyball, seeds, member, seeds["a password"])

    scanner = Scanner(seeds)
    everything_of(flyball, scanner, tmp_path, commands=(("audit", "list", "--limit", "100"),), of_postgres=False)
    flyball.stop()

    assert sorted(scanner.hits) == []
    assert len(seeds) > 60


def test_the_scanner_finds_a_secret_in_every_form_that_it_knows():
    seeds = Seeds(key="seed-of-this-test-4711")
    value = seeds["key"]
    for written in (
        value.encode(),
        value.encode().hex().encode(),
        base64.b64encode(f"user:{value}".encode()),
        base64.b64encode(f"{value}".encode()),
        base64.b64encode(f"ab{value}cd".encode()),
        value.encode("utf-16-le"),
        urllib.parse.quote(value, safe="").encode(),
        json.dumps({"a": value}).encode(),
    ):
        scanner = Scanner(seeds)
        scanner.look("somewhere:x", b"before " + written + b" after")
        assert scanner.hits, written
    clean = Scanner(seeds)
    clean.look("somewhere:x", b"seed-of-another-test")
    assert clean.hits == set()
