"""Spans, log records and points as anybody might tell them, for property tests."""

from hypothesis import strategies as st

from flyball.traces.told import Told, ToldEvent, ToldLink, ToldLog, ToldPoint, ToldResource, ToldScope

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
uint32 = st.integers(0, 2**32 - 1)
int64 = st.integers(-(2**63), 2**63 - 1)
uint64 = st.integers(0, 2**64 - 1)
time_ns = st.integers(1, 2**63 - 1)
double = st.floats(allow_nan=False)
scalar = st.none() | st.booleans() | int64 | double | text | st.binary(max_size=8)
value = st.recursive(
    scalar, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=6
)
attributes = st.dictionaries(text, value, max_size=4)
trace_id = st.binary(min_size=16, max_size=16).filter(any).map(bytes.hex)
span_id = st.binary(min_size=8, max_size=8).filter(any).map(bytes.hex)
keys = st.lists(text, max_size=2)
entities = st.fixed_dictionaries({"type": text, "schema_url": text, "id_keys": keys, "description_keys": keys})
resources = st.builds(
    ToldResource,
    attributes=attributes,
    schema_url=text,
    dropped=uint32,
    entities=st.lists(entities, max_size=2),
)
scopes = st.builds(ToldScope, name=text, version=text, attributes=attributes, schema_url=text, dropped=uint32)
events = st.builds(ToldEvent, time_ns=uint64, name=text, attributes=attributes, dropped=uint32)
links = st.builds(
    ToldLink, trace_id=trace_id, span_id=span_id, trace_state=text, attributes=attributes, dropped=uint32, flags=uint32
)
spans = st.builds(
    Told,
    trace_id=trace_id,
    span_id=span_id,
    name=text,
    start_ns=time_ns,
    end_ns=time_ns | st.just(0),
    parent_id=span_id | st.just(""),
    trace_state=text,
    flags=uint32,
    kind=st.integers(0, 5),
    attributes=attributes,
    events=st.lists(events, max_size=2),
    links=st.lists(links, max_size=2),
    status_code=st.integers(0, 2),
    status_message=text,
    dropped_attributes=uint32,
    dropped_events=uint32,
    dropped_links=uint32,
    resource=resources,
    scope=scopes,
)
logs = st.builds(
    ToldLog,
    time_ns=time_ns,
    observed_ns=time_ns,
    severity=st.integers(0, 24),
    severity_text=text,
    event_name=text,
    body=value,
    attributes=attributes,
    trace_id=trace_id | st.just(""),
    span_id=span_id | st.just(""),
    flags=uint32,
    dropped=uint32,
    resource=resources,
    scope=scopes,
)
exemplars = st.lists(
    st.fixed_dictionaries(
        {
            "time_ns": uint64,
            "value": int64 | double | st.none(),
            "trace_id": trace_id | st.just(""),
            "span_id": span_id | st.just(""),
            "attributes": attributes,
        }
    ),
    min_size=1,
    max_size=2,
)
buckets = st.fixed_dictionaries(
    {"offset": st.integers(-(2**31), 2**31 - 1), "bucket_counts": st.lists(uint64, max_size=3)}
)
metadata = {"metadata": st.dictionaries(text, value, min_size=1, max_size=2)}
extremes = {"min": double, "max": double, "exemplars": exemplars} | metadata
quantile = st.fixed_dictionaries({"quantile": double, "value": double})
of_number = st.fixed_dictionaries({}, optional={"exemplars": exemplars} | metadata)
of_histogram = st.fixed_dictionaries(
    {"count": uint64, "bucket_counts": st.lists(uint64, max_size=3), "explicit_bounds": st.lists(double, max_size=3)},
    optional=extremes,
)
of_exponential = st.fixed_dictionaries(
    {
        "count": uint64,
        "scale": st.integers(-(2**31), 2**31 - 1),
        "zero_count": uint64,
        "zero_threshold": double,
    },
    optional={"positive": buckets, "negative": buckets} | extremes,
)
of_summary = st.fixed_dictionaries(
    {"count": uint64, "quantile_values": st.lists(quantile, max_size=2)}, optional=metadata
)


def _points(kind, value, detail, *, temporal=False, monotonic=False):
    return st.builds(
        ToldPoint,
        name=text.filter(bool),
        kind=st.just(kind),
        time_ns=time_ns,
        description=text,
        unit=text,
        temporality=st.integers(0, 2) if temporal else st.just(0),
        monotonic=st.booleans() if monotonic else st.just(False),
        start_ns=time_ns | st.just(0),
        value=value,
        detail=detail,
        attributes=attributes,
        flags=uint32,
        resource=resources,
        scope=scopes,
    )


points = st.one_of(
    _points("gauge", int64 | double | st.none(), of_number),
    _points("sum", int64 | double, of_number, temporal=True, monotonic=True),
    _points("histogram", double | st.none(), of_histogram, temporal=True),
    _points("exponential_histogram", double | st.none(), of_exponential, temporal=True),
    _points("summary", double, of_summary),
)
