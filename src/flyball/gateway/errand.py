"""What everybody who works on one call needs, from its route's choice to its last attempt."""

from typing import NamedTuple

from flyball.llm.calling import Verb
from flyball.llm.dialect import Asked
from flyball.llm.patience import Patience

from .house import House
from .record import Entry


class Errand(NamedTuple):
    """One call on its way."""

    verb: Verb
    asked: Asked
    entry: Entry
    house: House
    patience: Patience
