"""A dataset of questions with known answers, a function whose variants know some of them, and an evaluation of both."""

import json

import pytest

from flyball.datasets import service as datasets
from flyball.datasets.jobs import import_dataset
from flyball.datasets.records import Declaration
from flyball.evaluations import EvaluationSpec, jobs, service
from flyball.functions import service as functions
from flyball.functions.records import FunctionSpec, PromptVariant, RulesVariant
from flyball.infra.jobs import Job
from flyball.infra.jobs.immediate import Immediate, run_immediately
from flyball.models import service as models
from flyball.models.records import Endpoint, ModelSpec
from flyball.prompts import service as prompts

CODE = """
from flyball.functions import Answer, PassageRef


def fair(input, tools):
    return _answer(input, right=int(input["question"]) % 4 != 0)


def good(input, tools):
    return _answer(input, right=int(input["question"]) % 20 != 0)


def failing(input, tools):
    if int(input["question"]) % 10 == 3:
        raise LookupError("no idea about " + input["question"])
    return _answer(input, right=True)


def _answer(input, right):
    number = input["question"]
    titles = [f"page {number}", "page x"] if right else ["page x", f"page {number}"]
    found = tuple(
        PassageRef(chunk_id=t, document_id=t, title=t, document_hash="h", start=0, end=1, score=1.0,
                   index_version="ixv", dataset_version="dsv")
        for t in titles
    )
    return Answer(text=f"the answer {number}" if right else "no", passages=found)
"""
ITEMS = 60
SPEC = EvaluationSpec(
    function="ask",
    dataset="questions",
    scorers=("hit_at_1", "mrr", "token_f1"),
    baseline="fair",
    margin=0.02,
    variants=("good", "big"),
)


def question(number):
    return {"id": f"q{number}", "question": str(number), "expected": [f"page {number}"], "answer": f"answer {number}"}


class Bench:
    """What a user does before and while evaluating."""

    def __init__(self, ctx):
        self.ctx = ctx
        self.runs = 0
        self.code = CODE

    async def import_questions(self, tmp_path, items=ITEMS):
        file = tmp_path / "questions.jsonl"
        file.write_text("\n".join(json.dumps(question(number)) for number in range(items)))
        source = Declaration(source="jsonl", location=str(file))
        await datasets.import_later(self.ctx, "questions", source)
        job = Job("datasets.import", import_dataset, permission="datasets.write")
        arguments = {"dataset": "questions", "source": {"source": "jsonl", "location": str(file)}}
        await run_immediately(self.ctx, job, arguments, run_id="run_import")

    async def declare(self, spec=SPEC, name="quality"):
        """The function with three rules and a prompt whose model is not configured, and the evaluation."""
        question_only = {"type": "object", "properties": {"question": {"type": "string"}}, "required": ["question"]}
        variants = {rule: RulesVariant(code=f"rules:{rule}") for rule in ("fair", "good", "failing")}
        variants["big"] = PromptVariant(prompt="ask", model="fast")
        endpoint = Endpoint(provider="openai-compatible", base_url="env:NOT_SET_URL", model="m")
        async with self.ctx.db.transaction() as connection:
            await models.put(connection, self.ctx, "fast", ModelSpec(endpoints=(endpoint,)))
            source = "---\nvariables: [question]\n---\n--- user\n{{ question }}\n"
            await prompts.put(connection, self.ctx, "ask", "ask.md", source)
            function = FunctionSpec(input=question_only, variants=variants)
            await functions.put(connection, self.ctx, "ask", function, {"rules": self.code.encode()})
            return await service.declare(connection, self.ctx, name, spec)

    async def run(self, name="quality", dataset_version=None, *, machinery=None):
        """Run the evaluation here and now; its report."""
        self.runs += 1
        machinery = machinery or Immediate()
        arguments = {"evaluation": name, "dataset_version": dataset_version, "started_by": self.ctx.actor.id}
        done = await run_immediately(self.ctx, jobs.JOBS[0], arguments, run_id=f"run_{self.runs}", machinery=machinery)
        return await service.get_report(self.ctx, done["report_id"])


@pytest.fixture
async def bench(ctx, tmp_path):
    bench = Bench(ctx)
    await bench.import_questions(tmp_path)
    return bench
