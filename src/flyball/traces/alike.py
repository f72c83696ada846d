"""Foreign spans as columns of ours, those that speak alike together: what their names tell is asked once, values go in rows.

What a field means is said in `fields.py` and for one whole span in `normalising.py`; the columns are the same as those of the
spans that it makes, which is tested. A span that brings events, records or an error goes there. Knows fields and columns; knows no
table and no batch.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

from .columns import Columns, columns_of, json_text, text_columns
from .dialects.contents import Content, content_of, is_plain
from .dialects.providers import models_of, provider_of
from .dialects.reading import Plan, Read, kind_told, plan_of, saying
from .dialects.reasons import reason_of
from .dialects.tables import DIALECTS
from .dialects.usages import is_count, tells_money
from .fields import (
    CALLS,
    LATEST,
    LONGEST_NAME,
    NAMES,
    ODD,
    RESOURCES,
    STATUSES,
    Price,
    first_token_of,
    is_remote,
    kind_of,
    kind_otel_of,
    name_of,
    reason_told,
    spent_on,
    table_told,
    tags_of,
)
from .normalising import normalise
from .records import APPLICATION, Side, Span, enters
from .told import ERROR, Told, ToldLog

PriceOf: TypeAlias = Callable[[str], Price | None]
"""The prices of a project; None where it declares none."""

_NOTHING_SAID = columns_of(
    [Span(trace_id="0" * 32, span_id="0" * 16, name="", start_ns=0, end_ns=0, scope=APPLICATION)]
)
_OF_RESOURCE = ("service", "environment", "version")
_MODELS = ("model_requested", "model_response")
_SIMPLE_COUNTS = {"tokens.input", "tokens.output"}
_MOMENTS = ("first_token.",)
_SIDES: tuple[Side, ...] = ("input", "output")
# Where a side's text may stand, if it stands nowhere else.
_TEXTS = {side: ({f"{side}.messages"}, {f"{side}.text"}) for side in _SIDES}


class Foreign(NamedTuple):
    """A span to be understood: whose it is, as it was told, and the records that name it."""

    project: str
    told: Told
    logs: Sequence[ToldLog] = ()


class Understood(NamedTuple):
    """Columns, and which of the spans that were given each row is."""

    order: list[int]
    columns: Columns


class _Group(NamedTuple):
    """Spans of one project with the same names and the same words for their kind; `rows` has their values."""

    plan: Plan
    project: str
    places: list[int]
    tolds: list[Told]
    rows: list[list[Any]]


Understand: TypeAlias = Callable[[Sequence[Foreign]], Understood]
"""What makes columns of spans: `understood` at somebody's prices."""


def understood(foreign: Sequence[Foreign], price_of: PriceOf) -> Understood:
    """What `normalise` makes of each span, at the prices of its project, as columns."""
    groups, apart = _sorted_out(foreign)
    order: list[int] = []
    parts: list[Columns] = []
    for group in groups:
        try:
            parts.append(_Together(group, price_of(group.project)).columns())
        except ODD:  # one of them is odd, and which one is told by looking at each
            apart += group.places
        else:
            order += group.places
    if apart:
        told = [foreign[place] for place in apart]
        parts.append(columns_of([normalise(each.told, each.logs, price=price_of(each.project)) for each in told]))
        order += apart
    first, *others = parts
    for part in others:
        for name in first:
            first[name] += part[name]
    return Understood(order, first)


def _sorted_out(foreign: Sequence[Foreign]) -> tuple[Collection[_Group], list[int]]:
    """Those that speak alike, and the places of those that are understood one by one."""
    groups: dict[tuple[int, str, str], _Group] = {}
    apart: list[int] = []
    for place, (project, told, logs) in enumerate(foreign):
        if logs or told.events or told.status_code == ERROR:
            apart.append(place)
            continue
        attributes = saying(told.attributes)
        plan = plan_of(told.scope.name, attributes)
        row = list(attributes.values())
        kind = "\0".join([str(row[at]) for at, _ in plan.kinds])
        key = (id(plan), project, kind)  # a group holds its plan, so that no other one has the number
        group = groups.get(key)
        if group is None:
            group = groups[key] = _Group(plan, project, [], [], [])
        group.places.append(place)
        group.tolds.append(told)
        group.rows.append(row)
    usual = []
    for group in groups.values():
        if any(field in _UNUSUAL for field, _ in group.plan.found):
            apart += group.places
        else:
            usual.append(group)
    return usual, apart


