"""Prompts through the Langfuse SDK: made, got, compiled, cached, labelled; and what flyball makes of them."""

import itertools

import pytest

_numbers = itertools.count(1)


@pytest.fixture
def name(sdk):
    """A name of this test alone, as their users write them."""
    return f"Folder {sdk.major}/my prompt {next(_numbers)}"


def test_a_text_is_got_as_it_was_made_and_its_labels_move(sdk, name):
    seen = sdk.play("text_prompt", name=name)

    assert seen == {
        "kept": [1, "Hello {{who}}, {{ what }}!", ["production"], ["greeting"], {"model": "m", "t": 0.5}],
        "compiled": "Hello Ada, {{who}}!",
        "uncompiled": "Hello Ada, {{ what }}!",
        "variables": ["who", "what"],
        "newest": [2, "Good day {{who}}", ["greeting"], "politer"],
        "by_version": 2,
        "moved": ["latest", "production", "staging"],
        "after": [2, ["latest", "production", "staging"]],
        "old": [1, []],
        "listed": [name, [1, 2], ["latest", "production", "staging"], ["greeting"]],
    }


def test_a_chat_with_a_place_for_messages_compiles(sdk, name):
    seen = sdk.play("chat_prompt", name=name)

    assert seen["same"]
    assert seen["version"] == 1
    assert seen["compiled"] == [
        {"role": "system", "content": "You are a poet."},
        {"role": "assistant", "content": "Hm."},
        {"role": "user", "content": "Why? {% raw %} {{a.b}}"},
    ]
    assert "You are {who}." in seen["langchain"]


def test_the_cache_of_the_sdk_holds_a_prompt_until_it_is_changed_there(sdk, name):
    assert sdk.play("prompt_cache", name=name) == ["one", "one", "two", "three"]


def test_a_prompt_that_is_not_there_is_not_found_and_falls_back(sdk, name):
    seen = sdk.play("missing_prompt", name=name)

    assert seen["unknown"][:2] == seen["unlabelled"][:2] == ["NotFoundError", 404]
    assert "production" in seen["unlabelled"][2]
    assert seen["fallback"] == [True, "Hi Ada"]


def test_a_prompt_inside_another_is_filled_in_and_a_circle_is_refused(newest):
    seen = newest.play("referring_prompt", name="Outer")

    assert seen["filled"] == "Hello dear Ada!"
    assert "leads back to itself" in seen["circle"]


def test_flyball_has_it_as_a_prompt_of_its_own(newest):
    newest.play("chat_prompt", name="ask-the-poet")

    shown = newest.server.run("prompts", "show", "ask-the-poet")

    assert list(shown["variables"]) == ["who", "history", "question"]
    assert "place for messages" in shown["description"]
    assert [one["label"] for one in shown["labels"]] == ["production"]
    newest.server.run("prompts", "label", "ask-the-poet", "staging", "--version", "1")
    newest.server.run("prompts", "unlabel", "ask-the-poet", "production")
    labels = newest.server.run("prompts", "show", "ask-the-poet")["labels"]
    assert [(one["label"], one["version"]) for one in labels] == [("staging", 1)]
