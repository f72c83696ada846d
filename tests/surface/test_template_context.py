"""A page renders one typed context: what a template reads from `page` is exactly what its record documents."""

import typing
from pathlib import Path

import msgspec
import pytest
from jinja2 import nodes

import flyball
from flyball.surface.html import rendering
from flyball.web.pages import PAGES

ROOMS = Path(flyball.__file__).parent
VIEWS = [(template, view) for pages in PAGES for template, view in pages.views]


def contexts_of(view):
    """The records that a view may answer with; beside them it may send the browser on."""
    told = typing.get_type_hints(view)["return"]
    return [each for each in typing.get_args(told) or (told,) if issubclass(each, msgspec.Struct)]


CONTEXTS = [(template, context) for template, view in VIEWS for context in contexts_of(view)]
ALL = sorted({*CONTEXTS, ("surface/failure.html", rendering.FailurePage)}, key=lambda each: (each[0], each[1].__name__))


def read_from_page(template: str) -> set[str]:
    """The names after `page.` in a template; templates that it includes or imports see no `page` of their own."""
    environment = rendering._ENVIRONMENT
    source, *_ = environment.loader.get_source(environment, template)
    parsed = environment.parse(source)
    return {
        node.attr
        for node in parsed.find_all(nodes.Getattr)
        if isinstance(node.node, nodes.Name) and node.node.name == "page"
    }


@pytest.mark.parametrize(
    ("template", "context"), ALL, ids=lambda each: each if isinstance(each, str) else each.__name__
)
def test_a_template_reads_exactly_the_documented_fields_of_its_context(template, context):
    assert issubclass(context, msgspec.Struct)
    assert read_from_page(template) == set(context.__struct_fields__)


@pytest.mark.parametrize(
    ("template", "context"), ALL, ids=lambda each: each if isinstance(each, str) else each.__name__
)
def test_a_context_names_its_template(template, context):
    assert template.partition("/")[2] in (context.__doc__ or "")


def test_every_template_of_a_room_is_some_page_or_a_part_of_one():
    shown = {template for template, _ in ALL}
    parts = {
        "costs/cost-parts.html",
        "evaluations/parts.html",
        "health/parts.html",
        "ledger/entry-parts.html",
        "ledger/quota-parts.html",
        "projects/key-parts.html",
        "traces/log-parts.html",
    }
    found = {f"{path.parent.parent.name}/{path.name}" for path in ROOMS.glob("*/templates/*.html")}

    assert found - parts == shown - {"surface/failure.html"}
