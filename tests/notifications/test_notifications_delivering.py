"""What is told arrives, signed, at least once and with one id, whatever is away or killed; and what never arrives is given up visibly."""

import asyncio
import email.policy
import ssl
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from receiving import Hook, Mailbox

from flyball.kit.clock import FixedClock, SystemClock
from flyball.kit.layout import Layout
from flyball.kit.secrets import Secret
from flyball.notifications import mail, service, store
from flyball.notifications.delivering import LOST_SECONDS, MOST_TRIES, Deliverer, delivering, pause_seconds
from flyball.notifications.errors import NotToldError
from flyball.notifications.records import Message, Notice
from flyball.notifications.telling import tell
from flyball.secrets import service as secrets
from flyball.settings import Settings

SECOND = 10**9
NOTICE = Notice(kind="trial", about="something", subject="Something is up", text="Look at it.", data={"used": 7})
MESSAGE = Message(
    id="ntf_1",
    kind="trial",
    at_ns=1_780_315_200 * SECOND,
    organisation="default",
    project="default",
    subject="Something\nis up",
    text="Look at it.",
    data={},
)


async def say(ctx, notice=NOTICE, project="default"):
    async with ctx.db.across_projects().transaction() as connection:
        return await tell(connection, notice, organisation="default", project=project, now_ns=ctx.clock.now_ns())


async def newest(ctx):
    return (await service.list_notifications(ctx)).items[0]


async def test_a_webhook_is_told_once_with_a_good_signature(ctx, hook, receiver):
    assert await say(ctx) == (receiver.id,)
    assert await say(ctx) == ()  # it is about the same

    assert await Deliverer(ctx).send_due() == 1
    assert await Deliverer(ctx).send_due() == 0

    (told,) = hook.told
    assert (told["id"], told["subject"], told["used"], told["project"]) == (
        hook.ids[0], "Something is up", 7, "default",
    )  # fmt: skip
    assert ((await newest(ctx)).state, (await newest(ctx)).tries) == ("delivered", 1)


async def test_what_is_told_in_a_transaction_that_fails_is_not_told(ctx, hook, receiver):
    async def fail():
        async with ctx.db.transaction() as connection:
            await tell(connection, NOTICE, organisation="default", project="default", now_ns=1)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()

    assert await Deliverer(ctx).send_due() == 0


async def test_a_receiver_that_is_away_is_tried_with_growing_pauses_and_then_given_up(ctx, clock, hook, receiver):
    hook.status = 503
    await say(ctx)
    for tries in range(1, MOST_TRIES + 1):
        assert await Deliverer(ctx).send_due() == 1
        assert await Deliverer(ctx).send_due() == 0, "not before its pause is over"
        clock.advance(pause_seconds(tries))

    last = await newest(ctx)
    (shown,) = await service.list_receivers(ctx)
    assert (last.state, last.tries, last.next_ns) == ("given_up", MOST_TRIES, None)
    assert "answered 503" in last.error
    assert "T0KEN" not in last.error
    assert (shown.given_up, shown.waiting, shown.error) == (1, 0, last.error)
    assert await Deliverer(ctx).send_due() == 0
    assert len(set(hook.ids)) == 1


async def test_a_receiver_that_comes_back_is_told_then(ctx, clock, hook, receiver):
    hook.status = 500
    await say(ctx)
    await Deliverer(ctx).send_due()
    hook.status = 204
    clock.advance(pause_seconds(1))
    await Deliverer(ctx).send_due()

    assert len(hook.told) == 1
    assert ((await newest(ctx)).state, (await newest(ctx)).error) == ("delivered", "")


async def test_what_a_killed_process_was_sending_is_sent_again_with_the_same_id(ctx, clock, hook, receiver):
    await say(ctx)
    hook.hold.clear()
    sending = asyncio.create_task(Deliverer(ctx).send_due())
    while not hook.told:
        await asyncio.sleep(0.01)
    sending.cancel()  # it has arrived, and nobody could write so
    await asyncio.wait([sending])
    hook.hold.set()
    assert await Deliverer(ctx).send_due() == 0, "somebody may still be sending it"

    clock.advance(LOST_SECONDS)
    await Deliverer(ctx).send_due()

    assert [one["id"] for one in hook.told] == [hook.ids[0]] * 2
    assert (await newest(ctx)).state == "delivered"


