"""Two ways to answer from passages, the second better than the first, and a way to sort letters."""

from flyball.functions.records import Answer


def last_passage(asked, tools):
    """The last of the passages: a baseline that can be beaten."""
    return _answer(tools.retrieve(asked["question"]), -1, tools)


def best_passage(asked, tools):
    """The first of the passages."""
    return _answer(tools.retrieve(asked["question"]), 0, tools)


def queue(asked, tools):
    """Complaints go to the foreman."""
    return {"queue": "foreman" if "complain" in asked["letter"] else "office"}


def _answer(passages, which, tools):
    if not passages:
        return Answer(text="The handbook has none of these words.")
    chosen = passages[which]
    return Answer(text=chosen.text, citations=(tools.cite(chosen, 0, len(chosen.text)),))
