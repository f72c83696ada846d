"""A provider that says what a test wants: claims, signatures, documents, redirects. HTTP on a loopback port, in threads of its own."""

import json
import threading
import time
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from joserfc import jws, jwt
from joserfc.jwk import OctKey, RSAKey


@cache
def _first_key() -> RSAKey:
    return RSAKey.generate_key(2048, {"kid": "first", "use": "sig"})


class HostileProvider:
    """`claims` go over those of an honest ID token; `answers` over what a path answers; `asked` is what came in."""

    def __init__(self) -> None:
        self.key = _first_key()
        self.claims: dict = {}
        self.configuration: dict = {}
        self.answers: dict = {}
        self.token = self.signed
        self.asked: list[tuple[str, dict]] = []
        self.nonce = ""
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self._answer({})

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0))).decode()
                self._answer({name: values[0] for name, values in parse_qs(body).items()})

            def _answer(self, form):
                path = urlsplit(self.path).path
                provider.asked.append((path, form))
                status, headers, body = provider.answer(path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        self._thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.005})
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def answer(self, path):
        told = self.answers.get(path)
        if callable(told):
            told = told()
        if isinstance(told, tuple):
            return told
        if told is None and path == "/.well-known/openid-configuration":
            told = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/auth",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/jwks",
            } | self.configuration
        elif told is None and path == "/jwks":
            told = {"keys": [self.key.as_dict(private=False)]}
        elif told is None and path == "/token":
            told = {"access_token": "access", "token_type": "Bearer", "id_token": self.token()}
        elif told is None:
            return 404, {}, b"{}"
        return 200, {"content-type": "application/json"}, json.dumps(told).encode()

    def honest(self) -> dict:
        """The claims of an honest ID token, with what the test wants to be said over them; None leaves one out."""
        now = int(time.time())
        claims = {
            "iss": self.issuer, "aud": "public", "sub": "maria", "iat": now, "exp": now + 300, "nonce": self.nonce,
            "email": "maria@example.org", "email_verified": True, "preferred_username": "maria", "groups": ["engineers"],
        } | self.claims  # fmt: skip
        return {name: value for name, value in claims.items() if value is not None}

    def signed(self, key=None, algorithm="RS256", **header) -> str:
        return jwt.encode(
            {"alg": algorithm, "kid": "first"} | header, self.honest(), key or self.key, algorithms=[algorithm]
        )

    def unsigned(self) -> str:
        return _part({"alg": "none"}) + "." + _part(self.honest()) + "."

    def by_public_key_as_secret(self) -> str:
        secret = OctKey.import_key(self.key.as_pem(private=False))
        return jws.serialize_compact(
            {"alg": "HS256", "kid": "first"}, json.dumps(self.honest()).encode(), secret, algorithms=["HS256"]
        )

    def with_own_key_inside(self) -> str:
        key = RSAKey.generate_key(2048)
        return self.signed(key, jwk=key.as_dict(private=False))


def _part(value) -> str:
    import base64

    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")
