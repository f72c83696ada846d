"""Three scenes with LiteLLM: a plain answer, a streamed one, a tool called and answered."""

import litellm
import telling

WHERE = {"model": "openai/gpt-4o-mini", "api_base": f"{telling.UPSTREAM}/v1", "api_key": "none", "num_retries": 0}
TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "description": "The weather in a city", "parameters": telling.SCHEMA},
}
opening = [{"role": "system", "content": telling.SYSTEM}, {"role": "user", "content": telling.QUESTION}]


def plain() -> None:
    litellm.completion(messages=opening, **WHERE)


def streamed() -> None:
    for _ in litellm.completion(messages=opening, stream=True, stream_options={"include_usage": True}, **WHERE):
        pass


def tool() -> None:
    said = [{"role": "user", "content": telling.WEATHER_QUESTION}]
    answer = litellm.completion(messages=said, tools=[TOOL], **WHERE)
    call = answer.choices[0].message.tool_calls[0]
    said += [
        answer.choices[0].message.model_dump(exclude_none=True),
        {"role": "tool", "tool_call_id": call.id, "content": telling.WEATHER},
    ]
    litellm.completion(messages=said, tools=[TOOL], **WHERE)


SCENES = (plain, streamed, tool)