_UNUSUAL = {"level", "events"}  # an error without the status of one, and events in an attribute


class _Together:
    """The columns of one group."""

    def __init__(self, group: _Group, price: Price | None) -> None:
        plan, rows = group.plan, group.rows
        self._tolds = group.tolds
        self._size = len(rows)
        self._price = price
        cells = list(zip(*rows, strict=True))
        self._found = {field: cells[place] for field, place in plan.found}
        self._gathered = {field: {name: cells[at] for name, at in names} for field, names in plan.gathered}
        self._read = Read(dict.fromkeys(self._found), self._gathered, *kind_told(plan, rows[0]), plan.label)
        self._kind = kind_of(self._read)

    def columns(self) -> Columns:
        """A list of values for every column that says how a span was understood."""
        columns = {name: cells * self._size for name, cells in _NOTHING_SAID.items()}
        columns |= self._certain() | self._names() | self._content()
        columns["kind"] = [self._kind] * self._size
        columns["dialect"] = [DIALECTS[self._read.label].name] * self._size
        if self._gathered["tokens"] or tells_money(self._found):
            columns |= self._spent(columns)
        if "tags" in self._found:
            columns["tags"] = list(map(tags_of, self._found["tags"]))
        if any(field.startswith(_MOMENTS) for field in self._found):
            told = self._each(field for field in self._found if field.startswith(_MOMENTS))
            columns["first_token_ns"] = list(map(first_token_of, self._tolds, told))
        for field in ("parameters", "metadata"):
            if field in self._found or field in self._gathered:
                reads = self._reads([field] if field in self._found else [], [field] if field in self._gathered else [])
                tables = [table_told(field, read) for read in reads]
                columns[field] = [json_text(table) if table else "" for table in tables]
        return columns

    def _certain(self) -> Columns:
        tolds = self._tolds
        columns: Columns = {name: list(map(attrgetter(name), tolds)) for name in ("trace_id", "span_id", "parent_id")}
        remote, otel = list(map(is_remote, tolds)), list(map(kind_otel_of, tolds))
        return columns | {
            "name": [told.name[:LONGEST_NAME] for told in tolds],
            "start_ns": [min(told.start_ns, LATEST) for told in tolds],
            "end_ns": [min(told.end_ns or told.start_ns, LATEST) for told in tolds],
            "kind_otel": otel,
            "entry": [
                enters(parent, kind, remote_parent=far)
                for parent, kind, far in zip(columns["parent_id"], otel, remote, strict=True)
            ],
            "status": [
                STATUSES[told.status_code] if 0 <= told.status_code < len(STATUSES) else "unset" for told in tolds
            ],
        }

    def _names(self) -> Columns:
        resources = [RESOURCES.fields_of(told.resource) for told in self._tolds]
        names: Columns = {field: [each.get(field, "") for each in resources] for field in _OF_RESOURCE}
        names |= {field: _plainly(cells) for field, cells in self._found.items() if field in NAMES}
        if "provider" in names:
            names["provider"] = list(map(provider_of, names["provider"]))
        if self._kind in CALLS and any(field in names for field in _MODELS):
            names |= _models(names, self._size)
        return names

    # -- what went in and came out

    def _content(self) -> Columns:
        sides = [self._side(side) for side in _SIDES]
        if None in sides:
            fields = [field for field in self._found if field.startswith((*_SIDES, "finish_reason"))]
            gathered = [field for field in self._gathered if field.startswith(_SIDES)]
            contents = [content_of(read.found, read.gathered, (), ()) for read in self._reads(fields, gathered)]
            sides = [contents, contents]
        columns: Columns = {}
        reasons = [""] * self._size
        for side, said in zip(_SIDES, sides, strict=True):
            texts = [each if isinstance(each, str) else getattr(each, side) for each in said or ()]
            columns |= text_columns(side, texts)
            if said is not None and side == "output":
                reasons = ["" if isinstance(each, str) else each.finish_reason[:LONGEST_NAME] for each in said]
        if "finish_reason" in self._found:
            told = map(reason_told, self._found["finish_reason"])
            reasons = [said or reason for said, reason in zip(told, reasons, strict=True)]
        return columns | {"finish_reason": [reason_of(reason) if reason else "" for reason in reasons]}

    def _side(self, side: Side) -> Sequence[str | Content] | None:
        """What stands in one place for a side, or nowhere: plain texts, and what others hold; None where it takes more."""
        fields = {field for field in (*self._found, *self._gathered) if field.startswith(side)}
        if not fields:
            return [""] * self._size
        if fields not in _TEXTS[side]:
            return None
        (field,) = fields
        beside = dict.fromkeys({"finish_reason"} & self._found.keys(), "")
        return [
            cell if is_plain(cell) else content_of({field: cell} | beside, {}, (), ()) for cell in self._found[field]
        ]

    # -- tokens and money

    def _spent(self, names: Columns) -> Columns:
        tokens = self._gathered["tokens"]
        counts = {field: list(cells) for field, cells in self._found.items() if field.startswith(("tokens.", "cost."))}
        if self._kind in CALLS and self._price is None and counts.keys() == _SIMPLE_COUNTS:
            told, answered = counts["tokens.input"], counts["tokens.output"]
            if all(map(is_count, told)) and all(map(is_count, answered)):
                raw = [json_text(dict(zip(tokens, row, strict=True))) for row in zip(*tokens.values(), strict=True)]
                return {"input_tokens": told, "output_tokens": answered, "usage_raw": raw}
        said = zip(*(names[field] for field in ("provider", *_MODELS)), strict=True)
        fields = [dict(zip(("provider", *_MODELS), row, strict=True)) for row in said]
        spent = [
            spent_on(told, read, self._kind, each, price=self._price)
            for told, read, each in zip(self._tolds, self._reads(counts, ["tokens"]), fields, strict=True)
        ]
        plain = [each.usage.columns for each in spent]
        return {name: [each[name] for each in plain] for name in plain[0]} | {
            "usage_estimated": [each.usage.estimated for each in spent],
            "usage_raw": [None if each.raw is None else json_text(each.raw) for each in spent],
            "cost_nano_usd": [each.cost for each in spent],
            "price_version": [each.price_version for each in spent],
        }

    # -- row by row, where there is no other way

    def _each(self, fields: Any) -> Iterator[dict[str, Any]]:
        """What each span told of these fields."""
        names = list(fields)
        cells = [self._found[name] for name in names]
        for row in zip(*cells, strict=True) if cells else [()] * self._size:
            yield dict(zip(names, row, strict=True))

    def _reads(self, fields: Any, gathered: Any) -> Iterator[Read]:
        names = {field: list(self._gathered[field]) for field in gathered}
        inside = {field: zip(*self._gathered[field].values(), strict=True) for field in names if names[field]}
        for found in self._each(fields):
            held = {field: dict(zip(names[field], next(rows), strict=True)) for field, rows in inside.items()}
            yield self._read._replace(found=found, gathered={"tokens": {}} | held)


def _plainly(cells: Sequence[Any]) -> list[str]:
    """Names, as `name_of` makes them."""
    if (
        set(map(type, cells)) == {str}
        and max(map(len, cells)) <= LONGEST_NAME
        and not any(cell[0] == '"' for cell in cells)
    ):
        return list(cells)
    return list(map(name_of, cells))


def _models(names: Columns, size: int) -> Columns:
    known: dict[tuple[str, ...], dict[str, str]] = {}
    said = list(zip(*(names.get(field) or [""] * size for field in ("provider", *_MODELS)), strict=True))
    for each in set(said):
        known[each] = models_of(dict(zip(("provider", *_MODELS), each, strict=True)))
    return {field: [known[each][field] for each in said] for field in _MODELS}
