"""Conversations that think and call tools, with another vendor at every turn: each official Python client sends back what it got.

The upstreams refuse what their vendors refuse. What Claude signed at one of its homes holds at the other.
"""

import base64
import itertools
import json

import anthropic
import openai
import pytest
import scenes
from google import genai
from google.genai import types
from seen import ANTHROPIC, BEDROCK, CHAT, seen
from stand import TARGETS

from flyball.testing import Call, Turn

_MAKERS = {BEDROCK: ANTHROPIC}
_PAIRS = list(itertools.permutations(TARGETS, 2))


def _signature(target, number):
    return base64.b64encode(f"{_MAKERS.get(target, target)} thought {number}".encode()).decode()


def _turns(target, *, thinks=True):
    """What a vendor's model says at each turn of the conversation."""

    def thought(number):
        if not thinks:
            return {}
        return {"thinking": f"{target} thinks {number}", "thinking_signature": _signature(target, number)}

    paris = Call(id="call_paris", name="weather", arguments='{"city":"Paris"}')
    oslo = Call(id="call_oslo", name="weather", arguments='{"city":"Oslo"}')
    now = Call(id="call_now", name="now", arguments="{}")
    return (
        Turn(text="I look.", **thought(0), tool_calls=(paris, oslo)),
        Turn(text="", **thought(1), tool_calls=(now,)),
        Turn(text="It is warm.", **thought(2)),
        Turn(text="You are welcome.", **thought(3)),
    )


class _Chat:
    def __init__(self, address, streamed):
        self._client = openai.OpenAI(base_url=f"{address}/v1", api_key=scenes.KEY, max_retries=0)
        self._streamed = streamed
        self._history = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "How warm is it?"}]
        self._tools = [{"type": "function", "function": tool} for tool in scenes.TOOLS]

    def ask(self, model):
        asked = {"model": model, "messages": self._history, "tools": self._tools, "reasoning_effort": "low"}
        if self._streamed:
            with self._client.chat.completions.stream(**asked) as stream:
                message = stream.get_final_completion().choices[0].message
            self._history.append(message.model_dump(exclude_none=True, exclude={"parsed"}))
        else:
            message = self._client.chat.completions.create(**asked).choices[0].message
            self._history.append(message)
        return message.content or "", [(call.id, call.function.name) for call in message.tool_calls or ()]

    def close(self):
        self._client.close()

    def answer(self, calls):
        self._history += [{"role": "tool", "tool_call_id": id_, "content": "21"} for id_, _ in calls]

    def thank(self):
        self._history.append({"role": "user", "content": "Thanks."})


class _Responses:
    def __init__(self, address, streamed):
        self._client = openai.OpenAI(base_url=f"{address}/v1", api_key=scenes.KEY, max_retries=0)
        self._streamed = streamed
        self._history = [{"role": "user", "content": "How warm is it?"}]
        self._tools = [{"type": "function", "strict": False, **tool} for tool in scenes.TOOLS]

    def ask(self, model):
        asked = {
            "model": model,
            "input": self._history,
            "store": False,
            "include": ["reasoning.encrypted_content"],
            "reasoning": {"effort": "low", "summary": "auto"},
            "tools": self._tools,
        }
        if self._streamed:
            with self._client.responses.stream(**asked) as stream:
                response = stream.get_final_response()
        else:
            response = self._client.responses.create(**asked)
        for item in response.output:
            said = item.model_dump(exclude_none=True, exclude={"parsed_arguments"})
            for part in said.get("content", ()):
                part.pop("parsed", None)
            self._history.append(said)
        return response.output_text, [(one.call_id, one.name) for one in response.output if one.type == "function_call"]

    def close(self):
        self._client.close()

    def answer(self, calls):
        self._history += [{"type": "function_call_output", "call_id": id_, "output": "21"} for id_, _ in calls]

    def thank(self):
        self._history.append({"role": "user", "content": "Thanks."})


class _Anthropic:
    def __init__(self, address, streamed):
        self._client = anthropic.Anthropic(base_url=address, api_key=scenes.KEY, max_retries=0)
        self._streamed = streamed
        self._history = [{"role": "user", "content": "How warm is it?"}]
        self._tools = [
            {"name": tool["name"], "description": tool["description"], "input_schema": tool["parameters"]}
            for tool in scenes.TOOLS
        ]

    def ask(self, model):
        asked = {
            "model": model,
            "messages": self._history,
            "max_tokens": 4000,
            "thinking": {"type": "enabled", "budget_tokens": 1024},
            "tools": self._tools,
        }
        if self._streamed:
            with self._client.messages.stream(**asked) as stream:
                message = stream.get_final_message()
        else:
            message = self._client.messages.create(**asked)
        self._history.append({"role": "assistant", "content": message.content})
        text = "".join(block.text for block in message.content if block.type == "text")
        return text, [(block.id, block.name) for block in message.content if block.type == "tool_use"]

    def close(self):
        self._client.close()

    def answer(self, calls):
        results = [{"type": "tool_result", "tool_use_id": id_, "content": "21"} for id_, _ in calls]
        self._history.append({"role": "user", "content": results})

    def thank(self):
        self._history.append({"role": "user", "content": "Thanks."})


