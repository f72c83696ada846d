"""A Vault that answers as the published API of the key-value engine, version 2, says; in a thread of its own."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class ScriptedVault:
    """Holds secrets by path, and what it was asked. `sealed`, `redirect` and `raw` are what it does instead of answering."""

    def __init__(self, token: str) -> None:
        self.token = token
        self.secrets: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.sealed = False
        self.redirect = ""
        self.raw: bytes | None = None
        self.address = ""

    def answer(self, path: str, headers: dict[str, str]) -> tuple[int, bytes]:
        """Status and body for a GET."""
        self.asked.append((path, headers))
        if self.sealed:
            return 503, json.dumps({"errors": ["Vault is sealed"]}).encode()
        if headers.get("x-vault-token") != self.token:
            return 403, json.dumps({"errors": ["permission denied"]}).encode()
        if self.raw is not None:
            return 200, self.raw
        if path not in self.secrets:
            return 404, json.dumps({"errors": []}).encode()
        metadata = {
            "created_time": "2026-11-01T00:00:00Z",
            "custom_metadata": None,
            "deletion_time": "",
            "destroyed": False,
            "version": 2,
        }
        answer = {
            "request_id": "0d1b2c3d",
            "lease_id": "",
            "renewable": False,
            "lease_duration": 0,
            "data": {"data": self.secrets[path], "metadata": metadata},
            "wrap_info": None,
            "warnings": None,
            "auth": None,
            "mount_type": "kv",
        }
        return 200, json.dumps(answer).encode()


@contextmanager
def scripted_vault(token: str) -> Iterator[ScriptedVault]:
    """The server, until the end of the block."""
    vault = ScriptedVault(token)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, body = vault.answer(self.path, headers)
            if vault.redirect:
                status, body = 307, b""
            self.send_response(status)
            if vault.redirect:
                self.send_header("Location", vault.redirect)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    vault.address = f"http://127.0.0.1:{server.server_address[1]}"
    try:
        yield vault
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
