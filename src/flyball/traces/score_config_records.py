"""What scores of a name may be. Pure: whether a value is allowed is decided here."""

from typing import Annotated, Literal

import msgspec

from flyball.kit.errors import InvalidInputError, NotFoundError

DataType = Literal["NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT"]
ConfigName = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class Category(msgspec.Struct, frozen=True, kw_only=True):
    """A label that a score may have, and the number that it stands for."""

    label: Annotated[str, msgspec.Meta(min_length=1, max_length=1_000)]
    value: float


class ScoreConfig(msgspec.Struct, frozen=True, kw_only=True):
    """A rule for scores of one name."""

    id: str
    project: str
    name: ConfigName
    data_type: DataType
    created_ns: int
    updated_ns: int
    created_by: str
    min_value: float | None = None
    max_value: float | None = None
    categories: tuple[Category, ...] | None = None
    description: Annotated[str, msgspec.Meta(max_length=10_000)] = ""
    archived: bool = False


class ScoreConfigNotFoundError(NotFoundError):
    """There is no score config of that id in this project."""

    code = "score_config_not_found"


class ScoreConfigInvalidError(InvalidInputError):
    """A score config that contradicts itself."""

    code = "score_config_invalid"


class ScoreUnfitError(InvalidInputError):
    """A score that its score config does not allow."""

    code = "score_unfit"


def check_config(config: ScoreConfig) -> None:
    """Raise ScoreConfigInvalidError for one that contradicts itself."""
    numeric = config.data_type == "NUMERIC"
    if not numeric and (config.min_value is not None or config.max_value is not None):
        raise ScoreConfigInvalidError(
            f"a config of {config.data_type} scores has no smallest or largest value",
            next_step="leave them out, or make it NUMERIC",
        )
    if (
        numeric
        and config.min_value is not None
        and config.max_value is not None
        and config.min_value > config.max_value
    ):
        raise ScoreConfigInvalidError(
            f"the smallest value {config.min_value:g} is above the largest {config.max_value:g}",
            next_step="change them round",
        )
    if config.data_type == "CATEGORICAL" and not config.categories:
        raise ScoreConfigInvalidError(
            "a config of CATEGORICAL scores has at least one category", next_step="name its categories"
        )
    if config.data_type in {"NUMERIC", "TEXT"} and config.categories:
        raise ScoreConfigInvalidError(
            f"a config of {config.data_type} scores has no categories",
            next_step="leave them out, or make it CATEGORICAL",
        )
    labels = [one.label for one in config.categories or ()]
    if len(set(labels)) < len(labels):
        raise ScoreConfigInvalidError("two categories have the same label", next_step="give each a label of its own")


def value_under(config: ScoreConfig, name: str, value: float | None, label: str) -> float | None:
    """The number of a score under its config. Raises ScoreUnfitError where the config does not allow it."""
    if config.archived:
        raise ScoreUnfitError(f"the score config {config.name!r} is archived", next_step="use another one")
    if name != config.name:
        raise ScoreUnfitError(
            f"the score is named {name!r:.100}, and its config {config.name!r}", next_step="give it the config's name"
        )
    if config.data_type == "CATEGORICAL":
        numbers = {one.label: one.value for one in config.categories or ()}
        if label not in numbers:
            raise ScoreUnfitError(
                f"{label!r:.100} is none of the categories {', '.join(numbers)}", next_step="give one of them"
            )
        return numbers[label]
    if config.data_type == "NUMERIC":
        low, high = config.min_value, config.max_value
        if value is None or (low is not None and value < low) or (high is not None and value > high):
            raise ScoreUnfitError(
                f"{name} is {value}, and its config allows {_range(low, high)}", next_step="give a value within"
            )
    return value


def _range(low: float | None, high: float | None) -> str:
    return f"{'anything' if low is None else f'{low:g}'} to {'anything' if high is None else f'{high:g}'}"
