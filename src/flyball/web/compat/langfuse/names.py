"""Names of theirs as names of ours. They may hold spaces, slashes and capitals; ours stand in addresses as they are."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager

from flyball.datasets.errors import DatasetNotFoundError
from flyball.prompts.errors import PromptNotFoundError

_OURS = re.compile(r"[a-z0-9][a-z0-9._-]{0,79}")
_OTHER = re.compile(r"[^a-z0-9._-]+")
_LONGEST_TOLD = 200


def name_of(title: str) -> str:
    """The name under which a thing with this title is kept: the title itself where it can be, else one made of it, always the same."""
    if _OURS.fullmatch(title):
        return title
    plain = _OTHER.sub("-", title.lower()).strip("-._")[:60]
    digest = hashlib.sha256(title.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{plain}-{digest}" if plain else f"x-{digest}"


@contextmanager
def asked_for(title: str) -> Iterator[str]:
    """The name of ours inside the block; where nothing has it, the caller is told by the title that was asked for."""
    try:
        yield name_of(title)
    except (PromptNotFoundError, DatasetNotFoundError) as error:
        raise type(error)(title[:_LONGEST_TOLD]) from None
