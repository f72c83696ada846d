"""Pages: routes that render one typed context through one template, in one visual language. Knows no noun.

A room's `pages.py` imports this package, surface.http, its own records and verbs, and reads like this:

    class DatasetList(msgspec.Struct, frozen=True, kw_only=True):
        '''What templates/list.html shows.'''
        datasets: tuple[Dataset, ...]
        next: str | None

    pages = Pages(tag="datasets", section="/datasets")

    @pages.get("/datasets", permission="datasets.read", template="datasets/list.html")
    async def list_datasets(ctx: ContextDep, cursor: str = "") -> DatasetList: ...

    @pages.post("/datasets", permission="datasets.write")
    async def import_dataset(ctx: ContextDep, form: FormDep) -> See:
        ...
        return See(f"/datasets/{name}", notice="The import has begun.")

The template is `src/flyball/datasets/templates/list.html`; it extends "surface/layout.html", imports macros from
"surface/components.html" `with context`, and sees the view's record as `page`.
"""

from .assets import assets
from .pages import FormDep, Pages, See
from .rendering import failure_page
from .site import Link, Site, Stage

__all__ = ["FormDep", "Link", "Pages", "See", "Site", "Stage", "assets", "failure_page"]
