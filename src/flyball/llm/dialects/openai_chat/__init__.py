"""OpenAI's Chat Completions, for those who call and for those who are called. Everything is in the modules beside."""

from collections.abc import Mapping
from typing import Literal

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.losses import Losses
from flyball.llm.messages import Request

from . import answers, asking, errors, reading, requests, watching, writing


class OpenAIChat:
    """The dialect. Stateless."""

    name = asking.NAME
    title = "OpenAI Chat Completions"
    input_field = "messages"
    output_field = "choices"
    keep_alive = b": ping\n\n"
    terminal = asking.DONE
    ends_without_terminal = False
    names: Mapping[str, str] = requests.NAMES
    leaving: Mapping[str, Literal["refuse", "drop"]] = requests.LEAVING

    ask = staticmethod(asking.ask)
    last_user_text = staticmethod(asking.last_user_text)
    end_user = staticmethod(asking.end_user)
    relayed = staticmethod(asking.relayed)
    parse_request = staticmethod(requests.parse_request)
    write_request = staticmethod(writing.write_request)
    parse_completion = staticmethod(reading.parse_completion)
    reader = reading.Reader
    write_completion = staticmethod(answers.write_completion)
    writer = answers.Writer
    watch = watching.Watch
    error = staticmethod(errors.error)
    parse_error = staticmethod(errors.parse_error)

    def write_count_request(self, _: Request, *, model: str, quirks: Quirks, losses: Losses) -> bytes | None:  # noqa: ARG002 -- the interface's names
        """None: there is no such question."""
        return None

    def parse_count(self, _: bytes) -> int:
        """Raises ValueError: there is no such answer."""
        raise ValueError("OpenAI Chat Completions cannot count")

    def write_count(self, _: int) -> bytes | None:
        """None: there is no such answer."""
        return None


DIALECT = OpenAIChat()
