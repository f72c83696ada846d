"""Three scenes with a pydantic-ai agent on OpenAI: a plain answer, a streamed one, a tool called and answered."""

import asyncio

import telling
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

model = OpenAIChatModel("gpt-4o-mini", provider=OpenAIProvider(base_url=f"{telling.UPSTREAM}/v1", api_key="none"))
loop = asyncio.new_event_loop()  # one for all scenes: the client keeps its connections
speaker = Agent(model, system_prompt=telling.SYSTEM)
forecaster = Agent(model)


@forecaster.tool_plain
def get_weather(city: str) -> str:
    """The weather in a city."""
    return telling.WEATHER if city else ""


def plain() -> None:
    loop.run_until_complete(speaker.run(telling.QUESTION))


def streamed() -> None:
    async def read() -> None:
        async with speaker.run_stream(telling.QUESTION) as stream:
            async for _ in stream.stream_text():
                pass

    loop.run_until_complete(read())


def tool() -> None:
    loop.run_until_complete(forecaster.run(telling.WEATHER_QUESTION))


SCENES = (plain, streamed, tool)
