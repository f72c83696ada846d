"""What the upstreams do in the scenes that every client is shown, and the words by which tests know it again."""

import json

import pydantic
import surroundings
from seen import CHAT, RESPONSES

from flyball.testing import Call, Turn

KEY = surroundings.KEY
PLAIN = "The governor measures the output and corrects the input."
FUNCTION_ANSWER = surroundings.ANSWER.text
THOUGHT = "I should look at the weather first."
SECOND_THOUGHT = "Now I know how warm it is."
SIGNATURE = "c2lnbmF0dXJlIG9uZQ=="
SECOND_SIGNATURE = "c2lnbmF0dXJlIHR3bw=="
REDACTED = "ZW5jcnlwdGVkIHRob3VnaHQ="
IMAGE_URL = "https://example.com/governor.png"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PDF = "JVBERi0xLjQKMSAwIG9iago8PD4+CmVuZG9iagp0cmFpbGVyCjw8L1Jvb3QgMSAwIFI+PgolJUVPRgo="
WAV = "UklGRiwAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQgAAAAAAAEA//8CAA=="
WEATHER = {
    "name": "weather",
    "description": "Tells the weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"type": "string", "enum": ["C", "F"]}},
        "required": ["city"],
    },
}
NOW = {"name": "now", "description": "Tells the time.", "parameters": {"type": "object", "properties": {}}}
TOOLS = [WEATHER, NOW]


class Weather(pydantic.BaseModel):
    """What a structured answer holds."""

    city: str
    degrees: int


def _weather(number, city):
    return Call(id=f"call_{number}", name="weather", arguments=json.dumps({"city": city}))


SCENES = {
    "plain": Turn(text=PLAIN),
    "one_call": Turn(text="", tool_calls=(_weather(1, "Paris"),)),
    "two_calls": Turn(text="I ask.", tool_calls=(_weather(1, "Paris"), _weather(2, "Oslo"))),
    "bare_call": Turn(text="", tool_calls=(Call(id="call_1", name="now", arguments=""),)),
    "structured": Turn(text='{"city": "Paris", "degrees": 21}'),
    "thought_and_call": Turn(
        text="", thinking=THOUGHT, thinking_signature=SIGNATURE, tool_calls=(_weather(1, "Paris"),)
    ),
    "second_thought": Turn(text="It is warm.", thinking=SECOND_THOUGHT, thinking_signature=SECOND_SIGNATURE),
    "redacted": Turn(text=PLAIN, redacted=REDACTED),
    "refusal": Turn(text="", refusal="I will not."),
    "too_long": Turn(stop="max_tokens"),
    "stopped": Turn(stop="stop_sequence", stop_sequence="END"),
    "cached": Turn(prompt_tokens=100, cached_tokens=60, completion_tokens=20),
    "busy": Turn(fault="status", status=429, retry_after="7"),
    "error_midway": Turn(fault="error_midway"),
    "unfinished": Turn(fault="unfinished"),
    "cut": Turn(fault="cut"),
    "malformed": Turn(fault="malformed"),
    "html": Turn(fault="html", status=200),
}


def turn(name, target):
    """What an upstream of this dialect does in a scene."""
    if name == "bare_call" and target in (CHAT, RESPONSES):
        # OpenAI's models say an empty object where the others' say nothing.
        return Turn(text="", tool_calls=(Call(id="call_1", name="now", arguments="{}"),))
    return SCENES[name]
