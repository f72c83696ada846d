"""Tasks that forget a cancellation are cancelled again."""

import asyncio

from flyball.kit.ending import end


async def forgetful(times: int) -> None:
    for _ in range(times):
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            continue
    await asyncio.Event().wait()


async def test_a_stop_does_not_wait_for_a_task_that_forgot_its_cancellation():
    tasks = [asyncio.create_task(forgetful(times)) for times in (0, 1, 2)]
    await asyncio.sleep(0)

    async with asyncio.timeout(30):
        await end(*tasks)

    assert all(task.cancelled() for task in tasks)


async def test_tasks_that_have_ended_need_no_end():
    task = asyncio.create_task(asyncio.sleep(0))
    await task

    await end(task)
