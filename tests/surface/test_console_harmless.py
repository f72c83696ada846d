"""What others wrote, on the terminal: names that hold escape sequences, carriage returns, turned direction, markup."""

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.table import Table

from flyball.kit.errors import FlyballError
from flyball.kit.visible import SYMBOL, for_terminal, json_for_terminal, visible
from flyball.surface.console import Column, print_json, say, show_list, show_one, show_table
from flyball.surface.console.commands import print_error
from flyball.surface.console.harmless import HarmlessConsole
from flyball.surface.console.options import Options, choose

OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]8;;http://evil\x07click\x1b]8;;\x07",
    "\x1b]0;title\x07\x1b[2J\x1b[H",
    "\x9b31mred",
    "shown\rhidden",
    "\u202egnp.exe",
    "[bold red]markup[/] [link=http://evil]x[/link] [/]",
    ":skull:",
    "a\x00b\x08\x7f",
]


@pytest.fixture(params=HOSTILE, ids=range(len(HOSTILE)))
def name(request):
    return request.param


def shown(name):
    """How a hostile name may appear: every character of it that is one, in its order."""
    return for_terminal(name)


def test_a_table_shows_what_somebody_wrote_and_obeys_none_of_it(name, capsys):
    show_list([{"name": name}], (Column("name", name),), empty="")
    show_one({"name": name})
    drawn = Table(box=None)
    drawn.add_column(name)
    drawn.add_row(name)
    show_table(drawn)

    printed = capsys.readouterr().out
    assert not OBEYED.search(printed)
    # Twice as a heading and thrice as a cell; rich wraps at white space, as it does with any name.
    assert re.sub(r"\s+", "", printed).count(re.sub(r"\s+", "", shown(name))) == 5


def test_a_sentence_and_an_error_obey_nothing(name, capsys):
    say(f"the key {name} is revoked")
    print_error(FlyballError(f"there is no {name}", next_step=f"look at {name}"))

    printed = capsys.readouterr()
    assert not OBEYED.search(printed.out + printed.err)
    assert shown(name) in printed.out
    assert printed.err.count(shown(name)) == 2


def test_json_means_the_same_and_obeys_nothing(name, capsys):
    print_json({"name": name})
    choose(Options(as_json=True))
    try:
        print_error(FlyballError(name))
    finally:
        choose(Options())

    printed = capsys.readouterr()
    assert not OBEYED.search(printed.out + printed.err)
    assert json.loads(printed.out) == {"name": name}
    assert json.loads(printed.err)["error"]["message"] == name


def test_our_own_styles_are_still_styles(capsys):
    import io

    out = io.StringIO()
    console = HarmlessConsole(file=out, force_terminal=True, markup=True, color_system="standard")
    console.print("[bold]x[/]")

    assert "\x1b[1m" in out.getvalue()


@given(st.text(max_size=200))
def test_nothing_that_acts_is_left_and_nothing_that_is_text_is_lost(text):
    kept = [char for char in text if not OBEYED.search(char) and char != SYMBOL]

    assert not OBEYED.search(for_terminal(text))
    assert [char for char in visible(text) if char in kept] == kept
    assert json.loads(json_for_terminal(json.dumps(text, ensure_ascii=False))) == text
