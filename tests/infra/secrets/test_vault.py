"""`vault:path#field`, against a server that answers as the published API of HashiCorp Vault and OpenBao says."""

import pytest

from flyball.infra.secrets.references import Missing
from flyball.infra.secrets.vault import from_vault
from flyball.testing.vault import scripted_vault

TOKEN = "hvs.a-token-for-this-test-alone"  # noqa: S105 -- of a scripted server


@pytest.fixture
def vault():
    with scripted_vault(TOKEN) as vault:
        vault.secrets["/v1/secret/data/llm/openai"] = {"key": "sk-from-vault", "number": 5, "empty": " "}
        yield vault


@pytest.fixture
def environment(vault):
    return {"VAULT_ADDR": vault.address, "VAULT_TOKEN": TOKEN}


def test_a_field_is_read_from_the_newest_version(vault, environment):
    found = from_vault("secret/llm/openai", "key", environment)

    assert found.secret.reveal() == "sk-from-vault"
    (path, headers), *_ = vault.asked
    assert path == "/v1/secret/data/llm/openai"
    assert headers["x-vault-token"] == TOKEN
    assert headers["x-vault-request"] == "true"


def test_a_mount_with_slashes_is_told_from_the_path_by_data(vault, environment):
    vault.secrets["/v1/team/kv/data/openai"] = {"key": "x"}

    assert from_vault("team/kv/data/openai", "key", environment).secret.reveal() == "x"


def test_a_namespace_and_openbaos_names_are_known(vault):
    environment = {"BAO_ADDR": vault.address + "/", "BAO_TOKEN": TOKEN, "VAULT_NAMESPACE": "team-a"}

    assert from_vault("secret/llm/openai", "key", environment).secret.reveal() == "sk-from-vault"
    assert vault.asked[0][1]["x-vault-namespace"] == "team-a"


def test_a_token_may_stand_in_an_agents_file(vault, tmp_path):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    environment = {"VAULT_ADDR": vault.address, "VAULT_TOKEN_FILE": str(file)}

    assert from_vault("secret/llm/openai", "key", environment).secret.reveal() == "sk-from-vault"


@pytest.mark.parametrize(
    ("path", "field", "why"),
    [
        ("secret/none", "key", "there is nothing"),
        ("secret/llm/openai", "other", "has no field other"),
        ("secret/llm/openai", "number", "has no field number with a text"),
        ("secret/llm/openai", "empty", "has no field empty"),
    ],
)
def test_what_is_not_there_is_named(environment, path, field, why):
    found = from_vault(path, field, environment)

    assert isinstance(found, Missing)
    assert why in found.reason


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"VAULT_TOKEN": "hvs.wrong-4711"}, "the token may not read it"),
        ({"VAULT_TOKEN": ""}, "neither VAULT_TOKEN nor VAULT_TOKEN_FILE"),
        ({"VAULT_ADDR": ""}, "VAULT_ADDR is not set"),
        ({"VAULT_ADDR": "http://127.0.0.1:1"}, "cannot be asked"),
        ({"VAULT_ADDR": "file:///etc/passwd"}, "cannot be asked"),
        ({"VAULT_ADDR": "https://user:pass-4711@127.0.0.1:1"}, "cannot be asked"),
    ],
)
def test_a_vault_that_cannot_be_asked_is_named_without_token_or_password(environment, change, why):
    found = from_vault("secret/llm/openai", "key", environment | change)

    assert isinstance(found, Missing)
    assert why in found.reason
    assert "4711" not in found.reason


def test_a_sealed_vault_says_so(vault, environment):
    vault.sealed = True

    assert "it is sealed" in from_vault("secret/llm/openai", "key", environment).reason


def test_a_redirect_is_not_followed_so_that_the_token_goes_nowhere_else(vault, environment):
    with scripted_vault(TOKEN) as elsewhere:
        vault.redirect = f"{elsewhere.address}/v1/secret/data/llm/openai"
        found = from_vault("secret/llm/openai", "key", environment)

        assert "it redirects" in found.reason
        assert elsewhere.asked == []


@pytest.mark.parametrize("raw", [b"", b"[]", b"<html>", b'{"data": {"data": []}}', b"\xff", b'{"data": null}'])
def test_nonsense_is_no_secret(vault, environment, raw):
    vault.raw = raw

    assert isinstance(from_vault("secret/llm/openai", "key", environment), Missing)
