"""Seeds, and the scanner that looks for them; a browser that keeps its cookies; where a flyball keeps and shows things."""

import base64
import contextlib
import http.client
import json
import re
import secrets
import subprocess
import sys
import urllib.parse

import psycopg
import pyarrow.parquet
from psycopg import sql

from flyball.infra.db.embedded import EmbeddedPostgres
from flyball.kit.layout import Layout
from flyball.surface.console.transport import SocketTransport

FORM = "application/x-www-form-urlencoded"
NOTHING = b"\0" * 4096  # of what a file has that is not filled yet
# On which page a form stands that is not named like it.
PAGES = {
    "/account/password": "/account",
    "/account/second-factor": "/account",
    "/account/second-factor/confirmation": "/account/second-factor",
    "/account/second-factor/recovery-codes": "/account",
    "/invitations": "/members",
}
COMMANDS = (
    ("secrets", "list"), ("models", "list"), ("keys", "list"), ("audit", "list", "--limit", "100"), ("doctor",),
    ("traces", "list"), ("runs", "list"), ("sql", "select * from spans", "--limit", "10000"), ("secrets", "master-key"),
)  # fmt: skip


class Seeds(dict):
    """Every secret by what it is, and each form in which it could be found again."""

    def plant(self, what, value=""):
        self[what] = value or f"seed-{len(self)}-{secrets.token_hex(16)}"
        return self[what]

    def forms(self):
        for what, value in self.items():
            raw = value if isinstance(value, bytes) else value.encode()
            yield what, raw
            yield f"{what}, hexadecimal", raw.hex().encode()
            if isinstance(value, str):
                yield f"{what}, quoted", urllib.parse.quote(value, safe="").encode()
                yield f"{what}, of two bytes", value.encode("utf-16-le")
            for offset in range(3):  # base64 of it inside of something longer
                whole = base64.b64encode(b"\0" * offset + raw)
                yield f"{what}, base64", whole[4 if offset else 0 : len(whole) - 4]


class Scanner:
    """Looks for seeds in whatever it is shown, and remembers where they were."""

    def __init__(self, seeds):
        self._forms = list(seeds.forms())
        self.hits = set()
        self.seen = {}

    def look(self, place, data):
        kind = place.partition(":")[0]
        self.seen[kind] = self.seen.get(kind, 0) + 1
        data = data.replace(NOTHING, b"")
        for what, form in self._forms:
            if form in data:
                self.hits.add((what, place))

    def look_at_files(self, layout, *, of_postgres=True):
        """Every file of the data directory, but those that the operator put there to be secrets."""
        for path in layout.root.rglob("*"):
            if not path.is_file() or path.is_relative_to(layout.secrets):
                continue
            if not of_postgres and path.is_relative_to(layout.postgres):
                continue
            place = str(path.relative_to(layout.root))
            with contextlib.suppress(FileNotFoundError):
                self.look(f"file:{place}", path.read_bytes())
            if path.suffix == ".parquet" and "_delta_log" not in place:
                table = pyarrow.parquet.read_table(path)
                self.look(f"lake:{place}", repr(table.to_pylist()).encode())

    def look_at_tables(self, url):
        """Every column of every row of every table of every schema that is not PostgreSQL's own."""
        with psycopg.connect(url, autocommit=True) as connection:
            tables = connection.execute(
                "select table_schema, table_name from information_schema.tables where table_type = 'BASE TABLE' "
                "and table_schema not in ('pg_catalog', 'information_schema')"
            ).fetchall()
            for schema, table in tables:
                query = sql.SQL("select * from {}").format(sql.Identifier(schema, table))
                cursor = connection.execute(query)
                for row in cursor.fetchall():
                    for column, value in zip(cursor.description, row, strict=True):
                        data = (
                            value
                            if isinstance(value, bytes)
                            else json.dumps(value, default=str, ensure_ascii=False).encode()
                        )
                        self.look(f"table:{schema}.{table}.{column.name}", data)
            statements = connection.execute("select query from pg_stat_activity").fetchall()
            self.look("table:pg_stat_activity", repr(statements).encode())

    def look_at_pages_and_answers(self, ask):
        """Every page and answer that can be reached from the pages and from the list of routes, as the owner sees them."""
        document = json.loads(ask("/api/openapi.json"))
        waiting = ["/", *(path for path, routes in document["paths"].items() if "get" in routes and "{" not in path)]
        done = set()
        while waiting and len(done) < 400:
            path = waiting.pop()
            address = path.partition("#")[0]
            if address in done or not address.startswith("/") or address.startswith("/assets"):
                continue
            done.add(address)
            body = ask(address)
            self.look(f"{'answer' if address.startswith('/api') else 'page'}:{address}", body)
            waiting.extend(re.findall(r'href="(/[^"]*)"', body.decode(errors="replace").replace("&amp;", "&")))


