"""A secret shows itself to nobody who does not ask for it by name: no serialiser, printer, copier, comparer or log."""

import copy
import dataclasses
import io
import json
import logging
import marshal
import pickle
import pprint
import string
import sys
import traceback
from typing import NamedTuple

import msgspec
import pydantic
import pytest
import rich.console
import rich.pretty
import rich.traceback
import yaml

from flyball.kit.redaction import BLOT, redact
from flyball.kit.secrets import Secret, hiding, live_values

VALUE = "sk-wholly-secret-value-4711"


@dataclasses.dataclass
class Holder:
    key: Secret


class Record(msgspec.Struct):
    key: Secret


@pytest.fixture
def secret():
    return Secret(VALUE)


SERIALISERS = {
    "json": json.dumps,
    "json in a list": lambda secret: json.dumps({"key": [secret]}),
    "json with its attributes": lambda secret: json.dumps(secret, default=lambda one: one.__dict__),
    "msgspec json": msgspec.json.encode,
    "msgspec json of a record": lambda secret: msgspec.json.encode(Record(secret)),
    "msgspec msgpack": lambda secret: msgspec.msgpack.encode(Record(secret)),
    "msgspec yaml": lambda secret: msgspec.yaml.encode(Record(secret)),
    "msgspec builtins": lambda secret: msgspec.to_builtins(Record(secret)),
    "pickle": lambda secret: [pickle.dumps(secret, protocol) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)],
    "pickle of what holds it": lambda secret: pickle.dumps(Holder(secret)),
    "marshal": marshal.dumps,
    "yaml": yaml.dump,
    "copy": copy.copy,
    "deep copy": lambda secret: copy.deepcopy({"key": secret}),
    "dataclasses.asdict": lambda secret: dataclasses.asdict(Holder(secret)),
    "dataclasses.astuple": lambda secret: dataclasses.astuple(Holder(secret)),
    "vars": vars,
    "state": lambda secret: secret.__getstate__(),
    "pydantic": lambda secret: pydantic.TypeAdapter(Secret).dump_json(secret),
    "bytes": bytes,
    "a string join": "".join,
    "iteration": list,
    "length": len,
    "an index": lambda secret: secret[0],
    "a sum of strings": lambda secret: "key " + secret,
    "a file's name": open,
    "a hash": hash,
    "a place in a set": lambda secret: {secret},
    "an order": lambda secret: secret < Secret("z"),
    "a new attribute": lambda secret: setattr(secret, "note", 1),
    "another value": lambda secret: setattr(secret, "_value", "x"),
}  # fmt: skip


@pytest.mark.parametrize("way", SERIALISERS)
def test_a_secret_cannot_be_serialised_copied_measured_or_changed(secret, way):
    with pytest.raises(
        (TypeError, AttributeError, ValueError, msgspec.MsgspecError, pydantic.errors.PydanticUserError)
    ) as caught:
        SERIALISERS[way](secret)

    assert VALUE not in str(caught.value)


def _logged(secret):
    stream = io.StringIO()
    logger = logging.Logger("of its own")  # noqa: LOG001 -- no other may hear of it
    logger.addHandler(logging.StreamHandler(stream))
    logger.warning("%s %r %s", secret, secret, {"key": secret})
    logger.warning("the key is %(key)s", {"key": secret})
    return stream.getvalue()


def _rich(secret):
    stream = io.StringIO()
    console = rich.console.Console(file=stream, width=200)
    console.print(secret, {"key": secret}, Holder(secret), Record(secret))
    rich.inspect(secret, console=console, private=False, methods=True)
    return stream.getvalue()


def _fail(why, key):
    raise RuntimeError(why)


def _traceback_with_locals(secret):
    stream = io.StringIO()
    console = rich.console.Console(file=stream, width=200)
    holder, record = Holder(secret), Record(secret)
    try:
        _fail(f"it failed with {secret} {holder} {record}", secret)
    except RuntimeError:
        error = sys.exc_info()
        console.print(rich.traceback.Traceback.from_exception(*error, show_locals=True))
        captured = traceback.TracebackException(*error, capture_locals=True)
        return stream.getvalue() + "".join(captured.format())


PRINTERS = {
    "str": str,
    "repr": repr,
    "ascii": ascii,
    "f-string": lambda secret: f"{secret} {secret!r} {secret!s} {secret:>40} {secret!a}",
    "format": lambda secret: format(secret, "x<60") + "{0} {0!r} {0:s}".format(secret),  # noqa: UP032
    "percent": lambda secret: "%s %r %40s" % (secret, secret, secret),  # noqa: UP031
    "template": lambda secret: string.Template("$key").substitute(key=secret),
    "json with str": lambda secret: json.dumps({"key": secret}, default=str),
    "msgspec with str": lambda secret: msgspec.json.encode(Record(secret), enc_hook=str).decode(),
    "pprint": lambda secret: pprint.pformat({"key": secret, "holder": Holder(secret)}),
    "what holds it": lambda secret: f"{Holder(secret)} {Record(secret)} {[secret]} {({'k': secret},)}",
    "dir": lambda secret: str(dir(secret)),
    "an exception": lambda secret: repr(ValueError("no", secret)) + str(KeyError(secret)),
    "a log": _logged,
    "rich": _rich,
    "a traceback with its locals": _traceback_with_locals,
}


