"""The first page: its figures say how far they count, and it renders over nothing."""

from flyball.kit.paging import Page
from flyball.web.overview import _counted


def test_a_figure_says_where_it_stopped_counting():
    assert _counted(Page(items=(1, 2))) == "2"
    assert _counted(Page(items=(1, 2), next="more")) == "2+"


async def test_over_nothing_it_names_the_first_command(admin):
    page = (await admin.get("/", headers={"accept": "text/html"})).body.decode()

    assert "flyball apply flyball.yaml" in page
    assert "reports, none yet" in page
