"""A share of the traces, chosen by their ids so that every process chooses alike; what fails is told all the same."""

import subprocess
import sys

import pytest

import flyball
from flyball.sdk import sampling
from flyball.sdk import telemetry as sdk_telemetry
from flyball.sdk.client import AsyncClient
from flyball.sdk.options import from_environment


def sampled(listener, share: float, **more) -> None:
    sdk_telemetry.reset(AsyncClient(listener.url, "flyball_test"), sample=share, **more)


def test_a_share_of_the_traces_is_recorded_each_of_them_whole(listener) -> None:
    sampled(listener, 0.25)

    @flyball.observe(name="inner")
    def inner() -> None: ...

    @flyball.observe(name="outer")
    def outer() -> None:
        inner()

    for _ in range(2_000):
        outer()
    assert flyball.flush()

    names = [span["name"] for span in listener.spans]
    assert 380 < names.count("outer") == names.count("inner") < 620  # 500, six standard deviations each way
    assert {span["attributes"]["flyball.sample_rate"] for span in listener.spans} == {0.25}


@pytest.mark.parametrize(("share", "trace_id", "chosen"), [
    (1.0, "0" * 32, True),
    (0.0, "f" * 32, False),
    (0.5, "0" * 18 + "80000000000000", True),
    (0.5, "f" * 18 + "7fffffffffffff", False),
    (0.25, "0" * 18 + "c0000000000000", True),
    (0.25, "0" * 18 + "bfffffffffffff", False),
])  # fmt: skip
def test_the_last_56_bits_of_the_id_decide(share, trace_id, chosen) -> None:
    assert sampling.recorded(trace_id, sampling.threshold(share)) is chosen


@pytest.mark.parametrize(("share", "said"), [(0.5, "ot=th:8"), (0.25, "ot=th:c"), (1.0, ""), (0.0, "")])
def test_the_next_process_is_told_the_threshold(share, said) -> None:
    assert sampling.tracestate(sampling.threshold(share)) == said
    if said:
        assert sampling.told_of(f"other=1,{said};rv:00000000000000", recorded=True) == {"flyball.sample_rate": share}


def test_the_decision_travels_and_is_kept_by_the_next_process(listener) -> None:
    sampled(listener, 0.0)
    with flyball.span("caller"):
        headers = flyball.trace_headers()
    sampled(listener, 1.0)
    with flyball.trace_context(headers), flyball.span("callee"):
        pass

    assert headers["traceparent"].endswith("-00")
    assert flyball.flush()
    assert listener.spans == []


def test_a_span_that_fails_is_sent_though_its_trace_is_not(listener) -> None:
    sampled(listener, 0.0)

    @flyball.observe(name="fine")
    def fine() -> None: ...

    @flyball.observe(name="broken")
    def broken(question: str) -> None:
        fine()
        raise RuntimeError("no")

    @flyball.observe(name="outer")
    def outer() -> None:
        broken("why?")

    with pytest.raises(RuntimeError):
        outer()
    assert flyball.flush()

    spans = {span["name"]: span for span in listener.spans}
    assert sorted(spans) == ["broken", "outer"]
    assert spans["broken"]["parent_id"] == spans["outer"]["span_id"]
    assert (spans["broken"]["input"], spans["broken"]["error"]) == ('{"question":"why?"}', "RuntimeError: no")
    assert spans["broken"]["attributes"] == {"flyball.sampled_by": "error"}


def test_what_fails_can_be_left_out_too(listener) -> None:
    sampled(listener, 0.0, sample_errors=False)
    with pytest.raises(RuntimeError), flyball.span("broken"):
        raise RuntimeError("no")

    assert flyball.flush()
    assert listener.spans == []


def test_the_environment_says_the_share_and_nonsense_there_does_not_count() -> None:
    assert from_environment({"FLYBALL_SAMPLE": "0.1"})[0].sample == 0.1
    for wrong in ("2", "-1", "nan", "much"):
        options, complaints = from_environment({"FLYBALL_SAMPLE": wrong})
        assert options.sample == 1.0
        assert complaints == [f"FLYBALL_SAMPLE={wrong!r} is not understood, and does not count"]


def test_an_application_that_seeds_chance_still_has_ids_of_its_own() -> None:
    program = "import random; random.seed(1)\nfrom flyball.sdk.ids import new_trace_id\nprint(new_trace_id())"
    ids = {subprocess.run([sys.executable, "-c", program], capture_output=True, check=True).stdout for _ in range(2)}

    assert len(ids) == 2
