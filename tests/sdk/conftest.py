"""A flyball that only listens: it keeps what an application sends, and fails on demand."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from flyball.sdk import telemetry as sdk_telemetry
from flyball.sdk.client import AsyncClient

TAKEN_WITHOUT_A_WORD = -1  # the batch is kept, the connection is cut before the answer


class Listener:
    """What was sent, as (path, body, headers); `answers` are statuses to give before all is well, then `judge` says."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any, dict[str, str]]] = []
        self.answers: list[int] = []
        self.judge: Callable[[Any], int] = lambda _: 200
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                data = self.rfile.read(int(self.headers["content-length"]))
                body = json.loads(data) if "json" in self.headers["content-type"] else {"bytes": data}
                status = outer.answers.pop(0) if outer.answers else outer.judge(body)
                if status == TAKEN_WITHOUT_A_WORD:
                    outer.calls.append((self.path, body, {}))
                    self.close_connection = True
                    return
                if status == 200:
                    outer.calls.append((self.path, body, {k.lower(): v for k, v in self.headers.items()}))
                    answer: Any = {"taken": 1, "new": len(body.get("spans", ()))}
                    answer |= {} if "bytes" in body else {"echo": body}
                else:
                    code = "trace_not_found" if status == 404 else "refused"
                    answer = {"error": {"code": code, "message": f"status {status}", "next_step": "wait"}}
                data = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST  # noqa: N815 -- the base class calls it so

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def spans(self) -> list[dict[str, Any]]:
        return [span for path, body, _ in self.calls if path == "/api/traces/spans" for span in body["spans"]]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    sdk_telemetry.reset(AsyncClient(listener.url, "flyball_test"))
    yield listener
    sdk_telemetry.flush(2)
    sdk_telemetry.reset()
    listener.close()
