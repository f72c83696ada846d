"""Bodies made to suit a vendor: what it refuses is dropped by name, or refused where the caller would miss it."""

import msgspec
import pytest

from flyball.llm.catalog import names, vendor
from flyball.llm.dialect import suited
from flyball.llm.errors import CannotCarryError
from flyball.llm.losses import Losses
from flyball.llm.translation import dialect

MISSED = {
    "n": (2, 1),
    "logprobs": (True, False),
    "top_logprobs": (3, 0),
    "modalities": (["text", "audio"], ["text"]),
    "audio": ({"voice": "alloy", "format": "mp3"}, None),
}
REFUSING = [
    (name, field)
    for name in names()
    for field in vendor(name).quirks_for("some-model").drop
    if field in MISSED and "openai_chat" in vendor(name).dialects
]


def relayed(name, **fields):
    quirks, losses = vendor(name).quirks_for("some-model"), Losses("it", strict=False)
    chat = dialect("openai_chat")
    asked = chat.ask(msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": "?"}], **fields}))
    return msgspec.json.decode(chat.relayed(asked, model="m", quirks=quirks, losses=losses)), losses.dropped


def test_there_are_vendors_that_refuse_what_a_caller_would_miss():
    assert len(REFUSING) > 10


@pytest.mark.parametrize(("name", "field"), REFUSING)
def test_what_a_caller_would_miss_is_refused_where_the_vendor_does_not_do_it(name, field):
    asks, says_nothing = MISSED[field]

    with pytest.raises(CannotCarryError) as refusal:
        relayed(name, **{field: asks})
    assert refusal.value.param == field
    body, dropped = relayed(name, **{field: says_nothing})
    assert field not in body
    assert dropped == (() if says_nothing is None else (field,))


@pytest.mark.parametrize("strict", [False, True])
def test_null_says_nothing_and_costs_nothing(strict):
    losses = Losses("it", strict=strict)
    quirks = vendor("mistral").quirks_for("m")

    assert suited({"user": msgspec.Raw(b"null"), "model": "m"}, quirks, losses) == {"model": "m"}
    assert losses.dropped == ()


@pytest.mark.parametrize("name", ["ai21", "azure-openai", "cohere", "groq", "mistral", "openai", "transformers-serve"])
def test_a_sampler_that_a_vendor_does_not_have_is_left_out_by_name(name):
    body, dropped = relayed(name, top_k=5)

    assert ("top_k" in body, dropped) == (False, ("top_k",))
