"""Signatures in envelopes: whatever they hold comes out as it went in."""

from hypothesis import given
from hypothesis import strategies as st

from flyball.llm.messages import Signature, Thinking
from flyball.llm.signatures import from_base64, to_base64, unwrap, wrap

WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12) | st.text("a:%/+ ", max_size=8)
HOMES = st.sampled_from(["anthropic", "google", "openai"])


@given(data=WORDS, origin=WORDS, id_=WORDS, of_next=st.booleans(), home=HOMES)
def test_a_signature_of_anybody_comes_home_from_a_dialect_that_is_not_its_own(data, origin, id_, of_next, home):
    thought = Thinking(signature=Signature(data=data, origin="x" + origin, id=id_), belongs_to_next=of_next)

    found = unwrap(from_base64(to_base64(wrap(thought, home=home))), home=home)

    assert found == (thought.signature, of_next)


@given(data=WORDS | WORDS.map(lambda words: f"flyball:{words}:{words}:{words}:{words}"), home=HOMES)
def test_a_signature_at_home_keeps_its_data_even_where_they_look_like_an_envelope(data, home):
    found = unwrap(wrap(Thinking(signature=Signature(data=data, origin=home)), home=home), home=home)

    assert found == (Signature(data=data, origin=home), False)
