"""Cutting, stemming, terms: pure functions over text."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flyball.indexes.analysis import name_terms, query_terms, terms
from flyball.indexes.chunking import chunks
from flyball.indexes.records import ChunkSettings
from flyball.indexes.stemming import stem
from flyball.indexes.thesaurus import alternatives

TEXTS = st.text(alphabet=st.sampled_from("ab .\n#=`-é\t"), max_size=3000)
SETTINGS = st.builds(ChunkSettings, size=st.integers(200, 500), overlap=st.integers(0, 150))


@given(TEXTS, SETTINGS)
def test_passages_cover_every_word_in_order_and_none_is_too_long(text, settings):
    found = chunks(text, settings)

    covered = set()
    for chunk in found:
        assert 0 <= chunk.start < chunk.end <= len(text)
        assert chunk.end - chunk.start <= settings.size + settings.overlap
        assert not text[chunk.start].isspace()
        covered |= set(range(chunk.start, chunk.end))
    assert {i for i, character in enumerate(text) if not character.isspace()} <= covered
    assert [chunk.start for chunk in found] == sorted(chunk.start for chunk in found)
    assert settings.overlap or all(a.end <= b.start for a, b in itertools.pairwise(found))


def test_a_passage_ends_where_a_heading_begins_and_knows_the_headings_above():
    text = "# Top\n\n" + "Words of the first part. " * 20 + "\n\n## Below\n\n" + "Words of the second. " * 20
    found = chunks(text, ChunkSettings(size=1000))

    assert [chunk.headings for chunk in found] == [("Top",), ("Top", "Below")]
    assert text[found[1].start :].startswith("## Below")


def test_underlined_headings_count_too():
    text = "Top\n===\n\n" + "First part here. " * 30 + "\n\nBelow\n-----\n\n" + "Second. " * 20
    found = chunks(text, ChunkSettings(size=1000))

    assert [chunk.headings for chunk in found] == [("Top",), ("Top", "Below")]


def test_a_code_block_with_blank_lines_stays_whole():
    code = "```python\na = 1\n\nb = 2\n\nc = 3\n```"
    text = "Before it. " * 15 + "\n\n" + code + "\n\nAfter it." * 5
    found = chunks(text, ChunkSettings(size=200))

    assert any(code in text[chunk.start : chunk.end] for chunk in found)


def test_a_long_paragraph_is_cut_between_sentences():
    text = "This sentence has exactly the words that it needs. " * 40
    found = chunks(text, ChunkSettings(size=400))

    assert all(text[chunk.start : chunk.end].endswith("needs.") for chunk in found)


@pytest.mark.parametrize(
    ("word", "stemmed"),
    [
        ("caresses", "caress"),
        ("ponies", "poni"),
        ("agreed", "agre"),
        ("plastered", "plaster"),
        ("motoring", "motor"),
        ("conflated", "conflat"),
        ("sized", "size"),
        ("hopping", "hop"),
        ("falling", "fall"),
        ("filing", "file"),
        ("happy", "happi"),
        ("sky", "sky"),
        ("relational", "relat"),
        ("digitizer", "digit"),
        ("triplicate", "triplic"),
        ("hopefulness", "hope"),
        ("goodness", "good"),
        ("revival", "reviv"),
        ("replacement", "replac"),
        ("adoption", "adopt"),
        ("probate", "probat"),
        ("controll", "control"),
        ("rate", "rate"),
        ("ab", "ab"),
        ("sha256", "sha256"),
    ],
)
def test_stems_are_those_of_the_published_algorithm(word, stemmed):
    assert stem(word) == stemmed


def test_identifiers_are_words():
    assert name_terms("concurrent.futures.ThreadPoolExecutor") == [
        "concurr",
        "futur",
        "threadpoolexecutor",
        "thread",
        "pool",
        "executor",
    ]
    assert name_terms("lru_cache") == ["lru_cache", "lru", "cach"]


def test_a_question_loses_what_is_only_asking():
    assert query_terms("How do I find out which files were deleted?") == ["find", "file", "delet"]
    assert terms("the of and") == []


def test_neighbours_that_are_one_word_in_the_index_are_asked_for_as_that_word():
    assert query_terms("which time zone", {"timezon"}) == ["time", "zone", "timezon"]
    assert "timezon" not in query_terms("which time zone", {"time"})


def test_alternatives_go_both_ways():
    assert stem("remove") in alternatives(stem("delete"))
    assert stem("delete") in alternatives(stem("remove"))
