"""The golden fixtures: one file per trap, saying what was given and what is expected in every other dialect.

`tests/golden/<kind>/<source>/<trap>.json` holds {"trap", "given", "expect": {target: ...}}. Knows how a fixture is translated
and compared, byte order included; knows nothing of what is right: that stands in the files, read and accepted by eye.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from flyball.llm.catalog.quirks import Quirks
from flyball.llm.completions import Broke, Lost, StreamEvent, Trouble
from flyball.llm.dialect import Frame
from flyball.llm.errors import CannotCarryError, InvalidBodyError, UpstreamError
from flyball.llm.losses import Losses
from flyball.llm.messages import Request
from flyball.llm.sse import Event, EventParser
from flyball.llm.translation import DIALECTS, dialect

ROOT = Path(__file__).parents[1] / "golden"
CALLERS = tuple(name for name in DIALECTS if name != "bedrock_converse")
# A vendor that takes whatever its dialect can say: a request that goes round comes back as it was.
TAKES_ALL = Quirks(developer_role=True, reasoning_details=True, cache_points="cache_control")


class Case(NamedTuple):
    """One fixture and one dialect that it is translated to."""

    kind: str
    source: str
    trap: str
    target: str

    def __str__(self) -> str:
        return f"{self.kind}/{self.source}/{self.trap} -> {self.target}"

    @property
    def path(self) -> Path:
        """Where the fixture is."""
        return ROOT / self.kind / self.source / f"{self.trap}.json"

    @property
    def fixture(self) -> dict[str, Any]:
        """What stands there."""
        found: dict[str, Any] = json.loads(self.path.read_text())
        return found


def cases() -> list[Case]:
    """Every fixture with every dialect that it can be told in: requests in all, their own included, answers to all callers."""
    found = []
    for path in sorted(ROOT.glob("*/*/*.json")):
        kind, source, trap = path.parts[-3], path.parts[-2], path.stem
        targets = tuple(DIALECTS) if kind == "requests" else CALLERS
        found += [Case(kind, source, trap, target) for target in targets]
    return found


def translated(case: Case) -> dict[str, Any]:
    """What the code makes of a fixture, in the words of its file."""
    given = case.fixture["given"]
    if case.kind == "requests":
        return _request(given, case)
    return _answer(given, case) if case.kind == "answers" else _stream(given, case)


def text_of(expected: Any) -> str:
    """A translation as text that tells the order of fields and 1 from 1.0."""
    return json.dumps(expected, ensure_ascii=False)


def parsed(given: dict[str, Any], source: str) -> Request:
    """A request's fixture in the vocabulary. Gemini says the model and whether to stream in the path."""
    spoken = dialect(source)
    path = {"model": "m", "stream": False} if source == "gemini" else {}
    return spoken.parse_request(spoken.ask(json.dumps(given, ensure_ascii=False).encode(), **path))


def _request(given: dict[str, Any], case: Case) -> dict[str, Any]:
    losses = Losses(case.target)
    try:
        request = parsed(given, case.source)
        quirks = TAKES_ALL if case.source == case.target else Quirks()
        body = dialect(case.target).write_request(request, model="m", quirks=quirks, losses=losses)
    except CannotCarryError as error:
        return {"refused": error.param}
    except InvalidBodyError as error:
        return {"invalid": error.param}
    return {"body": json.loads(body), "dropped": list(losses.dropped)}


def _answer(given: Any, case: Case) -> dict[str, Any]:
    try:
        found = dialect(case.source).parse_completion(json.dumps(given, ensure_ascii=False).encode())
    except ValueError:
        return {"nonsense": True}
    if isinstance(found, Trouble):
        return {"trouble": {"message": found.message, "code": found.code, "status": found.status}}
    losses = Losses(case.target)
    losses.drop_all(found.leftovers)
    body = dialect(case.target).write_completion(found, Frame(id="ID", created=0, model="m"), losses)
    return {"body": json.loads(body), "dropped": list(losses.dropped)}


def events_of(given: list[Any], source: str) -> Iterator[Event]:
    """A stream's fixture as what its parser would cut."""
    if source == "bedrock_converse":
        for one in given:
            data = json.dumps(one["payload"], ensure_ascii=False).encode()
            yield Event(data, data, one["event"])
        return
    parser = EventParser()
    for text in given:
        yield from parser.feed(text.encode())
    yield from parser.finish()


def read(given: list[Any], source: str) -> tuple[list[StreamEvent], str]:
    """All that a stream says, and how it ended: "" for soundly, else why not."""
    reader = dialect(source).reader()
    said: list[StreamEvent] = []
    try:
        for event in events_of(given, source):
            said += reader.read(event) if event.data else []
            if reader.done or any(isinstance(one, Broke) for one in said):
                break
        else:
            said += reader.finish()
    except ValueError:
        return said, "nonsense"
    return said, "" if reader.done or any(isinstance(one, Broke) for one in said) else "cut"


def _stream(given: list[Any], case: Case) -> dict[str, Any]:
    losses, frame = Losses(case.target), Frame(id="ID", created=0, model="m")
    writer = dialect(case.target).writer(frame, losses)
    said, ended = read(given, case.source)
    words = b""
    try:
        for one in said:
            if isinstance(one, Broke):
                trouble = one.trouble
                status = trouble.status if trouble.status >= 400 else 502
                words += writer.broke(status, trouble.message, code=trouble.code or "upstream_refused")
                break
            if isinstance(one, Lost):
                losses.drop(one.name)
            else:
                words += writer.write(one)
        else:
            words += writer.broke(502, ended, code="upstream_cut") if ended else writer.end()
    except UpstreamError as error:  # what was said so far cannot be taken back
        words += writer.broke(error.status, str(error), code=error.code)
    return {
        "events": [part for part in words.decode().replace("\r\n", "\n").split("\n\n") if part],
        "dropped": list(losses.dropped),
    }
