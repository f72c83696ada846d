"""Gemini's streams for callers who did not ask for events: the same objects as one JSON array, which is written as they come."""

from flyball.llm.sse import EventParser


class JsonArray:
    """Turns one stream's events into the pieces of an array. An array that was begun is always closed."""

    def __init__(self) -> None:
        self._parser = EventParser()
        self._opening = b"["

    def __call__(self, piece: bytes, last: bool) -> bytes:  # noqa: FBT001 -- called in two places, side by side
        """The array's next bytes for some whole events; with `last`, its end too."""
        said = b""
        for event in (*self._parser.feed(piece), *(self._parser.finish() if last else ())):
            if event.data:
                said += self._opening + event.data
                self._opening = b",\r\n"
        if not last:
            return said
        return said + (b"[]" if self._opening == b"[" else b"]")
