"""Three scenes with Anthropic's own client: a plain answer, a streamed one, a tool called and answered."""

import anthropic
import telling

MODEL = "claude-sonnet-4-5"
TOOL = {"name": "get_weather", "description": "The weather in a city", "input_schema": telling.SCHEMA}
client = anthropic.Anthropic(base_url=telling.UPSTREAM, api_key="none", max_retries=0)
opening = {
    "model": MODEL, "max_tokens": 100, "system": telling.SYSTEM, "messages": [{"role": "user", "content": telling.QUESTION}],
}  # fmt: skip


def plain() -> None:
    client.messages.create(**opening)


def streamed() -> None:
    with client.messages.stream(**opening) as stream:
        for _ in stream:
            pass


def tool() -> None:
    said = [{"role": "user", "content": telling.WEATHER_QUESTION}]
    answer = client.messages.create(model=MODEL, max_tokens=100, messages=said, tools=[TOOL])
    call = next(block for block in answer.content if block.type == "tool_use")
    said += [
        {"role": "assistant", "content": [block.model_dump(exclude_none=True) for block in answer.content]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": call.id, "content": telling.WEATHER}]},
    ]
    client.messages.create(model=MODEL, max_tokens=100, messages=said, tools=[TOOL])


SCENES = (plain, streamed, tool)
