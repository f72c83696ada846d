"""What a template may say, and that nothing which it says grows: neither when it is read nor when it is rendered."""

import contextlib
import tracemalloc

import jinja2
import pytest
from jinja2 import nodes

from flyball.prompts import sandbox
from flyball.prompts.errors import PromptTemplateError, PromptVariableError
from flyball.prompts.template import parse, render

FRONT = "---\nvariables: [x, words, number, rows]\n---\n"
GIVEN = {"x": "a" * 1000, "words": ["a", "b"], "number": 7, "rows": [{"n": 2, "name": "Ida"}, {"n": 1, "name": "Otto"}]}


def rendered(text, **more):
    return render(FRONT + text, GIVEN | more)[0].content


@pytest.mark.parametrize(
    ("text", "made"),
    [
        (
            "{% for word in words %}{{ loop.index }}. {{ word }}{% if not loop.last %}; {% endif %}{% endfor %}",
            "1. a; 2. b",
        ),
        ("{{ words | join(', ') | upper }}", "A, B"),
        ("{{ rows | map(attribute='name') | join('+') }}", "Ida+Otto"),
        ("{{ rows | sort(attribute='n') | map(attribute='name') | first }}", "Otto"),
        ("{{ rows | join(' ', attribute='name') }}", "Ida Otto"),
        ("{{ rows | sum(attribute='n') }}", "3"),
        ("{% set total = number * 2 + 1 %}{{ total // 2 }} {{ number ** 2 }} {{ -number }}", "7 49 -7"),
        ("{{ 'a' ~ number ~ 'b' }}", "a7b"),
        ("{{ rows[0].name.upper() }} {{ rows[0]['name'][:2] }}", "IDA Id"),
        ("{% for key, value in rows[0].items() %}{{ key }}={{ value }} {% endfor %}", "n=2 name=Ida "),
        ("{{ rows[0] | tojson }}", '{"n": 2, "name": "Ida"}'),
        ("{{ 'yes' if number in [1, 7] else 'no' }}", "yes"),
        ("{{ 'a\nb' | indent(2) }}", "a\n  b"),
        ("{{ 'banana' | replace('a', 'o', 2) }} {{ 2.345 | round(1) }}", "bonona 2.3"),
        ("{% for n in range(3) %}{{ n }}{% endfor %}{% raw %}{{ x }}{% endraw %}{# a remark #}", "012{{ x }}"),
        (
            "{% with n = 2 %}{{ n }}{% endwith %}{% if number is odd and rows %}odd{% elif x %}x{% else %}none{% endif %}",
            "2odd",
        ),
        ("{% for row in rows if row.n > 1 %}{{ row.name }}{% else %}nobody{% endfor %}", "Ida"),
    ],
)
def test_prompts_may_loop_choose_count_and_word(text, made):
    assert rendered(text) == made


@pytest.mark.parametrize(
    "kind",
    sorted(node.__name__ for node in vars(nodes).values() if isinstance(node, type) and issubclass(node, nodes.Node)),
)
def test_every_statement_that_is_not_listed_is_refused(kind):
    listed = getattr(nodes, kind) in sandbox._STATEMENTS
    text = {
        "AssignBlock": "{% set a %}x{% endset %}",
        "Block": "{% block a %}{% endblock %}",
        "CallBlock": "{% call x() %}{% endcall %}",
        "Dict": "{{ {'a': 1} }}",
        "Extends": "{% extends 'a' %}",
        "FilterBlock": "{% filter upper %}a{% endfilter %}",
        "FromImport": "{% from 'a' import b %}",
        "Import": "{% import 'a' as b %}",
        "Include": "{% include 'a' %}",
        "Macro": "{% macro a() %}{% endmacro %}",
        "NSRef": "{% set x.a = 1 %}",
        "ScopedEvalContextModifier": "{% autoescape true %}{% endautoescape %}",
    }.get(kind)
    if listed or text is None:  # the others cannot be written
        return
    with pytest.raises(PromptTemplateError):
        parse(FRONT + text)


