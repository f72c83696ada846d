"""Who is told: which addresses may be, what is shown of them, who decides, and what the record says."""

from dataclasses import replace

import pytest

from flyball.audit import service as audit
from flyball.infra.context import Actor
from flyball.infra.egress.errors import AddressDeniedError
from flyball.kit.secrets import Secret
from flyball.notifications import service
from flyball.notifications.errors import (
    ReceiverInvalidError,
    ReceiverNotFoundError,
    ReceiverTakenError,
    TooManyReceiversError,
    TrialWaitingError,
)
from flyball.projects.errors import ExceedsOwnRightsError
from flyball.secrets import service as secrets


@pytest.mark.parametrize(
    "address",
    [
        "", "ann@example.com", "mailto:", "mailto:ann", "mailto:ann@here", "mailto:ann@example.com,bob@example.com",
        "mailto:ann@example.com?bcc=eve@example.com", "mailto:ann@example.com\nBcc: eve@example.com", "mailto:a..b@example.com",
        "mailto:ann@example.com%0aBcc:eve@example.com", "mailto:" + "a" * 65 + "@example.com", "mailto:ann@" + "a." * 130 + "com",
        "mailto:änn@example.com", "ftp://example.com/x", "https://", "https://user:pass@example.com/x", "https://example.com:25/x",
        "https://exämple.com/x", "javascript:alert(1)", "file:///etc/passwd", "https://127.1/x", "https://0x7f000001/",
    ],
)  # fmt: skip
async def test_an_address_that_nothing_is_sent_to_is_refused(ctx, address):
    with pytest.raises(ReceiverInvalidError) as refused:
        await service.add_receiver(ctx, address, secret="secret:hook" if address.startswith("h") else "")

    assert refused.value.next_step
    assert await service.list_receivers(ctx) == ()


@pytest.mark.parametrize("url", ["https://10.0.0.1/x", "https://169.254.169.254/latest", "https://[::1]/x"])
async def test_a_webhook_inside_a_network_that_nobody_listed_is_refused(ctx, url):
    with pytest.raises(AddressDeniedError):
        await service.add_receiver(ctx, url, secret="secret:hook")


async def test_plain_http_is_for_networks_that_the_operator_lists(ctx, hook):
    with pytest.raises(ReceiverInvalidError, match="not https"):
        await service.add_receiver(ctx, "http://93.184.216.34/x", secret="secret:hook")

    assert (await service.add_receiver(ctx, hook.url, secret="secret:hook")).kind == "webhook"


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("", "needs a secret"),
        ("env:HOOK_SECRET", "needs a secret"),
        ("file:/run/secrets/x", "needs a secret"),
        ("correct horse battery staple", "needs a secret"),
        ("secret:nobody", "stands for nothing"),
        ("secret:short", "shorter than 16 bytes"),
        ("secret:elsewhere", "may not be used for"),
    ],
)
async def test_a_webhook_needs_a_secret_of_the_project_that_is_for_its_host(ctx, hook, secret, why):
    await secrets.set_secret(ctx, "short", Secret("123456789012345"), [hook.host])
    await secrets.set_secret(ctx, "elsewhere", Secret("1" * 32), ["api.openai.com"])

    with pytest.raises(ReceiverInvalidError, match=why) as refused:
        await service.add_receiver(ctx, hook.url, secret=secret)
    assert f"--host {hook.host}" in refused.value.next_step
    assert "correct horse" not in str(refused.value)


async def test_of_a_webhook_no_more_than_its_host_is_ever_shown(ctx, admin, hook, receiver):
    await service.send_test(ctx, receiver.id)
    shown = [
        (await admin.get("/api/notifications/receivers")).text,
        (await admin.get("/api/notifications")).text,
        (await admin.get("/api/audit?limit=50")).text,
        repr(await service.list_receivers(ctx)),
    ]

    assert f"http://{hook.host} (" in shown[0]
    assert not [text for text in shown if "T0KEN" in text or "in=path" in text]


async def test_an_address_is_told_once_and_twenty_at_most(ctx):
    first = await service.add_receiver(ctx, "mailto:ann@example.com")
    with pytest.raises(ReceiverTakenError):
        await service.add_receiver(ctx, "mailto:ann@example.com")
    for number in range(19):
        await service.add_receiver(ctx, f"mailto:{number}@example.com")
    with pytest.raises(TooManyReceiversError):
        await service.add_receiver(ctx, "mailto:last@example.com")

    await service.remove_receiver(ctx, first.id)
    assert (await service.add_receiver(ctx, "mailto:ann@example.com")).id != first.id


async def test_e_mail_on_a_server_that_sends_none_is_taken_and_says_so(ctx):
    made = await service.add_receiver(ctx, "mailto:ann@example.com")

    assert "FLYBALL_SMTP_SERVER" in made.notes[0]
    with pytest.raises(ReceiverInvalidError, match="not signed"):
        await service.add_receiver(ctx, "mailto:bob@example.com", secret="secret:hook")


async def test_whom_the_organisation_tells_only_its_owners_decide(ctx):
    maintainer = ctx.acting_as(Actor(id="mem_1", kind="member", name="mo", permissions=frozenset({"budgets.write"})))
    with pytest.raises(ExceedsOwnRightsError):
        await service.add_receiver(maintainer, "mailto:ann@example.com", organisation_wide=True)
    wide = await service.add_receiver(ctx, "mailto:ann@example.com", organisation_wide=True)
    for deed in (service.remove_receiver, service.send_test):
        with pytest.raises(ExceedsOwnRightsError):
            await deed(maintainer, wide.id)

    assert [one.organisation_wide for one in await service.list_receivers(ctx)] == [True]


async def test_another_project_sees_and_changes_none_of_it(ctx, receiver):
    from declaring import make_projects

    await make_projects(ctx.db.across_projects(), {"theirs": "other"})
    theirs = replace(ctx, project="theirs")

    assert await service.list_receivers(theirs) == ()
    for deed in (service.remove_receiver, service.send_test):
        with pytest.raises(ReceiverNotFoundError):
            await deed(theirs, receiver.id)


async def test_a_test_is_one_at_a_time(ctx, receiver):
    assert (await service.send_test(ctx, receiver.id)).waiting == 1
    with pytest.raises(TrialWaitingError):
        await service.send_test(ctx, receiver.id)


async def test_adding_testing_and_removing_are_recorded(ctx, receiver):
    await service.send_test(ctx, receiver.id)
    await service.remove_receiver(ctx, receiver.id)

    found = [one.action for one in (await audit.list_events(ctx)).items if one.object_kind == "receiver"]
    assert found == ["notifications.remove", "notifications.test", "notifications.add"]


async def test_receivers_over_http_are_made_listed_tested_and_removed(admin, hook):
    new = {"address": hook.url, "secret": "secret:hook"}
    made = await admin.post("/api/notifications/receivers", new)
    path = f"/api/notifications/receivers/{made.json()['id']}"

    assert made.status == 201
    assert (await admin.post("/api/notifications/receivers", new)).status == 409
    assert (await admin.post(f"{path}/tests", {})).status == 202
    assert [one["subject"] for one in (await admin.get("/api/notifications")).json()["items"]] == [
        "A test of flyball's notifications"
    ]
    assert (await admin.delete(path)).status == 200
    assert (await admin.delete(path)).status == 404
    assert (await admin.get("/api/notifications/receivers")).json() == {"items": []}
