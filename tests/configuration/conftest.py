"""A folder with a flyball.yaml of every section, and the bundle of it."""

import pytest

from flyball.configuration.bundling import bundle

YAML = """\
project: default
models:
  fast:
    endpoints:
      - {provider: openai-compatible, base_url: "http://127.0.0.1:9001/v1", model: mock-small, api_key: env:MOCK_KEY, weight: 1}
    prices: {input: 0.15, output: 0.60}
    licence: proprietary
prompts:
  ask: {file: prompts/ask.md}
functions:
  ask:
    input: {type: object, properties: {question: {type: string}}, required: [question]}
    variants:
      best: {kind: rules, code: "ask_rules:best", retrieval: {index: docs, k: 3}}
      big:
        kind: prompt
        prompt: ask
        model: fast
        parameters: {temperature: 0}
        retrieval: {index: docs}
datasets:
  docs: {import: stdlib}
  questions: {import: questions.jsonl, licence: Apache-2.0}
  folder: {import: documents}
indexes:
  docs: {dataset: docs, chunk: {size: 900}}
evaluations:
  ask-quality: {function: ask, dataset: questions, scorers: [hit_at_1, mrr], baseline: best, margin: 0.05}
budgets:
  - {usd: 500}
limits:
  - {scope: model fast, unit: tokens, amount: 200000}
"""
PROMPT = "---\nvariables: [question, passages]\n---\n--- user\n{{ question }} {{ passages | length }}\n"
CODE = "def best(input, tools):\n    return 'x'\n"
QUESTIONS = '{"id": "1", "question": "Ö?"}\n'


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "prompts").mkdir()
    (tmp_path / "documents").mkdir()
    (tmp_path / "flyball.yaml").write_text(YAML)
    (tmp_path / "prompts" / "ask.md").write_text(PROMPT)
    (tmp_path / "ask_rules.py").write_text(CODE)
    (tmp_path / "questions.jsonl").write_text(QUESTIONS)
    return tmp_path


@pytest.fixture
def edited(folder):
    """The bundle after a replacement in flyball.yaml, or the bundle as it is."""

    def edit(old="", new=""):
        path = folder / "flyball.yaml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1) if old else text)
        return bundle(folder)

    return edit
