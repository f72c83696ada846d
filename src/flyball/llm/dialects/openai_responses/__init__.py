"""OpenAI's Responses, for those who call and for those who are called. Everything is in the modules beside."""

from collections.abc import Mapping
from typing import Literal

from . import answers, asking, errors, reading, relaying, requests, telling, writing


class OpenAIResponses:
    """The dialect. Stateless."""

    name = asking.NAME
    title = "OpenAI Responses"
    input_field = "input"
    output_field = "output"
    keep_alive = b": ping\n\n"
    terminal = b""
    ends_without_terminal = False
    names: Mapping[str, str] = requests.NAMES
    leaving: Mapping[str, Literal["refuse", "drop"]] = requests.LEAVING

    ask = staticmethod(asking.ask)
    last_user_text = staticmethod(asking.last_user_text)
    end_user = staticmethod(asking.end_user)
    relayed = staticmethod(relaying.relayed)
    parse_request = staticmethod(requests.parse_request)
    write_request = staticmethod(writing.write_request)
    write_count_request = staticmethod(writing.write_count_request)
    parse_completion = staticmethod(answers.parse_completion)
    write_completion = staticmethod(answers.write_completion)
    parse_count = staticmethod(answers.parse_count)
    write_count = staticmethod(answers.write_count)
    reader = reading.Reader
    writer = telling.Writer
    watch = reading.Watch
    error = staticmethod(errors.error)
    parse_error = staticmethod(errors.parse_error)


DIALECT = OpenAIResponses()
