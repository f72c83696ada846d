"""Three scenes with OpenAI's own client: a plain answer, a streamed one, a tool called and answered."""

import openai
import telling

MODEL = "gpt-4o-mini"
TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "The weather in a city", "parameters": telling.SCHEMA},
}
client = openai.OpenAI(base_url=f"{telling.UPSTREAM}/v1", api_key="none", max_retries=0)
opening = [{"role": "system", "content": telling.SYSTEM}, {"role": "user", "content": telling.QUESTION}]


def plain() -> None:
    client.chat.completions.create(model=MODEL, messages=opening, temperature=0.5, max_tokens=100)


def streamed() -> None:
    for _ in client.chat.completions.create(
        model=MODEL, messages=opening, stream=True, stream_options={"include_usage": True}
    ):
        pass


def tool() -> None:
    said = [{"role": "user", "content": telling.WEATHER_QUESTION}]
    answer = client.chat.completions.create(model=MODEL, messages=said, tools=[TOOL])
    call = answer.choices[0].message.tool_calls[0]
    said += [
        answer.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": telling.WEATHER},
    ]
    client.chat.completions.create(model=MODEL, messages=said, tools=[TOOL])


SCENES = (plain, streamed, tool)
