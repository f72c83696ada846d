"""What a process keeps of what references stand for: for how long, fetched by whom, and who waits."""

import asyncio

import pytest

from flyball.infra.secrets import keyring as module
from flyball.infra.secrets.keyring import Keyring
from flyball.infra.secrets.references import Found, Missing
from flyball.kit.clock import FixedClock
from flyball.kit.layout import Layout
from flyball.kit.secrets import Secret
from flyball.settings import Settings

REFERENCE = "cmd:openai"


class Outside:
    """What is asked outside of flyball, as slow and as wrong as a test wants it."""

    def __init__(self):
        self.asked = 0
        self.value = "one"
        self.open = asyncio.Event()
        self.open.set()

    async def fetch(self, *_):
        self.asked += 1
        await self.open.wait()
        return Found(Secret(self.value)) if self.value else Missing("it is away")


@pytest.fixture
def outside(monkeypatch):
    outside = Outside()
    monkeypatch.setattr(module, "fetch", outside.fetch)
    return outside


@pytest.fixture
def clock():
    return FixedClock()


@pytest.fixture
def keyring(tmp_path, clock):
    return Keyring(Settings(secret_seconds=300), Layout(tmp_path), clock)


async def value(keyring):
    found = (await keyring.look_up([REFERENCE], stored={}, patience=0.05))(REFERENCE)
    await asyncio.sleep(0)  # what was begun in the background goes on
    await asyncio.sleep(0)
    return found.secret.reveal() if isinstance(found, Found) else found.reason


async def test_it_is_asked_once_until_its_time_is_over_and_then_in_the_background(keyring, outside, clock):
    assert [await value(keyring) for _ in range(5)] == ["one"] * 5
    assert outside.asked == 1
    outside.value = "two"
    clock.advance(299)
    assert (await value(keyring), outside.asked) == ("one", 1)

    clock.advance(2)

    assert await value(keyring) == "one"  # nobody waits for the new one
    assert (await value(keyring), outside.asked) == ("two", 2)


async def test_many_who_ask_at_once_ask_once(keyring, outside):
    outside.open.clear()
    asking = [asyncio.create_task(value(keyring)) for _ in range(20)]
    await asyncio.sleep(0.01)
    outside.open.set()

    assert await asyncio.gather(*asking) == ["one"] * 20
    assert outside.asked == 1


async def test_who_asks_first_waits_but_a_little_and_news_tells_of_the_answer(keyring, outside):
    news = []
    keyring.when_changed = lambda: news.append(1)
    outside.open.clear()

    assert await value(keyring) == "cmd:openai is still being fetched"
    assert news == []
    outside.open.set()
    await asyncio.sleep(0.01)

    assert news == [1]
    assert await value(keyring) == "one"


async def test_while_it_is_away_the_old_answer_holds_and_at_last_no_more(keyring, outside, clock):
    assert await value(keyring) == "one"
    outside.value = ""

    clock.advance(301)
    assert [await value(keyring) for _ in range(3)] == ["one"] * 3
    asked = outside.asked
    clock.advance(11)
    await value(keyring)
    assert outside.asked == asked + 1
    clock.advance(12 * 300)

    assert await value(keyring) == "cmd:openai could not be fetched again for too long"
    outside.value = "back"
    clock.advance(11)
    await value(keyring)
    assert await value(keyring) == "back"


async def test_what_failed_is_asked_again_soon_but_not_at_each_look(keyring, outside, clock):
    outside.value = ""
    assert [await value(keyring) for _ in range(5)] == ["it is away"] * 5
    assert outside.asked == 1

    outside.value = "there"
    clock.advance(11)
    await value(keyring)

    assert await value(keyring) == "there"


async def test_stored_secrets_are_the_projects_own(keyring):
    look_up = await keyring.look_up(["secret:openai"], stored={"openai": Found(Secret("x"), ("a",))})

    assert look_up("secret:openai").hosts == ("a",)
    assert "flyball secrets set other" in look_up("secret:other").reason
    assert isinstance(look_up("sk-1234"), Missing)
    assert isinstance(look_up("cmd:never-asked"), Missing)