async def test_a_process_that_is_killed_after_it_sent_and_before_it_said_so_loses_and_renames_nothing(
    ctx, hook, receiver, clock
):
    ctx = replace(ctx, clock=SystemClock())
    await say(ctx)
    hook.hold.clear()
    program = Path(__file__).with_name("sending_process.py")
    process = await asyncio.create_subprocess_exec(sys.executable, str(program), ctx.db.url, str(ctx.layout.root))
    async with asyncio.timeout(30):
        while not hook.told:
            await asyncio.sleep(0.01)
    process.kill()
    await process.wait()
    hook.hold.set()
    assert (await newest(ctx)).state == "waiting"

    await Deliverer(replace(ctx, clock=FixedClock(ctx.clock.now_ns() + LOST_SECONDS * SECOND))).send_due()

    assert [one["id"] for one in hook.told] == [hook.ids[0]] * 2
    assert ((await newest(ctx)).state, (await newest(ctx)).tries) == ("delivered", 2)


async def test_two_processes_never_send_the_same_try(ctx, hook, receiver):
    for number in range(20):
        await say(ctx, msgspec.structs.replace(NOTICE, about=f"{number}"))
    deliverers = [Deliverer(ctx) for _ in range(4)]
    while any(await asyncio.gather(*(one.send_due() for one in deliverers))):
        pass

    assert len(hook.ids) == len(set(hook.ids)) == 20


async def test_a_slow_receiver_holds_up_its_own_messages_alone(ctx, hook, receiver):
    async with Hook(hook.secret) as other:
        await secrets.set_secret(ctx, "other", Secret(other.secret), [other.host])
        for number in range(50):
            await say(ctx, msgspec.structs.replace(NOTICE, about=f"{number}"))
        await service.add_receiver(ctx, other.url, secret="secret:other")
        await say(ctx, msgspec.structs.replace(NOTICE, about="last"))
        hook.hold.clear()
        sending = asyncio.create_task(Deliverer(ctx).send_due())
        async with asyncio.timeout(5):
            while not other.told:
                await asyncio.sleep(0.01)
        hook.hold.set()
        assert await sending == store.AT_ONCE + 1


async def test_the_task_of_the_control_process_delivers_by_itself(ctx, hook, receiver):
    async with delivering(ctx), asyncio.timeout(5):
        await say(ctx)
        while not hook.told:
            await asyncio.sleep(0.02)


async def test_a_secret_that_is_gone_or_bound_elsewhere_signs_nothing(ctx, hook, receiver):
    await say(ctx)
    await secrets.set_secret(ctx, "hook", Secret(hook.secret), ["elsewhere.example"])
    await Deliverer(ctx).send_due()

    assert hook.ids == []
    assert "may not be used for 127.0.0.1" in (await newest(ctx)).error


async def test_an_address_that_leads_inside_later_is_not_called(ctx, clock, hook, receiver):
    await say(ctx)
    strict = Deliverer(_with(ctx, allowed_networks=""))
    await strict.send_due()

    assert hook.ids == []
    assert "is not called: it leads to this machine" in (await newest(ctx)).error


async def test_a_removed_receiver_is_told_nothing_more(ctx, hook, receiver):
    await say(ctx)
    await service.remove_receiver(ctx, receiver.id)

    assert await Deliverer(ctx).send_due() == 0
    assert (await newest(ctx)).error == "its receiver was removed"
    assert await say(ctx, msgspec.structs.replace(NOTICE, about="later")) == ()


async def test_the_organisation_and_its_projects_are_told_apart(ctx, hook):
    wide = await service.add_receiver(ctx, hook.url, secret="secret:hook", organisation_wide=True)
    own = await service.add_receiver(ctx, hook.url, secret="secret:hook")

    assert await say(ctx, project=None) == (wide.id,)
    assert await say(ctx) == (own.id,)


async def test_what_ended_long_ago_is_forgotten_and_what_waits_is_not(ctx, clock, hook, receiver):
    await say(ctx)
    await Deliverer(ctx).send_due()
    await say(ctx, msgspec.structs.replace(NOTICE, about="later"))
    async with ctx.db.connection() as connection:
        assert await store.forget(connection, clock.now_ns() + 1) == 1

    assert [one.state for one in (await service.list_notifications(ctx)).items] == ["waiting"]


# -- e-mail


