"""Who may be reached from other machines: a flyball of which somebody said how the way is encrypted, and at which somebody has a password."""

import ssl

import pytest

from flyball.cli.admission import check_somebody_has_a_password, check_word_about_tls
from flyball.infra.processes.errors import AddressRefusedError
from flyball.kit.secrets import hash_password
from flyball.projects import keys, members
from flyball.settings import Settings

WIDE = "192.0.2.1"


async def have_a_password(ctx):
    await members.add_member(ctx, "ada", "maintainer")
    async with ctx.db.across_projects().transaction() as connection:
        await connection.execute("update members set password_verifier = %s", (hash_password("correct horse battery"),))


async def test_without_a_password_only_loopback_is_served(ctx):
    with pytest.raises(
        AddressRefusedError, match=r"192\.0\.2\.1 can be reached .* nobody has set a password"
    ) as refusal:
        await check_somebody_has_a_password(ctx.db, WIDE)

    assert "127.0.0.1 first" in refusal.value.next_step


async def test_a_key_is_not_enough(ctx):
    await keys.create_key(ctx, "demo", "viewer")

    with pytest.raises(AddressRefusedError):
        await check_somebody_has_a_password(ctx.db, WIDE)


async def test_a_password_is_enough(ctx):
    await have_a_password(ctx)

    await check_somebody_has_a_password(ctx.db, WIDE)


async def test_the_password_of_a_member_who_left_is_none(ctx):
    await have_a_password(ctx)
    async with ctx.db.across_projects().transaction() as connection:
        await connection.execute("update members set removed_ns = 1")

    with pytest.raises(AddressRefusedError):
        await check_somebody_has_a_password(ctx.db, WIDE)


def test_beyond_loopback_takes_a_word_about_tls():
    with pytest.raises(AddressRefusedError, match="nothing says how the way to it is encrypted") as refusal:
        check_word_about_tls(Settings(host=WIDE), beyond_loopback=True)

    assert "--tls proxy" in refusal.value.next_step
    assert "--tls none-i-know" in refusal.value.next_step
    assert "--tls-certificate" in refusal.value.next_step


@pytest.mark.parametrize("word", ["proxy", "none-i-know"])
def test_a_word_is_enough(word):
    check_word_about_tls(Settings(host=WIDE, tls=word), beyond_loopback=True)


@pytest.mark.parametrize("word", ["no", "yes", "PROXY", "none", "off"])
def test_any_other_word_is_refused_on_loopback_too(word):
    with pytest.raises(AddressRefusedError, match="is no word about TLS"):
        check_word_about_tls(Settings(tls=word), beyond_loopback=False)


def test_on_loopback_nothing_need_be_said():
    check_word_about_tls(Settings(), beyond_loopback=False)


def test_a_certificate_speaks_for_itself(certificate):
    check_word_about_tls(
        Settings(host=WIDE, tls_certificate=certificate[0], tls_key=certificate[1]), beyond_loopback=True
    )


@pytest.mark.parametrize("change", [{"tls_key": ""}, {"tls_certificate": ""}, {"tls_key": "/nowhere"}])
def test_half_a_certificate_is_refused(certificate, change):
    given = {"tls_certificate": certificate[0], "tls_key": certificate[1]} | change

    with pytest.raises(AddressRefusedError, match="is no file"):
        check_word_about_tls(Settings(**given), beyond_loopback=False)


def test_files_that_are_no_certificate_are_refused(tmp_path, certificate):
    wrong = tmp_path / "wrong.pem"
    wrong.write_text("not a certificate")

    with pytest.raises(AddressRefusedError, match="are no certificate and its key"):
        check_word_about_tls(Settings(tls_certificate=str(wrong), tls_key=certificate[1]), beyond_loopback=True)


async def test_the_gateway_speaks_https_with_it(certificate, serving_https):
    believing = ssl.create_default_context(cafile=certificate[0])

    head = await serving_https(believing)

    assert head.startswith(b"HTTP/1.1 200")


async def test_the_gateway_speaks_no_plain_http_then(serving_https):
    assert b"200" not in await serving_https(None)


async def test_old_versions_of_tls_are_refused(serving_https):
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1

    with pytest.raises((ssl.SSLError, ConnectionError)):
        await serving_https(old)
