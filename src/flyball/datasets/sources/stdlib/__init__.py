"""The documentation of the Python standard library, taken from the interpreter that runs this.

Imports every public module, so it belongs into a child process (`datasets.collector`). The same interpreter gives the
same documents in the same order; its version is a fact of the card and part of every row's source.
"""

import platform

from flyball.datasets.sources.found import Collected, Fact, Found

from .documents import Documents
from .modules import public_modules
from .names import canonical_names
from .uses import Uses

LICENCE = "PSF-2.0"


def collect(location: str, licence: str) -> Collected:
    """One document per public module, class, function, method and property that has a docstring, sorted by name."""
    del location  # the interpreter itself is the place
    modules, refusals = public_modules()
    yield Fact(name="interpreter", value=f"{platform.python_implementation()} {platform.python_version()}")
    yield Fact(name="licence_known_by", value="the licence of the Python distribution")
    yield Fact(name="modules", value=len(modules))
    yield from refusals
    documents = Documents(modules, canonical_names(modules))
    uses = Uses(modules.values())
    for document in documents:
        yield Found(
            row_id=document.title,
            title=document.title,
            text=document.text,
            source=document.source,
            licence=licence or LICENCE,
            data={
                "kind": document.kind,
                "signature": document.signature,
                "aliases": list(document.aliases),
                "overview": list(document.overview),
                "documented": document.documented,
                "uses": uses.of((document.title, *document.aliases)),
            },
        )
    yield Fact(name="undocumented", value=documents.undocumented)
