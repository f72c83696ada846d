"""Three scenes with Google's own client: a plain answer, a streamed one, a tool called and answered."""

import telling
from google import genai
from google.genai import types

MODEL = "gemini-2.5-flash"
client = genai.Client(api_key="none", http_options=types.HttpOptions(base_url=telling.UPSTREAM))
spoken = types.GenerateContentConfig(system_instruction=telling.SYSTEM, max_output_tokens=100)
weather = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(
            name="get_weather", description="The weather in a city", parameters_json_schema=telling.SCHEMA
        )
    ]
)


def plain() -> None:
    client.models.generate_content(model=MODEL, contents=telling.QUESTION, config=spoken)


def streamed() -> None:
    for _ in client.models.generate_content_stream(model=MODEL, contents=telling.QUESTION, config=spoken):
        pass


def tool() -> None:
    config = types.GenerateContentConfig(tools=[weather])
    said = [types.Content(role="user", parts=[types.Part(text=telling.WEATHER_QUESTION)])]
    answer = client.models.generate_content(model=MODEL, contents=said, config=config)
    said += [
        answer.candidates[0].content,
        types.Content(
            role="user",
            parts=[types.Part.from_function_response(name="get_weather", response={"result": telling.WEATHER})],
        ),
    ]
    client.models.generate_content(model=MODEL, contents=said, config=config)


SCENES = (plain, streamed, tool)
