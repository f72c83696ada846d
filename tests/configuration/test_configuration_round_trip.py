"""Any configuration survives being written and read."""

from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.configuration import checking
from flyball.configuration.exporting import dump
from flyball.configuration.loading import load
from flyball.configuration.records import Bundle, Configuration, DatasetSection, FunctionSection, PromptSection
from flyball.configuration.tree import parse
from flyball.evaluations.records import EvaluationSpec
from flyball.functions.records import PromptVariant, Retrieval, RulesVariant
from flyball.indexes.records import ChunkSettings, IndexDeclaration
from flyball.models.records import Endpoint, ModelSpec, Prices

NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,12}", fullmatch=True) | st.sampled_from(
    ["no", "on", "yes", "null", "1", "1e3", "0x1", "2024-01-01"]
)
TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=40)
NUMBERS = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
RETRIEVALS = st.none() | st.builds(Retrieval, index=NAMES, k=st.integers(1, 100), query=TEXTS)
VARIANTS = st.builds(RulesVariant, code=TEXTS, retrieval=RETRIEVALS, timeout_seconds=st.floats(0.001, 600)) | st.builds(
    PromptVariant, prompt=NAMES, model=NAMES, parameters=st.dictionaries(TEXTS, JSON, max_size=3), retrieval=RETRIEVALS
)
ENDPOINTS = st.builds(
    Endpoint,
    provider=st.just("openai-compatible"),
    base_url=TEXTS,
    model=TEXTS,
    api_key=TEXTS,
    weight=st.floats(0.001, 1000),
)
PRICES = st.builds(
    Prices, input=st.integers(0, 100) | st.floats(0, 100) | TEXTS, output=TEXTS, cache_read=st.none() | TEXTS
)
CONFIGURATIONS = st.builds(
    Configuration,
    project=TEXTS,
    models=st.dictionaries(
        NAMES,
        st.builds(
            ModelSpec,
            endpoints=st.lists(ENDPOINTS, min_size=1, max_size=2).map(tuple),
            prices=st.none() | PRICES,
            licence=TEXTS,
        ),
        max_size=2,
    ),
    prompts=st.dictionaries(NAMES, st.builds(PromptSection, file=TEXTS), max_size=2),
    functions=st.dictionaries(
        NAMES,
        st.builds(
            FunctionSection,
            input=st.dictionaries(TEXTS, JSON, max_size=3),
            output=st.dictionaries(TEXTS, JSON, max_size=3),
            variants=st.dictionaries(NAMES, VARIANTS, min_size=1, max_size=2),
            description=TEXTS,
        ),
        max_size=2,
    ),
    datasets=st.dictionaries(NAMES, st.builds(DatasetSection, import_=TEXTS, licence=TEXTS), max_size=2),
    indexes=st.dictionaries(
        NAMES,
        st.builds(IndexDeclaration, dataset=NAMES, chunk=st.builds(ChunkSettings, size=st.integers(200, 20000))),
        max_size=2,
    ),
    evaluations=st.dictionaries(
        NAMES,
        st.builds(
            EvaluationSpec,
            function=NAMES,
            dataset=NAMES,
            scorers=st.lists(TEXTS, min_size=1, max_size=3).map(tuple),
            baseline=NAMES,
            margin=st.floats(0, 1),
            description=TEXTS,
        ),
        max_size=2,
    ),
)


@given(CONFIGURATIONS)
@settings(max_examples=80, deadline=None)
def test_any_configuration_survives_being_written_and_read(configuration):
    read = parse(dump(configuration), "flyball.yaml").value

    assert checking.check(read, Configuration) == []
    assert checking.convert(read, Configuration) == configuration


def test_an_empty_configuration_is_written_and_read():
    assert load(Bundle(text=dump(Configuration()))).configuration == Configuration()
