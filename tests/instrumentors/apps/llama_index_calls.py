"""Three scenes with LlamaIndex' model of OpenAI: a plain answer, a streamed one, a tool called and answered."""

import telling
from llama_index.core.llms import ChatMessage
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI

model = OpenAI(model="gpt-4o-mini", api_base=f"{telling.UPSTREAM}/v1", api_key="none", max_retries=0)
opening = [ChatMessage(role="system", content=telling.SYSTEM), ChatMessage(role="user", content=telling.QUESTION)]


def get_weather(city: str) -> str:
    """The weather in a city."""
    return telling.WEATHER if city else ""


def plain() -> None:
    model.chat(opening)


def streamed() -> None:
    for _ in model.stream_chat(opening, stream_options={"include_usage": True}):
        pass


def tool() -> None:
    weather = FunctionTool.from_defaults(get_weather)
    said = [ChatMessage(role="user", content=telling.WEATHER_QUESTION)]
    answer = model.chat_with_tools([weather], chat_history=said)
    call = model.get_tool_calls_from_response(answer)[0]
    said += [
        answer.message,
        ChatMessage(
            role="tool", content=str(weather(**call.tool_kwargs)), additional_kwargs={"tool_call_id": call.tool_id}
        ),
    ]
    model.chat_with_tools([weather], chat_history=said)


SCENES = (plain, streamed, tool)
