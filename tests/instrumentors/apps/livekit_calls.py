"""Three scenes with LiveKit's agents on OpenAI: a plain answer of an agent, one streamed from its model, an agent's tool."""

import asyncio
from collections.abc import Awaitable, Callable

import telling
from livekit.agents import Agent, AgentSession, ChatContext, function_tool, telemetry
from livekit.plugins import openai

telemetry.set_tracer_provider(telling.provider)


def plain() -> None:
    asyncio.run(_said(telling.QUESTION, Agent(instructions=telling.SYSTEM)))


def streamed() -> None:
    async def read(model: openai.LLM) -> None:
        opening = ChatContext.empty()
        opening.add_message(role="system", content=telling.SYSTEM)
        opening.add_message(role="user", content=telling.QUESTION)
        async with model.chat(chat_ctx=opening) as stream:
            async for _ in stream:
                pass

    asyncio.run(_with_model(read))


def tool() -> None:
    @function_tool
    async def get_weather(city: str) -> str:
        """The weather in a city."""
        return telling.WEATHER if city else ""

    asyncio.run(_said(telling.WEATHER_QUESTION, Agent(instructions="", tools=[get_weather])))


async def _said(words: str, agent: Agent) -> None:
    async def run(model: openai.LLM) -> None:
        async with AgentSession(llm=model) as session:
            await session.start(agent)
            await session.run(user_input=words)

    await _with_model(run)


async def _with_model(run: Callable[[openai.LLM], Awaitable[None]]) -> None:
    async with openai.LLM(model="gpt-4o-mini", base_url=f"{telling.UPSTREAM}/v1", api_key="none") as model:
        await run(model)


SCENES = (plain, streamed, tool)
