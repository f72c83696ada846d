"""References as they are written, the hosts that a secret is bound to, and what each kind may lead to."""

import os
import stat
import sys

import pytest

from flyball.infra.secrets.commands import from_command
from flyball.infra.secrets.environment import from_environment
from flyball.infra.secrets.errors import HostInvalidError
from flyball.infra.secrets.files import from_file, master_file
from flyball.infra.secrets.hosts import bound_to, host_of
from flyball.infra.secrets.operator import fetch, folders
from flyball.infra.secrets.references import Found, Missing, parse
from flyball.kit.layout import Layout
from flyball.settings import Settings

ALLOWED = Settings().secret_environment


@pytest.mark.parametrize(
    "text",
    [
        "env:OPENAI_API_KEY",
        "file:/run/secrets/openai",
        "cmd:openai-key",
        "vault:secret/llm/openai#key",
        "secret:openai",
    ],
)
def test_a_reference_is_written_as_it_was_read(text):
    assert str(parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sk-1",
        "env:",
        "env:A B",
        "env:A\n",
        "file:key",
        "file:",
        "file:~/key",
        "file:/run/secrets/../../etc/passwd",
        "file:/a\n",
        "cmd:rm -rf /",
        "cmd:../x",
        "cmd:",
        "vault:secret/openai",
        "vault:openai#key",
        "vault:secret/../sys/raw#key",
        "vault:secret//x#key",
        "vault:secret/x#k?e",
        "vault:http://evil/x#key",
        "secret:a/b",
        "secret:",
        "secret:.x",
        "ENV:A",
        " env:A",
        "exec:ls",
    ],
)
def test_what_is_no_reference_is_none(text):
    assert parse(text) is None


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("FLYBALL_MASTER_KEY", "flyball's own"),
        ("flyball_key", "flyball's own"),
        ("VAULT_TOKEN", "no variable that models may name"),
        ("VAULT_SECRET_KEY", "no variable"),
        ("BAO_TOKEN", "no variable"),
        ("PGPASSWORD", "no variable"),
        ("DATABASE_URL", "no variable"),
        ("SENTRY_DSN", "no variable"),
        ("HOME", "no variable"),
        ("PATH", "no variable"),
        ("UNSET_KEY", "UNSET_KEY is not set"),
    ],
)
def test_a_variable_that_models_may_not_name_says_so(name, why):
    found = from_environment(name, ALLOWED, {name: "value-4711"} if name != "UNSET_KEY" else {})

    assert isinstance(found, Missing)
    assert why in found.reason
    assert "4711" not in found.reason


def test_the_operator_may_list_other_variables_but_never_flyballs_own():
    assert from_environment("LLM", "LLM,OTHER_*", {"LLM": "x"}).secret.reveal() == "x"
    assert isinstance(from_environment("OPENAI_API_KEY", "LLM", {"OPENAI_API_KEY": "x"}), Missing)
    assert isinstance(from_environment("FLYBALL_KEY", "*", {"FLYBALL_KEY": "x"}), Missing)
    assert isinstance(from_environment("VAULT_TOKEN", "*", {"VAULT_TOKEN": "x"}), Missing)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "allowed"
    folder.mkdir()
    (folder / "key").write_text("from-a-file\n")
    return folder


def test_a_file_is_read_below_the_operators_folders(folder):
    (folder / "link").symlink_to(folder / "key")

    assert from_file(f"{folder}/key", [folder], []).secret.reveal() == "from-a-file"
    assert from_file(f"{folder}/link", [folder], []).secret.reveal() == "from-a-file"


def test_no_file_elsewhere_is_read_however_it_is_named(folder, tmp_path):
    outside = tmp_path / "outside"
    outside.write_text("not-for-you-4711")
    (folder / "link").symlink_to(outside)
    (folder / "folder").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe")
    (folder / "large").write_text("x" * 100_000)
    names = ["link", "folder/outside", "pipe", "large", "../outside", "none", "", "key/x", "../allowed2/key"]
    for path in [
        *(f"{folder}/{name}" for name in names),
        str(outside),
        "/etc/passwd",
        "/proc/self/environ",
        "/dev/zero",
    ]:
        found = from_file(path, [folder], [])

        assert isinstance(found, Missing), path
        assert "4711" not in found.reason


async def test_files_of_flyballs_own_are_never_read(tmp_path, monkeypatch):
    layout = Layout(tmp_path / "data")
    layout.create()
    for name in ("master", "commands", "token"):
        (layout.secrets / name).write_text("of-flyball-4711")
    monkeypatch.setenv("VAULT_TOKEN_FILE", f"{layout.secrets}/token")
    settings = Settings(
        data=str(layout.root),
        master_key_file=f"{layout.secrets}/master",
        secret_commands=f"{layout.secrets}/commands",
        secret_files=str(layout.root),
    )
    master_file(layout).write_text("of-flyball-4711")

    for path in (master_file(layout), *(layout.secrets / name for name in ("master", "commands", "token"))):
        assert isinstance(await fetch(parse(f"file:{path}"), settings, layout), Missing), path