class Visitor:
    """A program or a browser at the public port; keeps cookies, sends the origin as browsers do."""

    def __init__(self, flyball):
        self._host = flyball.address.removeprefix("http://")
        self.cookies = {}

    def send(self, method, path, body=b"", **headers):
        connection = http.client.HTTPConnection(self._host, timeout=60)
        sent = {"origin": f"http://{self._host}", **{name.replace("_", "-"): value for name, value in headers.items()}}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            for line in answer.headers.get_all("set-cookie") or ():
                name, _, value = line.partition(";")[0].partition("=")
                self.cookies[name] = value
            return answer.status, answer.read() + str(answer.headers).encode()
        finally:
            connection.close()

    def fill(self, path, **form):
        """A form, as its page has it; status and answer."""
        status, page = self.send("GET", PAGES.get(path, path))
        token = re.search(rb'name="csrf_token" value="([^"]+)"', page)
        assert token, (path, status, page[-2000:])
        form["csrf_token"] = token[1].decode()
        return self.send("POST", path, urllib.parse.urlencode(form).encode(), content_type=FORM)

    def submit(self, path, **form):
        """The same; its status."""
        return self.fill(path, **form)[0]


def set_by_command(flyball, name, value, *options):
    command = [
        sys.executable,
        "-m",
        "flyball.cli",
        "secrets",
        "set",
        name,
        *options,
        "--json",
        "--data",
        str(flyball.data),
    ]
    ended = subprocess.run(command, input=value, capture_output=True, text=True, check=False, env=flyball._environment)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout + ended.stderr


def asking(layout):
    """GET as the owner of the data directory."""
    transport = SocketTransport(layout.socket("admin"), layout.root)
    return lambda path: transport.send("GET", path, None, timeout=60).body


def everything_of(flyball, scanner, tmp_path, *, commands=COMMANDS, of_postgres=True):
    """Look everywhere: first at the running flyball, then at what it leaves. PostgreSQL's own files are the most by far."""
    layout = Layout(flyball.data)
    scanner.look_at_pages_and_answers(asking(layout))
    for words in commands:
        done = flyball.run(*words)
        scanner.look(f"command:{' '.join(words)}", (done.out + done.err).encode())
    folder = tmp_path / f"export-{len(scanner.seen)}"
    exported = flyball.run("export", str(folder))
    scanner.look("export:said", (exported.out + exported.err).encode())
    for path in folder.rglob("*"):
        if path.is_file():
            scanner.look(f"export:{path.name}", path.read_bytes())
    written = tmp_path / f"audit-{len(scanner.seen)}.jsonl"
    scanner.look("export:audit said", json.dumps(flyball.ask("audit", "export", str(written))).encode())
    scanner.look("export:audit", written.read_bytes())
    scanner.look_at_tables(EmbeddedPostgres(layout.postgres, layout.sockets).url)
    scanner.look_at_files(layout, of_postgres=of_postgres)
    scanner.look("said:up", flyball.said().encode())


def until_in_force(flyball, program, key):
    headers = {"authorization": f"Bearer {key}"}
    flyball.until(lambda: program.send("GET", "/v1/models", **headers)[0] == 200, "the key is not in force")
