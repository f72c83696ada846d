"""Encryption: what is sealed opens in its place alone. The master key: from where it comes, and what a wrong one says."""

import base64
import copy
import os
import pickle
import stat
import sys

import pytest

from flyball.infra.secrets import master
from flyball.infra.secrets.envelope import Cipher, DataKey
from flyball.infra.secrets.errors import MasterKeyError, SealBrokenError
from flyball.infra.secrets.files import master_file
from flyball.kit.layout import Layout
from flyball.kit.secrets import Secret
from flyball.settings import Settings

KEY = bytes(range(32))
PLACE = ("secret", "openai", "default", 1, ["api.openai.com"])


@pytest.fixture
def cipher():
    return Cipher(KEY, "mk")


def test_what_is_sealed_opens_in_its_place(cipher):
    sealed = cipher.seal(b"value", PLACE)

    assert cipher.open(sealed, PLACE) == b"value"
    assert b"value" not in sealed


@pytest.mark.parametrize(
    "place",
    [
        ("secret", "other", "default", 1, ["api.openai.com"]),
        ("secret", "openai", "tenant-b", 1, ["api.openai.com"]),
        ("secret", "openai", "default", 2, ["api.openai.com"]),
        ("secret", "openai", "default", 1, ["evil.example"]),
        ("secret", "openai", "default", 1, ["api.openai.com", "evil.example"]),
        ("data key", "openai", "default", 1, ["api.openai.com"]),
    ],
)
def test_nothing_opens_under_another_name_project_version_or_host(cipher, place):
    sealed = cipher.seal(b"value", PLACE)

    with pytest.raises(SealBrokenError, match="cannot be decrypted with the key mk-"):
        cipher.open(sealed, place)


def test_a_change_of_any_bit_is_found(cipher):
    sealed = cipher.seal(b"value", PLACE)

    for at in range(len(sealed) * 8):
        changed = bytearray(sealed)
        changed[at // 8] ^= 1 << at % 8
        with pytest.raises(SealBrokenError):
            cipher.open(bytes(changed), PLACE)
    for cut in range(len(sealed)):
        with pytest.raises(SealBrokenError):
            cipher.open(sealed[:cut], PLACE)


def test_no_nonce_is_used_twice(cipher):
    assert len({cipher.seal(b"value", PLACE)[:12] for _ in range(2000)}) == 2000


def test_a_data_key_is_wrapped_for_its_project_alone(cipher):
    key = DataKey.new("dky_1")
    wrapped = key.wrap("default", cipher)

    sealed = key.cipher.seal(b"value", PLACE)
    assert DataKey.unwrap("dky_1", "default", wrapped, cipher).cipher.open(sealed, PLACE) == b"value"
    for id_, project in (("dky_2", "default"), ("dky_1", "tenant-b")):
        with pytest.raises(SealBrokenError):
            DataKey.unwrap(id_, project, wrapped, cipher)


@pytest.mark.parametrize("deed", [repr, str, pickle.dumps, copy.copy, copy.deepcopy, vars])
def test_keys_are_neither_shown_nor_serialised(cipher, deed):
    for key in (cipher, DataKey("dky_1", KEY)):
        try:
            shown = str(deed(key))
        except TypeError:
            continue
        assert KEY.hex() not in shown
        assert repr(KEY) not in shown
        assert base64.b64encode(KEY).decode() not in shown


@pytest.fixture
def layout(tmp_path):
    layout = Layout(tmp_path)
    layout.create()
    return layout


@pytest.mark.parametrize(
    "text",
    [KEY.hex(), base64.b64encode(KEY).decode(), base64.urlsafe_b64encode(KEY).decode().rstrip("="), f" {KEY.hex()}\n"],
)
async def test_a_master_key_is_32_bytes_in_base64_or_hexadecimal(layout, text):
    masters = await master.load(Settings(master_key=Secret(text)), layout)

    assert masters.current.id == Cipher(KEY, "mk").id
    assert masters.origin == "environment"


@pytest.mark.parametrize("text", ["password", "x" * 44, KEY.hex()[:-2], KEY.hex() + "00", "=", "é"])
async def test_what_is_no_master_key_is_refused_without_repeating_it(layout, text):
    with pytest.raises(MasterKeyError, match="is not 32 bytes") as caught:
        await master.load(Settings(master_key=Secret(text)), layout)

    assert "openssl rand -base64 32" in caught.value.next_step
    assert text not in str(caught.value)


async def test_a_master_key_comes_from_a_file_or_from_a_command(layout, tmp_path):
    file = tmp_path / "key"
    file.write_text(KEY.hex() + "\n")
    command = f"{sys.executable} -c \"print('{KEY.hex()}')\""

    from_file = await master.load(Settings(master_key_file=str(file)), layout)
    from_command = await master.load(Settings(master_key_command=command), layout)

    assert (from_file.origin, from_command.origin) == ("file", "command")
    assert from_file.current.id == from_command.current.id == Cipher(KEY, "mk").id


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"master_key": Secret("x"), "master_key_file": "/x"}, "by environment and by file"),
        ({"master_key_file": "/no/such"}, "cannot be read"),
        ({"master_key_command": "false"}, "ended with exit code 1"),
        ({"master_key_command": "'"}, "is no command"),
        ({"master_key_command": "/no/such/program"}, "cannot be started"),
    ],
)
async def test_a_master_key_that_does_not_come_is_an_error_and_none_is_made(layout, given, why):
    with pytest.raises(MasterKeyError, match=why):
        await master.load(Settings(**given), layout)

    assert not master_file(layout).exists()


async def test_without_one_a_file_is_made_for_its_owner_alone(layout):
    assert (await master.load(Settings(), layout)).origin == "none"

    master.make_own(layout)
    first = await master.load(Settings(), layout)
    master.make_own(layout)

    assert first.origin == "data directory"
    assert (await master.load(Settings(), layout)).current.id == first.current.id
    assert stat.S_IMODE(master_file(layout).stat().st_mode) == 0o600
    assert [path.name for path in layout.root.iterdir() if "master" in path.name] == ["master.key"]


async def test_an_earlier_key_still_opens_and_the_first_one_wraps(layout):
    other = os.urandom(32)
    settings = Settings(master_key=Secret(KEY.hex()), master_key_old=Secret(other.hex()))

    masters = await master.load(settings, layout)

    assert masters.current.id == Cipher(KEY, "mk").id
    assert masters.named(Cipher(other, "mk").id).id == Cipher(other, "mk").id


async def test_a_wrong_master_key_names_both_ids(layout):
    masters = await master.load(Settings(master_key=Secret(KEY.hex())), layout)

    with pytest.raises(MasterKeyError) as caught:
        masters.named("mk-0011223344556677")

    assert "mk-0011223344556677" in caught.value.message
    assert masters.current.id in caught.value.message
    assert "FLYBALL_MASTER_KEY_OLD" in caught.value.next_step


async def test_one_who_gives_a_key_after_a_file_was_made_still_opens_what_is_there(layout):
    master.make_own(layout)
    made = (await master.load(Settings(), layout)).current.id

    masters = await master.load(Settings(master_key=Secret(KEY.hex())), layout)

    assert [key.id for key in masters.keys] == [Cipher(KEY, "mk").id, made]
