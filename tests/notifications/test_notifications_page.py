"""The page of who is told: what it shows and hides, what its forms do, who may."""

import pytest

from flyball.notifications import service
from flyball.notifications.delivering import Deliverer
from flyball.projects import keys


@pytest.fixture
def submit(admin):
    async def submit(path, **fields):
        return await admin.post(path, form=fields)

    return submit


async def test_it_shows_who_is_told_and_what_became_of_it_and_no_path_of_a_webhook(ctx, admin, hook, receiver):
    hook.status = 500
    await service.send_test(ctx, receiver.id)
    await Deliverer(ctx).send_due()
    page = (await admin.get("/notifications")).text

    assert f"http://{hook.host} (" in page
    assert "answered 500" in page
    assert "A test of flyball&#39;s notifications" in page
    assert "T0KEN" not in page


async def test_its_form_takes_a_bare_mailbox_and_a_bare_name_of_a_secret(ctx, submit, hook):
    await submit("/notifications", address=" ann@example.com ")
    await submit("/notifications", address=hook.url, secret="hook")

    assert {(one.kind, one.secret) for one in await service.list_receivers(ctx)} == {
        ("e-mail", ""),
        ("webhook", "secret:hook"),
    }


@pytest.mark.parametrize("address", ["", "x", "ftp://x", "http://169.254.169.254/", "https://x\r\nhost: y", "mailto:a"])
async def test_what_is_no_address_leads_back_with_the_reason(ctx, submit, address):
    answered = await submit("/notifications", address=address, secret="hook")

    assert answered.status == 303
    assert await service.list_receivers(ctx) == ()


async def test_who_may_only_look_sees_no_form_and_is_refused(ctx, public, receiver):
    _, secret = await keys.create_key(ctx, "eyes", "viewer")
    viewer = {"authorization": f"Bearer {secret.reveal()}"}
    page = await public.get("/notifications", headers=viewer)

    assert page.status == 200
    assert 'action="/notifications' not in page.text
    for path in ("", f"/{receiver.id}/tests", f"/{receiver.id}/removal"):
        assert (await public.post(f"/notifications{path}", form={}, headers=viewer)).status == 403
