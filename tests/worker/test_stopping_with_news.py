"""A stop that comes in the very moment of news. What looks for runs must end, not take the stop for the news."""

import asyncio

import pytest

from flyball.worker import working


class _NothingToDo:
    """A ledger without unfinished runs."""

    async def unfinished(self):
        return ()


@pytest.mark.parametrize("turns", range(5))
async def test_a_stop_in_the_moment_of_news_is_heard(turns):
    news = asyncio.Event()
    serving = asyncio.create_task(working._serve(_NothingToDo(), None, news))
    await asyncio.sleep(0.01)

    news.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    serving.cancel()
    done, _ = await asyncio.wait({serving}, timeout=2)

    assert serving in done
