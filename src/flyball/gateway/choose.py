"""Who answers: a model's endpoints in the order in which to try them, or one variant of a function's live release."""

import random
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeAlias

import msgspec

from flyball.functions.records import LiveRelease, PinnedVariant
from flyball.llm.dialect import Asked
from flyball.llm.fields import field
from flyball.llm.translation import dialect
from flyball.models.endpoints import ResolvedEndpoint
from flyball.models.errors import ModelNotConfiguredError
from flyball.projects.key_records import ActiveKey

from .errors import ModelNotFoundError, NoLiveReleaseError, WrongInputError
from .snapshot import KnownFunction, KnownModel, KnownProject, Snapshot

_SHARE_DIGITS = 13  # hexadecimal digits of the trace id that decide; 52 bits, what a float holds exactly


class ModelRoute(NamedTuple):
    """A model, and its endpoints in the order in which to try them."""

    model: KnownModel
    endpoints: tuple[ResolvedEndpoint, ...]


class FunctionRoute(NamedTuple):
    """A variant of a function, the release that it serves for, and the call's input."""

    function: KnownFunction
    variant: PinnedVariant
    release: LiveRelease
    input: Mapping[str, Any]


Route: TypeAlias = ModelRoute | FunctionRoute


def choose(snapshot: Snapshot, caller: ActiveKey, asked: Asked, trace_id: str) -> Route:
    """Who answers this call. The same trace id always gets the same variant of the same release.

    Raises:
        ModelNotFoundError: nothing that the caller may call has this name; names what is spelled alike.
        ModelNotConfiguredError: the model's endpoints cannot be called from here.
        NoLiveReleaseError: the function has no live release.
        WrongInputError: the function's input is missing or is none, or `flyball` is.
        InvalidBodyError: `flyball` cannot be read.
    """
    extension(asked)  # what is wrong in it is refused before anybody is asked
    project = snapshot.projects.get(caller.project, KnownProject())
    function = project.functions.get(asked.model) if caller.may_call_function(asked.model) else None
    if function is not None:
        if function.live is None:
            raise NoLiveReleaseError(function.name)
        return FunctionRoute(
            function, _variant(function, function.live, trace_id), function.live, input_of(function, asked)
        )
    model = project.models.get(asked.model) if caller.may_call_model(asked.model) else None
    if model is not None:
        if not model.endpoints:
            raise ModelNotConfiguredError(
                model.reason, next_step="set it in the environment of `flyball up` and start it again"
            )
        return ModelRoute(model, in_order(model.endpoints))
    raise ModelNotFoundError(
        asked.model, _alike(asked.model, project, caller), limited=bool(caller.models or caller.functions)
    )


def _alike(name: str, project: KnownProject, caller: ActiveKey) -> tuple[str, ...]:
    """What the caller may call and is spelled like the name."""
    functions = filter(caller.may_call_function, project.functions)
    models = filter(caller.may_call_model, project.models)
    return tuple(get_close_matches(name[:200], [*functions, *models], n=3))


def _variant(function: KnownFunction, live: LiveRelease, trace_id: str) -> PinnedVariant:
    point = int(trace_id[:_SHARE_DIGITS], 16) / 16**_SHARE_DIGITS
    reached = 0.0
    for hash_, share in live.shares:
        reached += share
        if point < reached and hash_ in function.variants:
            return function.variants[hash_]
    # Rounding may leave a gap behind the last share.
    return function.variants[live.shares[-1][0]]


def in_order(endpoints: tuple[ResolvedEndpoint, ...]) -> tuple[ResolvedEndpoint, ...]:
    """A random order in which an endpoint of weight 2 comes first twice as often as one of weight 1."""
    if len(endpoints) == 1:
        return endpoints
    return tuple(sorted(endpoints, key=lambda endpoint: -(random.random() ** (1 / endpoint.weight))))  # noqa: S311 -- load, no secret


def input_of(function: KnownFunction, asked: Asked) -> Mapping[str, Any]:
    """The call's input: `flyball.input`, or the last user message where the input has a single text field."""
    given = extension(asked).get("input", msgspec.UNSET)
    if given is msgspec.UNSET:
        return _from_messages(function, asked)
    if isinstance(given, str) and function.text_field is not None:
        return {function.text_field: given}
    if not isinstance(given, dict):
        raise WrongInputError(
            f"the input of {function.name!r} is an object, not {type(given).__name__}",
            next_step="send extra_body={'flyball': {'input': {...}}} with the fields of its input schema",
        )
    return given


def extension(asked: Asked) -> Mapping[str, Any]:
    """The `flyball` object of a request: at the top level, where OpenAI's clients put it, or under `extra_body`.

    Raises InvalidBodyError or WrongInputError.
    """
    ours = field(asked.fields, "flyball")
    if ours is None and isinstance(extra := field(asked.fields, "extra_body"), dict):
        ours = extra.get("flyball")
    if ours is None:
        return {}
    if not isinstance(ours, dict):
        raise WrongInputError(
            "`flyball` is not an object", param="flyball", next_step="send extra_body={'flyball': {'input': {...}}}"
        )
    if not isinstance(ours.get("strict", False), bool):
        raise WrongInputError("`flyball.strict` is neither true nor false", param="flyball.strict")
    return ours


def _from_messages(function: KnownFunction, asked: Asked) -> Mapping[str, Any]:
    fields = ", ".join(function.input.get("properties", {})) or "none"
    if function.text_field is None:
        raise WrongInputError(
            f"the input of {function.name!r} cannot be taken from a message (its fields: {fields})",
            next_step="send extra_body={'flyball': {'input': {...}}}",
        )
    text = dialect(asked.dialect).last_user_text(asked)
    if not text:
        raise WrongInputError(
            f"there is no user message to fill the input field {function.text_field!r} of {function.name!r}",
            next_step="add one, or send extra_body={'flyball': {'input': {...}}}",
        )
    return {function.text_field: text}
