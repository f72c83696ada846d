"""Whatever proves who somebody is, seeded by using it: second factors, invitations, keys of one's own, a sign-in provider."""

import base64
import http.client
import json
import re
import time
import urllib.parse

from hostile_provider import HostileProvider

from flyball.identity import totp
from flyball.kit.layout import Layout
from flyball.surface.console.transport import SocketTransport

from .scanning import Visitor, set_by_command

_PROVING = {"flyball_session", "flyball_step", "flyball_sign_in", "flyball_visitor"}
_KEY = re.compile(r"flyball_[A-Za-z0-9_-]{43}")
_INVITATION = re.compile(r"/invitations/([A-Za-z0-9_-]{40,})")
_CODE = re.compile(r"\b(?:[a-z2-7]{4}-){3}[a-z2-7]{4}\b")


def environment_of_identity(seeds, receiver):
    """Settings by which the record goes to a receiver that signs for nothing, and a provider on this machine may be called."""
    return {
        "FLYBALL_ALLOWED_NETWORKS": "127.0.0.1/32",
        "FLYBALL_AUDIT_WEBHOOK": f"https://127.0.0.1:{receiver}/record",
        "FLYBALL_AUDIT_WEBHOOK_SECRET": "env:SEEDED_WEBHOOK_SECRET",
        "SEEDED_WEBHOOK_SECRET": seeds.plant("the secret of the record's webhook"),
    }


def keep_cookies(seeds, visitor, whose):
    """What a browser holds now is a seed: sessions, halves of sign-ins, sign-ins under way."""
    for name, value in visitor.cookies.items():
        if name in _PROVING and len(value) > 20 and value not in seeds.values():
            seeds.plant(f"cookie {name} of {whose}, {len(seeds)}", value)


def use_a_second_factor(flyball, seeds, visitor, password):
    """Turned on, asked for, given wrongly, given by a recovery code; the codes made anew."""
    assert visitor.submit("/account/second-factor", current=password) == 303
    _, page = visitor.send("GET", "/account/second-factor")
    typed = re.search(r'<p class="mono">([A-Z2-7 ]+)</p>', page.decode())[1].replace(" ", "")
    raw = base64.b32decode(typed + "=" * (-len(typed) % 8))
    seeds.plant("the secret of a second factor, as it is typed", typed)
    seeds.plant("the secret of a second factor", raw)
    step = totp.step_at(time.time_ns())  # this one and the next are taken, also where the next has begun meanwhile
    status, page = visitor.fill("/account/second-factor/confirmation", code=totp.code_of(raw, step))
    assert status == 200, page
    _keep_codes(seeds, page, "recovery code")
    keep_cookies(seeds, visitor, "who turned it on")
    used = [seeds["recovery code 0"], seeds["recovery code 1"].replace("-", "").upper()]
    for code in (
        "000000",
        seeds.plant("a wrong recovery code", "abcd-efgh-ijkl-mnop"),
        totp.code_of(raw, step + 1),
        *used,
    ):
        browser = Visitor(flyball)
        assert browser.submit("/sign-in", name="administrator", password=password) == 303
        assert browser.cookies.get("flyball_step")
        keep_cookies(seeds, browser, "half a sign-in")
        assert browser.submit("/sign-in/code", code=code) == 303
        keep_cookies(seeds, browser, "a sign-in by code")
    status, page = visitor.fill("/account/second-factor/recovery-codes", code=seeds["recovery code 2"])
    assert status == 200, page
    _keep_codes(seeds, page, "recovery code made anew")


def _keep_codes(seeds, page, what):
    codes = _CODE.findall(page.decode())
    assert len(codes) == 10
    for number, code in enumerate(codes):
        seeds.plant(f"{what} {number}", code)
        seeds.plant(f"{what} {number}, as it is compared", code.replace("-", ""))


