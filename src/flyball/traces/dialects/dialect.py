"""What a dialect is: a table that says under which names its spans tell what we want to know. Facts alone, no deeds.

The fields on the left are ours: a span's (`session_id`, `model_requested`), or one of the steps towards them that
`normalising.py`, `usages.py` and `contents.py` take: `kind`, `tokens.*`, `cost.*`, `first_token.*`, `input.*`, `output.*`.
On the right are attributes as the dialect's libraries write them, best first.
"""

from collections.abc import Mapping
from typing import TypeAlias

import msgspec

from .usages import Additive

Names: TypeAlias = Mapping[str, tuple[str, ...]]
Words: TypeAlias = Mapping[str, str]


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """One way of telling what an application of language models did.

    A name that another library could use for something else stands in `own…`: it counts only in spans of this dialect's
    `scopes`. `kinds` maps the values of an attribute, in lower case, onto our kinds, "*" standing for all others; a text in
    place of such a table is the kind of every span that has the attribute at all.
    """

    name: str
    title: str
    speaks: tuple[str, ...] = ()  # how the names begin by which one recognises it
    scopes: tuple[str, ...] = ()  # how the names of its libraries begin
    fields: Names = {}
    own: Names = {}
    gathered: Names = {}  # our field <- all attributes whose names begin so, as a table of the rest of their names
    own_gathered: Names = {}
    kinds: Mapping[str, Words | str] = {}
    own_kinds: Mapping[str, Words | str] = {}
    additive: Mapping[str, Additive] = {}  # by provider, "*" standing for all others: see `usages.py`