ESCAPES = [
    "{{ x.__class__ }}",
    "{{ x['__class__'] }}",
    "{{ words.append }}",
    "{{ words.append(1) }}",
    "{{ x.format(1) }}",
    "{{ '{0.__class__}'.format(x) }}",
    "{{ x | attr('__class__') }}",
    "{{ (x | map(attribute='__class__') | list)[0] }}",
    "{{ rows | map(attribute='__class__.__mro__') | list }}",
    "{{ rows | groupby('__class__') }}",
    "{{ rows | sort(attribute='__class__') }}",
    "{{ words | join(attribute='__class__') }}",
    "{{ words | sum(attribute='__class__') }}",
    "{{ range.__self__ }}",
    "{{ loop.__init__ }}",
    "{% for a in words recursive %}{{ loop(words) }}{% endfor %}",
    "{{ self }}",
    "{{ joiner() }}{{ cycler(1) }}{{ namespace() }}{{ dict() }}{{ lipsum() }}",
    "{{ words | random }}",
    "{{ ['a'] | map('attr', '__class__') | list }}",
    "{{ ['a'] | map('center', 9) | list }}",
    "{{ x.join(words) }}",
]


@pytest.mark.parametrize("text", ESCAPES)
def test_nothing_leads_out(text):
    with contextlib.suppress(PromptTemplateError, PromptVariableError):
        made = rendered(text)
        assert "class" not in made
        assert "method" not in made
        assert " at 0x" not in made


BOMBS = [
    "{{ 'a' | center(3000000000) | length }}",
    "{% if 'a' | center(3000000000) %}{% endif %}",
    "{{ 'a'.center(3000000000) }}",
    "{{ 'a'.ljust(3000000000) | length }}",
    "{{ 'a'.zfill(3000000000) }}",
    "{{ ('%3000000000d' % 1) | length }}",
    "{{ '{:3000000000}'.format(1) }}",
    "{{ ('a' * 3000000000) | length }}",
    "{{ [1] * 1000000000 }}",
    "{{ 10 ** 1000000 }}",
    "{{ 9 ** 9 ** 9 ** 9 }}",
    "{% set n = 99999999999 %}" + "{% set n = n * n %}" * 30 + "{{ n }}",
    "{% set t = x %}" + "{% set t = t ~ t %}" * 40 + "{{ t | length }}",
    "{% set t = x %}" + "{% set t = t + t %}" * 40 + "{{ t | length }}",
    "{% set t = x %}" + "{% set t = t | replace('a', 'aaaaaaaaaa') %}" * 20 + "{{ t | length }}",
    "{% set t = x %}" + "{% set t = [t, t, t, t, t, t, t, t] %}" * 30 + "{{ t }}",
    "{{ range(99999) | join('" + "a" * 10_000 + "') | length }}",
    "{{ ('\n' * 9) | indent('" + "a" * 900_000 + "') }}",
    "{{ x | replace('', '" + "a" * 900_000 + "') | length }}",
    "{{ x | tojson(indent=1000000000) | length }}",
    "{{ range(999999999) | list }}",
    "{{ words | batch(1000000000, 'x') | list }}",
    "{{ words | slice(1000000000) | list }}",
    "{{ 1 | round(1000000000, 'floor') }}",
    "{{ x | wordwrap(1, wrapstring='" + "a" * 900_000 + "') | length }}",
    "{{ x | xmlattr }}{{ x | pprint }}",
    "{{ '%*d' | format(1000000000, 1) | length }}",
    "{{ rows | sum(start=rows) }}",
    "{% for a in range(99999) %}{{ x }}{% endfor %}",
    "{{ 'a' * number * 1000000000 }}",
]


@pytest.mark.parametrize("text", BOMBS)
def test_nothing_swells_neither_when_it_is_read_nor_when_it_is_rendered(text, costs_at_most):
    tracemalloc.start()
    with costs_at_most(100), contextlib.suppress(PromptTemplateError, PromptVariableError):
        rendered(text)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 120_000_000


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{% if 1 %}" * 900 + "{% endif %}" * 900,
        "{% for a in [1] %}" * 300 + "{% endfor %}" * 300,
        "{{ 1 }}" * 3000,
        "{{ x" + ".a" * 100_000 + " }}",
        "{{ " + "not " * 100_000 + "1 }}",
        "{{ " + "-" * 100_000 + "1 }}",
        "---\nvariables: " + "[" * 5000 + "\n---\nx",
        "---\nvariables: [" + "a," * 100_000 + "]\n---\nx",
        "---\na: " + ":".join(["59"] * 3000) + "\n---\nx",
        "---\na: 0x" + "f" * 10_000 + "\n---\nx",
    ],
)
def test_a_file_that_is_too_deep_or_too_wide_is_a_clear_error_and_soon(source, costs_at_most):
    with costs_at_most(50), pytest.raises(PromptTemplateError):
        parse(source)


def test_the_lists_name_what_this_jinja_has():
    known = jinja2.Environment(autoescape=True)
    assert set(sandbox._FILTERS) <= set(known.filters)
    assert set(sandbox._BOUNDED) <= set(known.filters)
