"""What is wrong with a flyball.yaml is told with file, line and column, and what was expected."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flyball.configuration.bundling import bundle
from flyball.configuration.errors import ConfigurationError
from flyball.configuration.loading import load
from flyball.configuration.records import Bundle
from flyball.configuration.tree import parse


def problems_of(bundle):
    with pytest.raises(ConfigurationError) as caught:
        load(bundle)
    return [str(problem) for problem in caught.value.problems]


def test_a_sound_file_loads_with_everything_that_it_names(folder):
    loaded = load(bundle(folder))

    assert loaded.configuration.models["fast"].prices.input == 0.15
    assert set(loaded.prompts) == {"ask"}
    assert loaded.functions["ask"].code["ask_rules"].startswith("sha256:")
    assert loaded.datasets["questions"].location.startswith("blob:sha256:")
    assert loaded.datasets["folder"].location == str(folder / "documents")


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("models:\n  fast:", "models:\n  fast: [", "flyball.yaml:5:7: not YAML"),
        (
            "    licence: proprietary\n",
            "    licence: a\n    licence: b\n",
            "flyball.yaml:8:5: models.fast.licence: the key stands here and on line 7",
        ),
        (
            "    licence:",
            "    license:",
            "flyball.yaml:7:5: models.fast.license: is not known here; did you mean 'licence'?",
        ),
        (
            "evaluations:\n",
            "evalutions:\n",
            "flyball.yaml:27:1: evalutions: is not known here; did you mean 'evaluations'?",
        ),
        (
            "        prompt: ask\n",
            "        prompt: 3\n",
            "flyball.yaml:17:9: functions.ask.variants.big.prompt: expected a text, got 3",
        ),
        ("        prompt: ask\n", "", "flyball.yaml:15:7: functions.ask.variants.big: needs 'prompt'"),
        ("kind: prompt", "kind: promt", "functions.ask.variants.big.kind: 'promt' is not one of"),
        ("k: 3}", "k: 0}", "flyball.yaml:14:76: functions.ask.variants.best.retrieval.k: 0 is not at least 1"),
        ("k: 3}", "k: three}", "retrieval.k: expected a whole number, got 'three'"),
        ("weight: 1", "weight: 0", "models.fast.endpoints[0].weight: 0 is not more than 0"),
        ("input: 0.15", "input: [1]", "models.fast.prices.input: expected"),
        ("input: 0.15", "input: -1", "flyball.yaml:6:14: models.fast.prices.input: not an amount in USD: -1"),
        ("openai-compatible", "opneai", "models.fast.endpoints[0].provider: the catalog has no vendor 'opneai'"),
        ("env:MOCK_KEY", "sk-123", "flyball.yaml:5:96: models.fast.endpoints[0].api_key: is written out"),
        ("  ask-quality:", "  Ask Quality:", "evaluations.Ask Quality: 'Ask Quality' is no name here"),
        ("  fast:", "  no:", "flyball.yaml:3:3: models: the key no is no text"),
        ("licence: proprietary", "licence: 2024-01-01", "YAML reads this as a date; put it in quotes"),
        ("temperature: 0", "temperature: .nan", "nan is no number that JSON holds"),
        ("temperature: 0", "seed: 99999999999999999999", "integers that JSON holds exactly"),
        ("temperature: 0", "stream: true", "functions.ask.variants.big.parameters: sets stream"),
        ("variants:\n      best", "variants: {}\n    x:\n      best", "functions.ask.variants: is empty"),
        (
            "ask_rules:best",
            "ask_rules:bset",
            "flyball.yaml:14:27: functions.ask.variants.best.code: ask_rules.py defines no 'bset'; did you mean 'best'?",
        ),
        ("ask_rules:best", "nowhere:best", "functions.ask.variants.best.code: there is no file"),
        ("ask_rules:best", "../evil:best", "functions.ask.variants.best.code: '../evil:best' is not `module:function`"),
        ("prompts/ask.md", "prompts/none.md", "flyball.yaml:9:9: prompts.ask.file: there is no file"),
        ("prompts/ask.md", "../../etc/passwd", "leads out of the folder"),
        ("prompts/ask.md", "/etc/passwd", "is not inside the folder"),
        ("import: questions.jsonl", "import: ../questions.jsonl", "leads out of the folder"),
        ("import: documents", "import: ../documents", "leads out of the folder"),
        ("type: object", "type: objekt", "functions.ask.input"),
        ("project: default", "project: [default]", "flyball.yaml:1:1: project: expected a text, got a list"),
    ],
)
def test_each_mistake_is_told_with_its_place(edited, old, new, told):
    try:
        found = problems_of(edited(old, new))
    except ConfigurationError as error:  # told by the command already, before anything is sent
        found = [str(problem) for problem in error.problems]

    assert any(told in problem for problem in found), found


def test_all_mistakes_are_told_at_once(edited):
    edited("weight: 1", "weight: one")
    found = problems_of(edited("k: 3}", "kk: 3}"))

    assert len(found) == 2


def test_an_undeclared_variable_is_told_with_the_prompts_own_line(folder):
    (folder / "prompts" / "ask.md").write_text(
        "---\nvariables: [question]\n---\n--- user\n{{ question }}\n{{ passages }}\n"
    )

    (problem,) = problems_of(bundle(folder))

    assert problem.startswith("prompts/ask.md:6:1: the template uses the variable 'passages', which is not declared")
    assert "prompts.ask" in problem


def test_code_that_is_not_python_is_told_with_its_own_line(folder):
    (folder / "ask_rules.py").write_text("def best(input, tools):\n    return (\n")

    (problem,) = problems_of(bundle(folder))

    assert "ask_rules.py:2 is not Python" in problem


def test_a_file_outside_of_the_folder_is_never_read(folder, tmp_path_factory):
    secret = tmp_path_factory.mktemp("elsewhere") / "secret.md"
    secret.write_text("top secret")
    (folder / "prompts" / "ask.md").unlink()
    (folder / "prompts" / "ask.md").symlink_to(secret)

    made = bundle(folder)

    assert "top secret" not in str(made)
    assert "a link that leads out" in problems_of(made)[0]


def test_files_that_cannot_be_text_are_told(folder):
    (folder / "questions.jsonl").write_bytes(b'{"a": "\xff"}')

    assert "datasets.questions.import: the file is not UTF-8 text (byte 7)" in problems_of(bundle(folder))[0]


def test_a_missing_file_names_itself_and_the_command(tmp_path):
    with pytest.raises(ConfigurationError, match="there is no file") as caught:
        bundle(tmp_path / "flyball.yaml")

    assert "flyball apply FILE" in caught.value.next_step


def test_an_empty_file_declares_nothing():
    assert load(Bundle(text="")).configuration.models == {}
    assert load(Bundle(text="# nothing\n")).configuration.project == "default"


def test_anchors_and_merges_work_and_bombs_do_not():
    tree = parse("a: &x {k: 1}\nb: {<<: *x, j: 2}\n", "f")
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n"
        for before, name in zip("abcdefgh", "bcdefghi", strict=True)
    )

    assert tree.value["b"] == {"k": 1, "j": 2}
    with pytest.raises(ConfigurationError, match="more than 20000 values"):
        parse(bomb, "f")
    with pytest.raises(ConfigurationError, match="deep"):
        parse("a: &a [*a]", "f")
    with pytest.raises(ConfigurationError, match="deep"):
        parse("[" * 5000, "f")


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['true']",
        "a: !!python/name:os.system",
        "- 1\n- 2",
        "3",
        "a\x00b",
        "\x07",
        "a: 2024-99-99",
    ],
)
def test_strange_yaml_is_a_clear_error(text):
    assert problems_of(Bundle(text=text))[0].startswith("flyball.yaml:")


@given(st.text(max_size=200))
@settings(max_examples=200)
def test_any_text_is_a_configuration_or_a_clear_error(text):
    try:
        found = load(Bundle(text=text)).configuration.project
    except ConfigurationError as error:
        found = error.problems[0].file

    assert found in ("default", "flyball.yaml") or text


def test_the_published_schema_is_current():
    from flyball.configuration.schema import schema_text

    published = Path(__file__).parents[2] / "docs" / "flyball.schema.json"

    assert published.read_text() == schema_text(), "run `make docs`"


def test_the_published_schema_accepts_what_the_loader_accepts(folder):
    import jsonschema
    import yaml

    from flyball.configuration.schema import schema

    jsonschema.Draft202012Validator(schema()).validate(yaml.safe_load((folder / "flyball.yaml").read_text()))


def test_every_example_that_the_repository_ships_is_sound():
    examples = sorted((Path(__file__).parents[2] / "examples").glob("*/flyball.yaml"))

    assert examples
    for example in examples:
        load(bundle(example))


A_LOT = [
    pytest.param("[" + ",".join(["1"] * 500_000) + "]", "more than 20000 values", id="a long list"),
    pytest.param("\n".join(f"- &a{n} x" for n in range(80_000)), "more than 20000 values", id="many anchors"),
    pytest.param("\n".join(f"k{n}: 1" for n in range(50_000)), "more than 20000 values", id="many keys"),
    pytest.param("[" * 200_000, "deep", id="deep lists"),
    pytest.param("".join(" " * n + "a:\n" for n in range(1_000)), "deep", id="deep mappings"),
    pytest.param("a: &a [*a]", "deep", id="a list in itself"),
    pytest.param("a: " + ":".join(["59"] * 20_000), "is a number with", id="a number to the base of 60"),
    pytest.param("a: 0x" + "f" * 200_000, "is a number with", id="a long hexadecimal number"),
    pytest.param("a: " + "1" * 200_000, "is a number with", id="a long number"),
    pytest.param("a: 0b" + "1" * 200_000, "is a number with", id="a long binary number"),
    pytest.param(
        "a: &a {x: 1}\nb: &b {<<: [" + ",".join(["*a"] * 5_000) + "]}\nc: {<<: [" + ",".join(["*b"] * 5_000) + "]}",
        "merges more than 20",
        id="merges of merges",
    ),
    pytest.param("a: &a {x: 1}\nb: {<<: *a, <<: *a}", "stands here", id="two merges"),
]


@pytest.mark.parametrize(("text", "why"), A_LOT)
def test_a_file_that_is_made_to_cost_much_is_a_clear_error_and_soon(text, why, costs_at_most):
    with costs_at_most(50), pytest.raises(ConfigurationError, match=why):
        load(Bundle(text=text, path="flyball.yaml"))


def test_a_merge_is_still_a_merge():
    tree = parse("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\nc: {<<: [*a, {z: 4}]}", "f")

    assert tree.value == {"a": {"x": 1, "y": 2}, "b": {"x": 1, "y": 3}, "c": {"x": 1, "y": 2, "z": 4}}
