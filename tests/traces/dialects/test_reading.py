"""What attributes tell together is worked out once per set of names, and is what looking at each by its own rule tells."""

from hypothesis import given
from hypothesis import strategies as st

from flyball.traces.dialects import reading
from flyball.traces.dialects.reading import read, together
from flyball.traces.dialects.tables import BEHIND, DIALECTS, table_of

NAMES = sorted(
    {
        name
        for dialect in DIALECTS
        for names in (*dialect.fields.values(), *dialect.own.values(), dialect.kinds, dialect.own_kinds)
        for name in names
    }
    | {
        start + rest
        for dialect in DIALECTS
        for starts in dialect.gathered.values()
        for start in starts
        for rest in "xy"
    }
    | {"nobody.knows.this", "annotations.0.annotation.name"}
)
SCOPES = sorted({"", *(scope for dialect in DIALECTS for scope in dialect.scopes)})
VALUES = st.one_of(
    st.none(), st.just(""), st.booleans(), st.integers(), st.floats(allow_nan=False), st.sampled_from(["llm", "chat", "TOOL", '"agent"', "x"]),
    st.lists(st.integers(), max_size=2),
)  # fmt: skip


def one_by_one(attributes, scope):
    """Rule by rule, as the tables are documented: the lowest rank wins, of two the first."""
    table = table_of(scope)
    found, ranks, gathered, labels, signs = {}, {}, {"tokens": {}}, {table.label}, {}
    for name, value in attributes.items():
        rule = table[name]
        if rule is None or value is None or value == "":
            continue
        labels.add(rule.label)
        if rule.cut > 0:
            inside = name if rule.field == "tokens" else name[rule.cut :]
            gathered.setdefault(rule.field, {}).setdefault(inside, value)
            continue
        if rule.cut < 0:
            gathered["tokens"][name] = value
        rank, said = rule.rank, value
        if rule.field == "kind" and isinstance(rule.words, str):
            said = rule.words
        elif rule.field == "kind" and rule.words is not None:
            word = str(value).lower().strip('"')
            said = rule.words.get(word) or rule.words.get("*")
            rank, said = (rank, said) if said else (rank + BEHIND, word)
        if rule.also:
            signs.setdefault(rule.also, value)
        if rank < ranks.get(rule.field, 2 * BEHIND):
            ranks[rule.field], found[rule.field] = rank, said
    kind = found.pop("kind", "")
    return signs | found, gathered, kind, min(labels)


@given(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=20), st.sampled_from(SCOPES))
def test_a_span_tells_what_each_of_its_attributes_tells(attributes, scope):
    for _ in range(2):  # worked out, and remembered
        told = read(attributes, scope)

        assert (told.found, told.gathered, told.kind, told.label) == one_by_one(attributes, scope)


@given(st.permutations([("gen_ai.system", "a"), ("gen_ai.provider.name", "b"), ("gen_ai.request.model", "m")]))
def test_the_order_of_attributes_decides_nothing_between_names_of_different_rank(pairs):
    assert read(dict(pairs), "").found["provider"] == "b"


def test_a_value_that_says_nothing_leaves_the_field_to_the_next_name():
    said = {"gen_ai.provider.name": "", "gen_ai.system": "openai", "gen_ai.request.model": None}

    assert read(said, "").found == {"provider": "openai"}
    assert read(said | {"gen_ai.provider.name": "anthropic"}, "").found == {"provider": "anthropic"}


def test_what_stands_beside_a_span_fills_what_the_span_leaves_out():
    assert together([{"a": 1, "b": ""}, {"a": 2, "b": 3}, {"b": 4, "c": None}]) == {"a": 1, "b": 3}


def test_names_that_nobody_repeats_do_not_fill_the_memory():
    for number in range(3_000):
        read({f"made.up.{number}.{inside}": 1 for inside in range(200)}, "")

    assert sum(len(names) for _, names in reading._plans) <= reading._MOST_HELD + 1_000
