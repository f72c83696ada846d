"""What a relay looks at in Gemini's questions, and the question for the number of tokens."""

import json
from typing import Any

import pytest

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.dialects.gemini import DIALECT
from flyball.llm.errors import InvalidBodyError
from flyball.llm.losses import Losses
from flyball.llm.messages import Message, Request, Text, Tool


def parsed(body: dict[str, Any]) -> Request:
    return DIALECT.parse_request(DIALECT.ask(json.dumps(body).encode(), model="m"))


def asking(**changes: Any) -> Request:
    messages = (Message(role="user", parts=(Text(text="Hi."),)),)
    return Request(**{"dialect": "openai_chat", "model": "m", "messages": messages, **changes})


def spoken(*parts: dict[str, Any], role: str = "user") -> dict[str, Any]:
    return {"role": role, "parts": list(parts)}


def test_the_model_stands_in_the_path_alone() -> None:
    with pytest.raises(InvalidBodyError) as refusal:
        DIALECT.ask(b'{"contents":[]}')

    assert refusal.value.param == "model"
    assert DIALECT.ask(b'{"contents":[]}', model="m", stream=True).stream


def test_a_body_without_contents_is_no_question() -> None:
    with pytest.raises(InvalidBodyError) as refusal:
        DIALECT.ask(b'{"messages":[]}', model="m")

    assert refusal.value.param == "contents"


@pytest.mark.parametrize(
    ("contents", "text"),
    [
        ([spoken({"text": "One."}), spoken({"text": "Two."}, role="model")], "One."),
        ([{"parts": [{"text": "One."}]}], "One."),
        ({"parts": [{"text": "One."}]}, "One."),
        ("One.", "One."),
        ([7], None),
        ([{"parts": 7}], ""),
    ],
)
def test_what_the_user_said_last(contents: Any, text: str | None) -> None:
    asked = DIALECT.ask(json.dumps({"contents": contents}).encode(), model="m")

    assert DIALECT.last_user_text(asked) == text
    assert DIALECT.end_user(asked) == ""


def test_a_relayed_question_for_tokens_names_the_providers_model() -> None:
    inner = {"model": "models/ours", "contents": [spoken({"text": "Hi."})]}
    asked = DIALECT.ask(json.dumps({"generateContentRequest": inner}).encode(), model="ours")

    relayed = DIALECT.relayed(asked, model="theirs", quirks=Quirks(), losses=Losses("it"))

    assert json.loads(relayed) == {"generateContentRequest": {**inner, "model": "models/theirs"}}


def test_a_whole_request_to_be_counted_is_read_as_one() -> None:
    inner = {
        "model": "models/x",
        "contents": [spoken({"text": "Hi."})],
        "systemInstruction": {"parts": [{"text": "S"}]},
    }

    request = parsed({"generateContentRequest": inner})

    assert [message.text for message in request.messages] == ["S", "Hi."]


def test_what_is_counted_is_the_turns_or_the_whole_request() -> None:
    def asked(request: Request) -> Any:
        said = DIALECT.write_count_request(request, model="m", quirks=Quirks(), losses=Losses("it"))
        return json.loads(said or b"")

    contents = [spoken({"text": "Hi."})]

    assert asked(asking(max_tokens=5)) == {"contents": contents}
    assert asked(asking(tools=(Tool(name="f"),))) == {
        "generateContentRequest": {
            "model": "models/m",
            "contents": contents,
            "tools": [{"functionDeclarations": [{"name": "f"}]}],
        }
    }
