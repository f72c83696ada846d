"""Three scenes with LangChain's model of OpenAI: a plain answer, a streamed one, a tool called and answered."""

import telling
from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool as as_tool
from langchain_openai import ChatOpenAI

model = ChatOpenAI(
    model="gpt-4o-mini", base_url=f"{telling.UPSTREAM}/v1", api_key="none", max_retries=0, stream_usage=True
)
opening = [SystemMessage(telling.SYSTEM), HumanMessage(telling.QUESTION)]


@as_tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return telling.WEATHER if city else ""


def plain() -> None:
    model.invoke(opening)


def streamed() -> None:
    for _ in model.stream(opening):
        pass


def tool() -> None:
    with_tool, said = model.bind_tools([get_weather]), [HumanMessage(telling.WEATHER_QUESTION)]
    answer = with_tool.invoke(said)
    call = answer.tool_calls[0]
    said += [answer, ToolMessage(get_weather.invoke(call["args"]), tool_call_id=call["id"])]
    with_tool.invoke(said)


SCENES = (plain, streamed, tool)
