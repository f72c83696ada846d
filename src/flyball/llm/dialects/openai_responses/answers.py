"""Whole answers in Responses' words: a stream's last event holds one, and so it is read and written as a stream is. And counts."""

import msgspec

from flyball.llm.completions import Assembly, Broke, Completion, Lost, Trouble, events_of
from flyball.llm.dialect import Frame
from flyball.llm.losses import Losses
from flyball.llm.usage import Count

from .items import HOME
from .reading import Reader, response_of
from .telling import Writer


def parse_completion(body: bytes) -> Completion | Trouble:
    """A whole answer, or the error in it. Raises ValueError for what is neither."""
    response = response_of(body)
    reader, assembly = Reader(), Assembly()
    for event in reader.take(response, whole=True):
        if isinstance(event, Broke):
            return event.trouble
        assembly.add(event)
    completion = assembly.whole()
    completion.service_tier = response.tier
    completion.choices[0].logprobs = {"content": reader.logprobs, "refusal": None} if reader.logprobs else None
    return completion


def write_completion(completion: Completion, frame: Frame, losses: Losses) -> bytes:
    """A whole answer. What it cannot say is dropped and named in `losses`."""
    parts = completion.choices[0].parts if completion.choices else ()
    signatures = {at: signature for at, part in enumerate(parts) if (signature := getattr(part, "signature", None))}
    ids = {at: signature.id for at, signature in signatures.items() if signature.origin == HOME}
    writer = Writer(frame, losses, ids, is_whole=True)
    for event in events_of(completion):
        if isinstance(event, Lost):
            losses.drop(event.name)
        else:
            writer.write(event)
    return msgspec.json.encode({**writer.whole(completion.service_tier), **frame.extra})


class _Count(msgspec.Struct):
    input_tokens: Count
    object: str = "response.input_tokens"


def parse_count(body: bytes) -> int:
    """The number of tokens that the provider counted. Raises ValueError."""
    return msgspec.json.decode(body, type=_Count).input_tokens


def write_count(tokens: int) -> bytes:
    """The answer to that question."""
    return msgspec.json.encode(_Count(tokens))