def invite(flyball, seeds, visitor):
    """One invitation that is accepted, one that is not, and one that nobody made."""
    tokens = []
    for what in ("an accepted invitation", "an open invitation"):
        status, page = visitor.fill("/invitations", role="viewer", email="")
        assert status == 200, page
        known = set(seeds.values())
        [token] = {found for found in _INVITATION.findall(page.decode()) if found not in known}
        tokens.append(seeds.plant(what, token))
    accepted, opened = tokens
    guest = Visitor(flyball)
    password = seeds.plant("a guest's password")
    assert guest.submit(f"/invitations/{accepted}", name="guest", password=password, again=password) == 303
    keep_cookies(seeds, guest, "guest")
    Visitor(flyball).send("GET", f"/invitations/{opened}")
    Visitor(flyball).send("GET", f"/invitations/{seeds.plant('an invitation that nobody made')}")
    return guest


def keep_a_key_of_ones_own(flyball, seeds, visitor):
    status, page = visitor.fill("/account/keys/new", name="mine", role="", expires="90d")
    assert status == 200, page
    key = seeds.plant("a personal key", _KEY.search(page.decode())[0])
    assert Visitor(flyball).send("GET", "/api/me", authorization=f"Bearer {key}")[0] == 200
    Visitor(flyball).send("GET", f"/api/me?key={key}")


def sign_in_by_a_provider(flyball, seeds):
    """Honestly, and with a state that does not fit: codes, tokens, the client's secret, the cookie of what is under way."""
    with HostileProvider() as provider:
        host = provider.issuer.removeprefix("http://")
        set_by_command(flyball, "oidc", seeds.plant("the secret of a client"), "--host", host)
        wish = {
            "issuer": provider.issuer, "client_id": "public", "client_auth": "basic", "client_secret": "secret:oidc",
            "joining": "anybody", "groups_claim": "groups", "groups": [{"group": "*", "project": "default", "role": "viewer"}],
        }  # fmt: skip
        layout = Layout(flyball.data)
        sent = SocketTransport(layout.socket("admin"), layout.root).send(
            "PUT", "/api/providers/company", json.dumps(wish).encode(), timeout=60
        )
        assert sent.status in (200, 201), sent.body

        def tokens():
            return {
                "token_type": "Bearer",
                "access_token": seeds.plant("an access token"),
                "refresh_token": seeds.plant("a refresh token"),
                "id_token": seeds.plant("an ID token", provider.token()),
            }

        provider.answers["/token"] = tokens
        for what, more in (("an authorization code", ""), ("a code with a state that does not fit", "x")):
            browser = Visitor(flyball)
            asked = _begun(browser, provider, seeds)
            keep_cookies(seeds, browser, what)
            back = urllib.parse.urlencode({"code": seeds.plant(what), "state": asked["state"] + more})
            status, _ = browser.send("GET", f"/sign-in/with/company/return?{back}")
            assert status == 303
            keep_cookies(seeds, browser, "who came by a provider")
        assert {"an access token", "an ID token"} <= seeds.keys()
        assert [path for path, _ in provider.asked].count("/token") == 1


def _begun(browser, provider, seeds):
    connection = http.client.HTTPConnection(browser._host, timeout=60)
    connection.request("GET", "/sign-in/with/company")
    answer = connection.getresponse()
    for line in answer.headers.get_all("set-cookie"):
        name, _, value = line.partition(";")[0].partition("=")
        browser.cookies[name] = value
    location = answer.headers["location"]
    connection.close()
    asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(location).query))
    provider.nonce = asked["nonce"]
    seeds.plant(f"a state, {len(seeds)}", asked["state"])
    seeds.plant(f"a nonce, {len(seeds)}", asked["nonce"])
    flow = json.loads(base64.urlsafe_b64decode(browser.cookies["flyball_sign_in"].strip('"').partition(".")[0] + "=="))
    seeds.plant(f"a code verifier, {len(seeds)}", flow["verifier"])
    return asked


def prove_who_one_is(flyball, seeds, visitor, password):
    """All of it, by somebody who is signed in as the administrator."""
    use_a_second_factor(flyball, seeds, visitor, password)
    invite(flyball, seeds, visitor)
    keep_a_key_of_ones_own(flyball, seeds, visitor)
    sign_in_by_a_provider(flyball, seeds)
