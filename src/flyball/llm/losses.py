"""What a translation could not carry: told to the caller, or refused. Nothing is lost without one of the two."""

from collections.abc import Iterable

from .errors import CannotCarryError


class Losses:
    """One call's losses. `target` names who could not be told; `strict` refuses what would otherwise be dropped.

    What only tunes an answer (a seed, a penalty, a hint for a cache) is dropped and named. What the caller would miss in
    the answer, or what changes the question (a second candidate, log probabilities, a recording), is refused.
    """

    def __init__(self, target: str, *, strict: bool = False) -> None:
        self.target = target
        self._strict = strict
        self._dropped: dict[str, None] = {}

    def answering(self, caller: str) -> None:
        """From here on it is the answer that loses something on its way to the caller: named, and thrown away no more."""
        self.target, self._strict = caller, False

    @property
    def dropped(self) -> tuple[str, ...]:
        """The fields that were left out, by their paths in the caller's dialect, each once, in order."""
        return tuple(self._dropped)

    def drop(self, field: str) -> None:
        """Leave a field out. Raises CannotCarryError where the caller forbade it."""
        if self._strict:
            self.refuse(field, "and the call is strict")
        self._dropped[field] = None

    def drop_all(self, fields: Iterable[str]) -> None:
        """Leave several out."""
        for field in fields:
            self.drop(field)

    def refuse(self, field: str, why: str = "") -> None:
        """Raises CannotCarryError, always."""
        raise CannotCarryError(
            f"{field} cannot be carried to {self.target}" + (f": {why}" if why else ""),
            param=field,
            next_step="leave it out, or call a model whose provider can",
        )
