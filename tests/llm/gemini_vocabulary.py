"""What Gemini can hold of the vocabulary, for the tests of its requests, answers and streams."""

import msgspec
from hypothesis import strategies as st
from vocabulary import Holds

from flyball.llm.completions import Choice, Completion
from flyball.llm.messages import Reasoning
from flyball.llm.usage import Usage

HOLDS = Holds(
    dialect="gemini",
    origin="google",
    thoughts_without_signature=True,
    media=(("image", "data"), ("audio", "data"), ("video", "data"), ("document", "data"), ("document", "url")),
    result_media=(("image", "data"),),
    errors=(None, True),
    named_results=True,
    strict_tools=(None,),
    formats=("json", "schema"),
    reasoning=st.sampled_from(
        [Reasoning(effort="high"), Reasoning(budget=2048, show="auto"), Reasoning(budget=0), Reasoning(show="none")]
    ),
    fields={
        "temperature": st.sampled_from([0, 0.5, 2]),
        "top_p": st.sampled_from([0.1, 1]),
        "top_k": st.integers(1, 40),
        "seed": st.integers(0, 2**31),
        "frequency_penalty": st.sampled_from([-1.5, 0.5]),
        "presence_penalty": st.sampled_from([-1.5, 0.5]),
        "candidates": st.integers(1, 8),
        "logprobs": st.booleans(),
        "top_logprobs": st.integers(0, 5),
        "store": st.booleans(),
    },
)
ANSWERED = HOLDS._replace(
    reasons=("stop", "max_tokens", "content_filter", "other"),
    usage=st.builds(
        Usage,
        input_tokens=st.integers(1, 10**6),
        cache_read_tokens=st.integers(0, 10**6),
        output_tokens=st.integers(0, 10**6),
        reasoning_tokens=st.integers(0, 10**6),
    ),
)


def bare(completion: Completion) -> Completion:
    """Without what only the bytes on the wire have: the dialect's own words for the end and the counts."""
    choices = tuple(
        Choice(
            parts=one.parts, stop=msgspec.structs.replace(one.stop, native=""), index=one.index, logprobs=one.logprobs
        )
        for one in completion.choices
    )
    return Completion(id="x1", model=completion.model, choices=choices, usage=completion.usage)
