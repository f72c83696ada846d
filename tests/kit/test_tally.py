"""What a process counts of its own work."""

from flyball.kit.tally import Counted, Tally


def test_sums_grow_levels_are_replaced_and_the_newest_words_stay():
    tally = Tally()
    tally.count("stored", 3, of="span")
    tally.count("stored", 4, of="span")
    tally.count("stored", of="score")
    tally.total("calls", 9)
    tally.level("waiting", 7)
    tally.level("waiting", 2)
    tally.say("error", "the disk is full")
    tally.say("error", "")

    assert set(tally.sums()) == {Counted("stored", "span", 7), Counted("stored", "score", 1), Counted("calls", "", 9)}
    assert list(tally.levels()) == [Counted("waiting", "", 2)]
    assert tally.words() == {"error": ""}