@pytest.mark.parametrize("way", PRINTERS)
def test_a_secret_shows_as_stars(secret, way):
    printed = PRINTERS[way](secret)

    assert VALUE not in printed
    assert "***" in printed or way == "dir"


def test_secrets_are_compared_by_value_in_constant_time_and_with_nothing_else(secret, monkeypatch):
    compared = []
    monkeypatch.setattr(
        "flyball.kit.secrets.hmac.compare_digest", lambda one, other: compared.append((one, other)) or one == other
    )

    assert secret == Secret(VALUE)
    assert secret != Secret(VALUE + "x")
    assert secret != VALUE
    assert VALUE != secret  # noqa: SIM300
    assert len(compared) == 2
    assert (bool(secret), bool(Secret(""))) == (True, False)


def test_a_process_knows_the_secrets_that_it_holds_and_forgets_the_others():
    held = Secret("held-for-a-while-4711")

    assert "held-for-a-while-4711" in live_values()
    del held
    assert "held-for-a-while-4711" not in live_values()


LOOKS = {
    "our key": "flyball_Zm9vYmFyYmF6cXV4Zm9vYmFyYmF6cXV4",
    "OpenAI": "sk-proj-abcdefghijklmnopqrstuvwx",
    "Anthropic": "sk-ant-api03-abcdefghijklmnop_qrst-uv",
    "Google": "AIzaSyA1234567890abcdefghijklmnopqrstuv",
    "a Google token": "ya29.a0AfH6SMBabcdefghijkl",
    "Amazon": "AKIAIOSFODNN7EXAMPLE",
    "Groq": "gsk_abcdefghijklmnopqrstuvwx",
    "Hugging Face": "hf_abcdefghijklmnopqrstuvwxyz",
    "GitHub": "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "Vault": "hvs.CAESIJabcdefghijklmnopqrst",
    "a web token": "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJhIn0.c2lnbmF0dXJl",
    "a private key": "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEFAASC\n-----END PRIVATE KEY-----",
}


@pytest.mark.parametrize("kind", LOOKS)
def test_what_looks_like_a_key_is_blotted_out_of_texts(kind):
    told = redact(f"before ({LOOKS[kind]}) after")

    assert told == f"before ({BLOT}) after"


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ("Authorization: Bearer abcDEF123456.x-y", "Authorization: Bearer ***"),
        ("'x-api-key': 'abcdef123456'", "'x-api-key': '***'"),
        ("cookie: flyball_session=abcdef123456", "cookie: ***"),
        ("GET /sign-in/abcdefghijklmnopqrstuvw HTTP/1.1", "GET /sign-in/*** HTTP/1.1"),
        ("postgresql://flyball:hunter22@db:5432/x", "postgresql://***@db:5432/x"),
    ],
)
def test_what_is_announced_as_a_secret_is_blotted_out_and_its_announcement_stays(said, left):
    assert redact(said) == left


@pytest.mark.parametrize(
    "said",
    [
        "a task-force and a risk-free disk-usage of 10 %",
        "http://127.0.0.1:4000/v1/models@latest",
        "snapshot sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 is in force",
        "key_01JABCDEFGH of project default",
        "set FLYBALL_AUDIT_WEBHOOK_SECRET, or FLYBALL_MASTER_KEY_COMMAND",
    ],
)
def test_what_is_no_secret_stays(said):
    assert redact(said) == said


def test_blotting_takes_time_in_proportion_to_the_text():
    for hostile in ("sk-" * 100_000, "://" + "a" * 300_000, "-----BEGIN PRIVATE KEY-----" * 5_000, "eyJ" * 100_000):
        assert redact(hostile) is not None


@hiding("password", "code")
class Request(msgspec.Struct, frozen=True, kw_only=True):
    """A record whose values have to be plain."""

    name: str
    password: str
    code: str = ""


@hiding("token")
class Brought(NamedTuple):
    """Likewise, as a tuple."""

    token: str
    where: str


PLAIN = (Request(name="maria", password=VALUE), Brought(VALUE, "here"))


@pytest.mark.parametrize("record", PLAIN)
@pytest.mark.parametrize("show", [repr, str, "{}".format, "{!r}".format, "%s".__mod__, pprint.pformat, rich.pretty.pretty_repr, lambda one: str([one])])  # fmt: skip
def test_a_record_that_hides_fields_shows_the_others(record, show):
    shown = show((record,)) if show == "%s".__mod__ else show(record)

    assert VALUE not in shown
    assert "***" in shown
    assert "maria" in shown or "here" in shown


def test_what_is_hidden_is_still_there_and_what_is_empty_shows_that_it_is():
    assert msgspec.json.decode(msgspec.json.encode(PLAIN[0]))["password"] == VALUE
    assert "code=''" in repr(PLAIN[0])


def test_only_fields_that_are_there_can_be_hidden():
    with pytest.raises(TypeError, match="pasword"):
        hiding("pasword")(Brought)
