"""What is written is what Prometheus' own parsers read."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open_metrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from flyball.health.exposition import Family, Sample, wants_open_metrics, write

NUMBERS = st.floats(allow_nan=False) | st.integers(-(2**60), 2**60)
LABELS = st.dictionaries(
    st.sampled_from(["kind", "table", "worker"]), st.text(st.characters(exclude_categories=["Cs", "Cc"])), max_size=3
)


def read(families, *, open_metrics):
    text = write(families, open_metrics=open_metrics)
    return list((read_open_metrics if open_metrics else read_text)(text))


@pytest.mark.parametrize("open_metrics", [False, True])
def test_counters_gauges_and_infos_are_read_back(open_metrics):
    families = [
        Family("flyball_build", "info", "The version.", (Sample(1, {"version": "0.1"}),)),
        Family("flyball_things", "counter", "Things.", (Sample(3, {"kind": "span"}), Sample(0, {"kind": "score"}))),
        Family("flyball_lag_seconds", "gauge", "Lag.", (Sample(1.25),)),
    ]
    found = {
        sample.name: (sample.labels, sample.value)
        for family in read(families, open_metrics=open_metrics)
        for sample in family.samples
    }

    assert found["flyball_build_info"] == ({"version": "0.1"}, 1)
    assert found["flyball_things_total"] == ({"kind": "score"}, 0)
    assert found["flyball_lag_seconds"] == ({}, 1.25)


@pytest.mark.parametrize("open_metrics", [False, True])
@given(value=NUMBERS, labels=LABELS)
def test_any_number_and_any_label_is_read_back(open_metrics, value, labels):
    [family] = read(
        [Family("flyball_x", "gauge", 'Of "x"\\y\nz.', (Sample(value, labels),))], open_metrics=open_metrics
    )
    [sample] = family.samples

    assert sample.value == pytest.approx(value, rel=1e-15)
    assert sample.labels == labels


@pytest.mark.parametrize("label", ['a"b', "a\\b", "a\nb", 'a\\"b', "\\n", "ü…"])
def test_what_needs_an_escape_in_a_label_gets_one(label):
    for open_metrics in (False, True):
        [family] = read([Family("flyball_x", "gauge", "X.", (Sample(1, {"kind": label}),))], open_metrics=open_metrics)

        assert family.samples[0].labels == {"kind": label}


def test_numbers_beyond_all_bounds_are_written_as_such():
    text = write([Family("x", "gauge", "X.", (Sample(math.inf), Sample(-math.inf), Sample(math.nan), Sample(2.0**60)))])

    assert [line.split()[-1] for line in text.splitlines()[2:]] == ["+Inf", "-Inf", "NaN", "1.152921504606847e+18"]


def test_a_family_without_a_sample_is_left_out():
    assert write([Family("x", "gauge", "X.", ())]) == "\n"
    assert write([Family("x", "gauge", "X.", ())], open_metrics=True) == "# EOF\n"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2", True),
        ("application/openmetrics-text;q=0.1, text/plain", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=much", False),
    ],
)
def test_open_metrics_is_for_whoever_prefers_it(accept, wanted):
    assert wants_open_metrics(accept) is wanted