class _Google:
    def __init__(self, address, streamed):
        self._client = genai.Client(api_key=scenes.KEY, http_options={"base_url": address})
        self._streamed = streamed
        self._history = [types.Content(role="user", parts=[types.Part(text="How warm is it?")])]
        declared = [
            types.FunctionDeclaration(
                name=tool["name"], description=tool["description"], parameters_json_schema=tool["parameters"]
            )
            for tool in scenes.TOOLS
        ]
        self._config = types.GenerateContentConfig(
            thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=1024),
            tools=[types.Tool(function_declarations=declared)],
        )

    def ask(self, model):
        asked = {"model": model, "contents": self._history, "config": self._config}
        models = self._client.models
        answers = models.generate_content_stream(**asked) if self._streamed else [models.generate_content(**asked)]
        contents = [one.candidates[0].content for one in answers if one.candidates and one.candidates[0].content]
        parts = [part for content in contents for part in content.parts or ()]
        self._history.append(types.Content(role="model", parts=parts))
        text = "".join(part.text for part in parts if part.text and not part.thought)
        return text, [(part.function_call.id, part.function_call.name) for part in parts if part.function_call]

    def close(self):
        self._client.close()

    def answer(self, calls):
        parts = [
            types.Part(function_response=types.FunctionResponse(id=id_, name=name, response={"result": "21"}))
            for id_, name in calls
        ]
        self._history.append(types.Content(role="user", parts=parts))

    def thank(self):
        self._history.append(types.Content(role="user", parts=[types.Part(text="Thanks.")]))


_CLIENTS = {"chat": _Chat, "responses": _Responses, "anthropic": _Anthropic, "google": _Google}


@pytest.fixture(params=[(name, streamed) for name in _CLIENTS for streamed in (False, True)], ids=str)
def caller(address, request):
    name, streamed = request.param
    caller = _CLIENTS[name](address, streamed)
    yield caller
    caller.close()


@pytest.fixture
def vendors(stand):
    """What each vendor signs is what it has given out, and nothing else is."""
    for target, number in itertools.product((ANTHROPIC, BEDROCK), range(4)):
        stand.upstreams[target].issued.signatures.add(_signature(target, number))
    return stand


def _said(caller, stand, model, turn, target):
    """One turn of the conversation, and the signatures that the vendor who answered was sent."""
    text, calls = caller.ask(model)
    assert (text, [name for _, name in calls]) == (turn.text, [call.name for call in turn.tool_calls])
    if calls:
        caller.answer(calls)
    else:
        caller.thank()
    return seen(target, stand.requests(target)[-1]).signatures


def _own(target, *numbers):
    return [] if target == CHAT else [_signature(target, number) for number in numbers]


def _every_other(pairs):
    """Each client goes to and fro between each two vendors, streamed or not by turns here; the other way in the long run."""
    for number, (first, second) in enumerate(pairs):
        for client, (name, streamed) in enumerate(itertools.product(_CLIENTS, (False, True))):
            later = (number + client // 2 + streamed) % 2
            yield pytest.param((name, streamed), first, second, marks=[pytest.mark.long] if later else [])


@pytest.mark.parametrize(("caller", "first", "second"), list(_every_other(_PAIRS)), ids=str, indirect=["caller"])
def test_a_thinking_conversation_goes_to_and_fro_between_two_vendors(caller, vendors, first, second):
    sent = []
    for number, target in enumerate((first, second, first, second)):
        turn = _turns(target)[number]
        vendors.then(target, turn)
        sent.append(_said(caller, vendors, f"on-{target}", turn, target))

    alike = _MAKERS.get(first, first) == _MAKERS.get(second, second)
    assert set(sent[1]) == set(_own(first, 0) if alike else ())
    assert set(sent[2]) == set(_own(first, 0, 1) if alike else _own(first, 0))
    assert set(sent[3]) == set(_own(first, 0, 1, 2) if alike else _own(second, 1))


@pytest.mark.parametrize("caller", [(name, False) for name in _CLIENTS], ids=str, indirect=True)
@pytest.mark.parametrize(("first", "second"), _PAIRS)
def test_a_vendor_that_does_not_think_stands_in_for_one_that_is_down_for_a_turn(caller, vendors, first, second):
    sent = []
    for number, target in enumerate((first, second, first, first)):
        turn = _turns(target, thinks=target == first)[number]
        vendors.then(first, turn if target == first else Turn(fault="status", status=503))
        vendors.then(second, turn)
        sent.append(_said(caller, vendors, f"on-{first}-or-{second}", turn, target))
        assert len(vendors.requests(second)) == (target == second)

    assert set(sent[1]) == set(_own(first, 0) if _MAKERS.get(first, first) == _MAKERS.get(second, second) else ())
    assert set(_own(first, 0)) <= set(sent[2])
    assert set(_own(first, 0)) <= set(sent[3])


@pytest.mark.parametrize("target", [target for target in TARGETS if target != ANTHROPIC])
def test_anthropics_runner_of_tools_goes_on_without_a_thread_where_there_is_none(stand, address, target):
    @anthropic.beta_tool
    def weather(city: str) -> str:
        """Tells the weather of a city.

        Args:
            city: its name
        """
        return f"21 in {city}"

    stand.then(target, "one_call", Turn(text="It is warm."))
    with anthropic.Anthropic(base_url=address, api_key=scenes.KEY, max_retries=0) as client:
        runner = client.beta.messages.tool_runner(
            model=f"on-{target}", max_tokens=500, tools=[weather], messages=[{"role": "user", "content": "How warm?"}]
        )
        last = runner.until_done()

    assert last.content[-1].text == "It is warm."
    assert "21 in Paris" in json.dumps(json.loads(stand.requests(target)[-1].body))