async def test_e_mail_goes_by_starttls_and_signs_in_only_then(certificate, monkeypatch, layout: Layout):
    serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    serving.load_cert_chain(*certificate)
    monkeypatch.setenv("SMTP_TOKEN", "pass-word")
    async with Mailbox(serving) as mailbox:
        settings = Settings(
            smtp_server=mailbox.address, smtp_from="flyball <bot@example.com>", smtp_user="bot", smtp_password="env:SMTP_TOKEN"
        )  # fmt: skip
        believing = ssl.create_default_context(cafile=certificate[0])
        await mail.send(settings, layout, "ann@example.com", MESSAGE, tls=believing)

        with pytest.raises(NotToldError, match="certificate"):
            await mail.send(settings, layout, "ann@example.com", MESSAGE)

    (got,) = mailbox.mails
    assert mailbox.to == ["rcpt TO:<ann@example.com>"]
    assert (got["subject"], got["message-id"], got["to"]) == (
        "Something is up", "<ntf_1@example.com>", "ann@example.com",
    )  # fmt: skip
    assert got.get_content().startswith("Look at it.")
    assert len(mailbox.signed_in) == 1


async def test_a_server_without_starttls_gets_no_mail_unless_the_operator_says_so(layout):
    async with Mailbox() as mailbox:
        careful = Settings(smtp_server=mailbox.address, smtp_from="bot@example.com")
        with pytest.raises(NotToldError, match="STARTTLS"):
            await mail.send(careful, layout, "ann@example.com", MESSAGE)
        plain = msgspec.structs.replace(careful, smtp_security="none")
        await mail.send(plain, layout, "ann@example.com", MESSAGE)

        assert len(mailbox.mails) == 1
        with pytest.raises(NotToldError, match="unencrypted"):
            await mail.send(
                msgspec.structs.replace(plain, smtp_user="bot", smtp_password="env:X_TOKEN"), layout, "a@b.c", MESSAGE
            )


async def test_a_mailbox_is_told_and_a_refusal_is_shown_as_the_server_said_it(ctx, clock):
    async with Mailbox() as mailbox:
        ctx = _with(ctx, smtp_server=mailbox.address, smtp_security="none", smtp_from="bot@example.com")
        await service.add_receiver(ctx, "mailto:ann@example.com")
        await say(ctx)
        mailbox.refuses = True
        await Deliverer(ctx).send_due()
        refused = await newest(ctx)
        mailbox.refuses = False
        clock.advance(pause_seconds(1))
        await Deliverer(ctx).send_due()

    assert (refused.state, "550 nobody of that name" in refused.error) == ("waiting", True)
    assert ((await newest(ctx)).state, mailbox.mails[0]["subject"]) == ("delivered", "Something is up")


@pytest.mark.parametrize("server", ["host:x", "host:0", "host:99999", ":25"])
async def test_an_smtp_server_that_is_none_is_told_by_its_setting(layout, server):
    settings = Settings(smtp_server=server, smtp_from="bot@example.com", smtp_security="none")

    with pytest.raises(NotToldError, match="FLYBALL_SMTP_SERVER"):
        await mail.send(settings, layout, "ann@example.com", MESSAGE)


def _with(ctx, **knobs):
    return replace(ctx, settings=msgspec.structs.replace(ctx.settings, **knobs))


async def test_an_smtp_server_that_stalls_holds_up_nothing_else(layout):
    hung = asyncio.Event()

    async def stall(_reader, writer):
        await hung.wait()
        writer.close()

    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    settings = Settings(
        smtp_server=f"127.0.0.1:{port}", smtp_from="flyball <flyball@example.com>", smtp_security="none"
    )
    sending = [asyncio.create_task(mail.send(settings, layout, "ann@example.com", MESSAGE)) for _ in range(40)]
    await asyncio.sleep(0.2)
    try:
        assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 5) == "free"
    finally:
        hung.set()
        await asyncio.gather(*sending, return_exceptions=True)
        server.close()


@pytest.mark.parametrize(
    "name",
    ["=?utf-8?q?all_is_well?=", 'a{<<=@&" =?=%:é{(a<=>a={<a=( ("?=😀\uff0céa=?utf-8?q?@\uff0ca{<\\ =?utf-8?q?=aa\\)<'],
)
def test_a_name_in_a_subject_is_read_as_it_is_written_and_keeps_no_mail_back(name):
    told = mail.written("bot@example.com", "ann@example.com", msgspec.structs.replace(MESSAGE, subject=f"tag {name}"))

    found = email.message_from_bytes(told.as_bytes(), policy=email.policy.default)

    assert found["subject"].replace("= ?", "=?") == f"tag {name}"
