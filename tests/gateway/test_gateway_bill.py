"""What becomes of a call's attempts in the ledger: everything that was used, each attempt's own state, one request."""

import pytest

from flyball.gateway.bill import Called, entries_of
from flyball.gateway.choose import ModelRoute
from flyball.gateway.record import Attempt
from flyball.gateway.snapshot import KnownModel
from flyball.llm.usage import Usage
from flyball.models.endpoints import ResolvedEndpoint
from flyball.models.pricing import Cost
from flyball.projects.key_records import ActiveKey

ENDPOINT = ResolvedEndpoint("openai-compatible", "http://127.0.0.1:1/v1", "m-1", None, 1.0)
ROUTE = ModelRoute(KnownModel(name="fast", version=1, hash="h", endpoints=(ENDPOINT,)), (ENDPOINT,))


def called(*, error="", member=""):
    caller = ActiveKey(hash=b"", id="key_1", project="default", name="k", permissions=frozenset(), member=member)
    return Called(caller=caller, organisation="org_1", at_ns=5, trace_id="t", span_id="s", tags=("night",), error=error)


def attempt(usage=None, *, error="", answered=True):
    tried = Attempt(ENDPOINT, 1)
    tried.usage, tried.cost, tried.error, tried.answered = usage, Cost(7, "v"), error, answered
    return tried


def bill(call, *tried):
    return entries_of(call, ROUTE, tried, ())


@pytest.mark.parametrize("bucket", Usage.__struct_fields__)
def test_every_bucket_of_a_usage_stands_in_the_entry(bucket):
    amount = True if bucket == "estimated" else 3

    [entry] = bill(called(), attempt(Usage(**{bucket: amount})))

    assert {name: getattr(entry, name) for name in Usage.__struct_fields__ if getattr(entry, name)} == {bucket: amount}


def test_an_entry_says_who_asked_whom_and_what_it_cost():
    [entry] = bill(called(member="mem_1"), attempt(Usage(input_tokens=11, output_tokens=9)))

    assert (entry.project, entry.organisation, entry.key_id, entry.member) == ("default", "org_1", "key_1", "mem_1")
    assert (entry.model, entry.provider, entry.upstream_model) == ("fast", "openai-compatible", "m-1")
    assert (entry.at_ns, entry.trace_id, entry.tags, entry.tokens) == (5, "t", ("night",), 20)
    assert (entry.nano_usd, entry.price_version, entry.requests, entry.state) == (7, "v", 1, "complete")


def test_a_call_of_several_attempts_is_one_request_and_its_last_attempt_says_how_it_ended():
    tried = [attempt(error="refused"), attempt(error="refused"), attempt(Usage(output_tokens=9))]

    entries = bill(called(), *tried)

    assert [(one.requests, one.state) for one in entries] == [(1, "retried"), (0, "retried"), (0, "complete")]
    assert [one.id for one in entries] == [one.span_id for one in tried]


@pytest.mark.parametrize(
    ("call", "tried", "state"),
    [
        (called(), attempt(error="broken off"), "failed"),
        (called(error="upstream_failed"), attempt(), "failed"),
        (called(error="client_closed_request"), attempt(), "cancelled"),
        (called(error="interrupted"), attempt(error="broken off"), "cancelled"),
    ],
)
def test_a_call_that_brought_no_whole_answer_says_so(call, tried, state):
    [entry] = bill(call, tried)

    assert (entry.state, entry.requests) == (state, 1)


def test_nobody_is_billed_for_an_answer_that_never_began_and_nobody_knows_the_price_of_one_without_usage():
    unknown = attempt()
    unknown.cost = Cost(None, "v")

    assert [bill(called(), one)[0].nano_usd for one in (attempt(answered=False), unknown)] == [0, None]
