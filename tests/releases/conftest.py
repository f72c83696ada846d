"""A function with three variants of plain code, and reports about them as an evaluation would have written them."""

import pytest

from flyball.evaluations import EvaluationSpec, Result, reporting
from flyball.evaluations import store as evaluations
from flyball.evaluations.reports import DatasetRef, FunctionRef, Report, VariantRef
from flyball.functions import service as functions
from flyball.functions.pinning import pin_variants
from flyball.functions.records import FunctionSpec, RulesVariant
from flyball.kit.ids import new_id

CODE = """
def old(input, tools):
    return "old"


def new(input, tools):
    return "new"


def bad(input, tools):
    return "bad"
"""
ITEMS = 200
RIGHT = {"old": 150, "new": 175, "bad": 60}  # of the items; the verdict on new is PASS, on bad FAIL


class Bench:
    """The function `ask`, its variants as pinned now, and reports on demand."""

    def __init__(self, ctx):
        self.ctx = ctx

    async def declare(self, code=CODE):
        spec = FunctionSpec(
            input={"type": "object", "properties": {"question": {"type": "string"}}},
            variants={name: RulesVariant(code=f"rules:{name}") for name in RIGHT},
        )
        async with self.ctx.db.transaction() as connection:
            function = await functions.put(connection, self.ctx, "ask", spec, {"rules": code.encode()})
            pinned = await pin_variants(connection, self.ctx, function)
        return {variant.name: variant.hash for variant in pinned}

    async def report(self, hashes, right=RIGHT, *, names=("old", "new", "bad"), function="ask", failed=0):
        """A stored report on the named variants, of which `old` is the baseline, which failed on so many items."""
        spec = EvaluationSpec(function=function, dataset="questions", scorers=("exact",), baseline="old", margin=0.02)
        refs = [VariantRef(name=name, kind="rules", hash=hashes[name]) for name in names]
        report = Report(
            id=new_id("rpt", self.ctx.clock.now_ns()),
            project=self.ctx.project,
            evaluation="quality",
            spec=spec,
            spec_hash=spec.hash,
            run_id=new_id("run", self.ctx.clock.now_ns()),
            function=FunctionRef(name=function, version=1, hash="sha256:f"),
            dataset=DatasetRef(name="questions", version=1, version_id="dsv_1", hash="sha256:d"),
            findings=reporting.build(
                spec,
                refs,
                [one for ref in refs for one in results(ref, right[ref.name], failed if ref.name == "old" else 0)],
            ),
            created_ns=self.ctx.clock.now_ns(),
            created_by="local:0",
        ).sealed()
        async with self.ctx.db.transaction() as connection:
            await evaluations.insert_report(connection, report)
        return report


def results(ref, right, failed):
    return [
        Result(
            position=position,
            item_id=f"q{position}",
            item_hash="h",
            variant=ref.name,
            variant_hash=ref.hash,
            status="failed" if position >= ITEMS - failed else "answered",
            scores={"exact": float(position < right)},
        )
        for position in range(ITEMS)
    ]


@pytest.fixture
def bench(ctx):
    return Bench(ctx)
