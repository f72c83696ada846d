"""What tests of signing in share: a clock that is set, members with passwords, providers real and hostile, and a browser for them."""

import json
import shutil
import socket
import subprocess
import sys
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from hostile_provider import HostileProvider
from node_place import absence
from outside import Outside

from flyball.identity import providers, sign_in
from flyball.identity.provider_records import GroupRole, ProviderWish
from flyball.kit.clock import FixedClock
from flyball.kit.secrets import Secret
from flyball.secrets import service as secrets
from flyball.settings import Settings

SCRIPT = Path(__file__).parents[1] / "clients" / "node" / "openid_provider.mjs"
RETURN = "http://127.0.0.1:4000/sign-in/with/company/return"
CLIENT_SECRETS = {"basic": "a secret: with/odd+characters", "post": "another secret of the client"}


@pytest.fixture
def settings(data_dir, database_url) -> Settings:
    """Settings by which providers on this machine may be called."""
    return Settings(data=str(data_dir), database_url=database_url, allowed_networks="127.0.0.1/32")


@pytest.fixture
def clocked(ctx):
    """The context under a clock that stands still."""
    return replace(ctx, clock=FixedClock())


@pytest.fixture
def with_password(ctx):
    """`await with_password(name)`: a member who has a password; the session in which they set it."""

    async def made(name: str = "administrator", password: str = "four unrelated words", of=None):
        link = await sign_in.create_sign_in_link(of or ctx, name)
        first = await sign_in.use_sign_in_link(of or ctx, link.token)
        return await sign_in.set_password(of or ctx, first.token, Secret(password))

    return made


@pytest.fixture
def outside():
    """A browser's other half: what it does away from flyball."""
    return Outside("http://127.0.0.1:4000")


@pytest.fixture
def hostile():
    """A provider of our own that says whatever a test wants."""
    with HostileProvider() as provider:
        yield provider


@pytest.fixture(scope="module", params=["RS256", "ES256", "EdDSA"])
def signing(request) -> str:
    """By which algorithm the real provider signs."""
    return request.param


@pytest.fixture(scope="module")
def real(signing):
    """The real provider, in a process of its own: its issuer."""
    if why := absence():
        pytest.skip(f"{why}: no OpenID provider from a package was proved; `scripts/install dev` installs it")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    # One algorithm puts every claim into the ID token, the others leave them to the user information.
    told = {"port": port, "redirects": [RETURN], "idTokenClaims": signing == "ES256", "algorithm": signing}
    process = subprocess.Popen(
        [shutil.which("node"), str(SCRIPT), json.dumps(told)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert process.stdout.readline().strip() == b"ready"
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait(10)
    process.stdout.close()


@pytest.fixture
def tell(real):
    """`tell("/rotate")`, `tell("/groups", {...})`: change something at the real provider."""

    def told(path: str, body: object = None) -> None:
        with urllib.request.urlopen(real + path, json.dumps(body).encode(), timeout=10) as answer:
            assert answer.read() == b"done"

    return told


@pytest.fixture
def declare(ctx):
    """`await declare(issuer, ...)`: the sign-in provider `company`, by which engineers are maintainers of the project default."""

    async def declared(issuer: str, client: str = "basic", **more):
        if client in CLIENT_SECRETS:
            host = issuer.removeprefix("http://")
            await secrets.set_secret(ctx, f"client-{client}", Secret(CLIENT_SECRETS[client]), [host])
        wish = {
            "issuer": issuer,
            "client_id": client,
            "label": "the company",
            "client_secret": f"secret:client-{client}" if client in CLIENT_SECRETS else "",
            "client_auth": client if client in CLIENT_SECRETS else "none",
            "scopes": ("openid", "email", "profile", "groups"),
            "groups_claim": "groups",
            "groups": (GroupRole(group="engineers", project="default", role="maintainer"),),
            "joining": "anybody",
        }
        return await providers.set_provider(ctx, "company", ProviderWish(**wish | more))

    return declared