def test_by_default_files_are_read_below_two_folders(tmp_path):
    layout = Layout(tmp_path)

    assert list(map(str, folders(Settings(), layout))) == ["/run/secrets", f"{tmp_path}/secrets"]
    assert list(map(str, folders(Settings(secret_files="/a:/b:c"), layout))) == ["/a", "/b"]  # noqa: S106 -- folders


@pytest.fixture
def listed(tmp_path):
    def write(text, mode=0o600):
        path = tmp_path / "commands.yaml"
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    return write


async def test_a_command_of_the_operators_is_run_by_its_name_without_a_shell(listed):
    commands = listed(f"openai: [{sys.executable}, -c, \"import sys; print('key', sys.argv[1:])\", $HOME, a;b]")

    assert (await from_command("openai", commands)).secret.reveal() == "key ['$HOME', 'a;b']"


async def test_a_command_gets_none_of_flyballs_settings(listed, monkeypatch):
    monkeypatch.setenv("FLYBALL_MASTER_KEY", "secret-4711")
    commands = listed(f"all: [{sys.executable}, -c, 'import os; print(sorted(os.environ))']")

    assert "FLYBALL" not in (await from_command("all", commands)).secret.reveal()


@pytest.mark.parametrize(
    ("text", "name", "why"),
    [
        ("openai: [echo, x]", "anthropic", "lists no command named anthropic"),
        ("openai: echo x", "openai", "no table"),
        ("openai: []", "openai", "no table"),
        ("[1, 2]", "openai", "no table"),
        ("a: [", "openai", "no YAML"),
        ("openai: [/no/such/program]", "openai", "cannot be started"),
        ("openai: ['false']", "openai", "ended with exit code 1"),
        ("openai: ['true']", "openai", "printed nothing"),
        ("openai: [head, -c, '100000', /dev/zero]", "openai", "printed more than any secret has"),
        ("openai: [sh, -c, 'echo leak-4711 >&2; exit 3']", "openai", "ended with exit code 3"),
    ],
)
async def test_a_command_that_gives_nothing_says_why_and_nothing_else(listed, text, name, why):
    found = await from_command(name, listed(text))

    assert isinstance(found, Missing)
    assert why in found.reason
    assert "4711" not in found.reason


async def test_commands_that_others_may_write_are_not_run(listed):
    found = await from_command("openai", listed("openai: [echo, x]", 0o600 | stat.S_IWOTH))

    assert "others than its owner may write it" in found.reason
    assert "FLYBALL_SECRET_COMMANDS" in (await from_command("openai", "")).reason


@pytest.mark.parametrize(
    ("entry", "kept"),
    [
        ("api.openai.com", "api.openai.com"),
        ("API.OpenAI.com.", "api.openai.com"),
        ("127.0.0.1:9001", "127.0.0.1:9001"),
        ("[::1]:80", "[::1]:80"),
        ("localhost", "localhost"),
    ],
)
def test_a_secret_is_bound_to_hosts(entry, kept):
    assert bound_to([entry, entry]) == (kept,)


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "*",
        "*.openai.com",
        "https://api.openai.com",
        "a/b",
        "a b",
        "u@host",
        "host:0",
        "host:99999",
        "höst",
        "a..b",
        "-a",
    ],
)
def test_what_is_no_host_binds_nothing(entry):
    with pytest.raises(HostInvalidError):
        bound_to([entry])


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://api.openai.com/v1", "api.openai.com"),
        ("https://API.OPENAI.COM:443/", "api.openai.com"),
        ("https://api.openai.com.", "api.openai.com"),
        ("http://api.openai.com/v1", "api.openai.com:80"),
        ("https://api.openai.com:8443", "api.openai.com:8443"),
        ("https://api.openai.com@evil.example/v1", "evil.example"),
        ("https://evil.example#api.openai.com", "evil.example"),
        ("https://api.openai.com.evil.example", "api.openai.com.evil.example"),
        ("http://[::1]:9/", "[::1]:9"),
        ("ftp://api.openai.com", ""),
        ("env:BASE_URL", ""),
        ("https://[::1", ""),
    ],
)
def test_the_host_of_an_address_is_where_the_request_would_go(url, host):
    assert host_of(url) == host


def test_what_a_found_secret_shows_is_not_its_value():
    assert "4711" not in repr(Found(from_environment("A_KEY", ALLOWED, {"A_KEY": "value-4711"}).secret))
