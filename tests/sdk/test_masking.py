"""The application's mask sees every text before it leaves, and nothing leaves that it did not see."""

import logging
import re

import pytest

import flyball
from flyball.sdk import telemetry as sdk_telemetry
from flyball.sdk.client import AsyncClient
from flyball.sdk.masking import WITHHELD

CARD = "4111 1111 1111 1111"


def masked(listener, mask, **more) -> None:
    sdk_telemetry.reset(AsyncClient(listener.url, "flyball_test"), mask=mask, **more)


def cards(text: str) -> str:
    return re.sub(r"\d{4}( \d{4}){3}", "<card>", text)


def speak() -> None:
    """Say the number wherever a text can be said."""

    @flyball.observe(name="pay")
    def pay(card: str, details: dict) -> list[str]:
        span = flyball.current_span()
        span.set(attributes={"card": card, "deep": {"list": [{CARD: card}]}}, usage={"odd": card})
        span.event("charged", card=card)
        span.link("0" * 31 + "1", "0" * 15 + "1", note=card)
        flyball.feedback(1, comment=card, correction=card)
        return [card]

    pay(CARD, {"number": CARD})

    @flyball.observe(name="fails")
    def fails(card: str) -> None:
        flyball.current_span().set(output=card)
        raise ValueError(card)

    with pytest.raises(ValueError, match="4111"):
        fails(CARD)


def test_every_text_is_masked_wherever_it_was_said(listener) -> None:
    masked(listener, cards)
    speak()
    assert flyball.flush()

    everything = str(listener.calls)
    assert CARD not in everything
    span = next(span for span in listener.spans if span["name"] == "pay")
    assert span["input"] == '{"card":"<card>","details":{"number":"<card>"}}'
    assert span["attributes"]["deep"] == {"list": [{"<card>": "<card>"}]}
    assert everything.count("<card>") >= 12


def test_no_text_is_masked_after_it_was_written_to_the_disk(listener, tmp_path) -> None:
    masked(listener, cards, offline=str(tmp_path), key="flyball_test")
    listener.answers = [503] * 1_000
    speak()
    assert not flyball.flush(0.5)

    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*.*") if path.is_file())
    assert CARD.encode() not in written
    assert b"<card>" in written
    listener.answers = []
    assert flyball.flush(10)


@pytest.mark.parametrize("mask", [lambda _: 1 / 0, lambda _: None, lambda text: text.encode()])
def test_a_mask_that_fails_lets_nothing_through_and_is_told_once(listener, caplog, mask) -> None:
    masked(listener, mask)
    with caplog.at_level(logging.WARNING, "flyball"):
        speak()
        speak()
        assert flyball.flush()

    assert CARD not in str(listener.calls)
    assert {span["input"] for span in listener.spans} == {WITHHELD}
    assert sum("the mask failed" in record.message for record in caplog.records) == 1
