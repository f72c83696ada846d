"""The documents themselves: a signature, a docstring and a place for each public object. Pure reading, no import."""

import functools
import inspect
from collections.abc import Iterator
from types import GetSetDescriptorType, MemberDescriptorType, ModuleType
from typing import Any, Literal, NamedTuple

from .docstrings import ADDRESS, cleaned, without_calls
from .names import Name
from .overviews import overviews
from .places import Places
from .reference import reference_texts

_SAME_FOR_ALL = frozenset({object.__init__.__doc__, type.__init__.__doc__})
_WITHOUT_SIGNATURE = (ValueError, TypeError, AttributeError, NameError)
_PROPERTIES = (property, functools.cached_property, GetSetDescriptorType, MemberDescriptorType)


class Document(NamedTuple):
    """One object's documentation. `text` begins with the signature; `source` is `python-<version>/<file>:<line>`."""

    title: str
    kind: Literal["module", "class", "function", "method", "property"]
    signature: str
    text: str
    source: str
    aliases: tuple[str, ...] = ()
    documented: bool = True
    overview: tuple[str, ...] = ()  # what the docstring of its module or class says of it; in the text too


class Documents:
    """All documents, sorted by title. After the walk, `undocumented` counts the objects without a docstring.

    Of these there is the signature, which tells names, parameters and place.
    """

    def __init__(self, modules: dict[str, ModuleType], names: list[Name]) -> None:
        self.undocumented = 0
        self._modules = modules
        implementations = {
            id(base)
            for name in names
            if inspect.isclass(name.value)
            for base in name.value.__mro__[1:]
            if base.__name__ == name.value.__name__  # `_socket.socket` below `socket.socket`, also known as SocketType
        }
        self._names = [name for name in names if id(name.value) not in implementations]
        self._classes = {id(name.value) for name in self._names if inspect.isclass(name.value)}
        self._bound = {
            (name.module, id(name.value.__func__)): name.title for name in names if inspect.ismethod(name.value)
        }
        self._places = Places()
        self._reference = reference_texts()

    def __iter__(self) -> Iterator[Document]:
        """Each title once, with what overviews say of it."""
        found: dict[str, Document] = {}
        for document in self._all():
            found.setdefault(document.title, document)
        said = self._said(found)
        for title in sorted(found):
            document = found[title]
            lines = tuple(dict.fromkeys(said.get(title, ())))
            yield document._replace(text="\n\n".join((document.text, *lines)), overview=lines)

    def _said(self, found: dict[str, Document]) -> dict[str, list[str]]:
        """What the docstrings of modules and classes say of what is in them, by title."""
        known = {alias: document.title for document in found.values() for alias in document.aliases}
        said: dict[str, list[str]] = {}
        for document in found.values():
            if document.kind in ("module", "class"):
                for name, words in overviews(document.text):
                    full = f"{document.title}.{name}"
                    title = full if full in found else known.get(full)
                    if title:
                        said.setdefault(title, []).append(words)
        return said

    def _all(self) -> Iterator[Document]:
        for title, module in self._modules.items():
            if doc := self._doc(module):
                yield Document(title, "module", title, f"module {title}\n\n{doc}", self._places.of_module(module))
        for name in self._names:
            if inspect.isclass(name.value):
                yield from self._of_class(name)
            else:
                yield self._of_routine(name.title, "function", name.value, self._doc(name.value), name.aliases)

    def _of_class(self, name: Name) -> Iterator[Document]:
        value = name.value
        doc = self._doc(value, vars(value).get("__doc__"))
        made = vars(value).get("__init__")
        if inspect.isfunction(made) and made.__doc__ and made.__doc__ not in _SAME_FOR_ALL:
            doc = "\n\n".join(filter(None, (doc, cleaned(made.__doc__))))
        members = self._members(value)
        documented = bool(doc)
        if not doc and members:
            doc = "Members: " + ", ".join(member for member, _ in members)
        signature, doc = _signed(name.title, value, doc)
        text = f"class {signature}\n\n{doc}".strip()
        yield Document(name.title, "class", signature, text, self._places.of(value), name.aliases, documented)
        for member, raw in members:
            title = f"{name.title}.{member}"
            routine = raw.__func__ if isinstance(raw, staticmethod | classmethod) else raw
            if (name.module, id(routine)) in self._bound:
                continue  # the module offers it as a function already, bound to an instance of this class
            if isinstance(raw, _PROPERTIES):
                if doc := cleaned(getattr(raw, "__doc__", None)):
                    place = self._places.of(getattr(raw, "fget", None) or getattr(raw, "func", raw))
                    yield Document(title, "property", title, f"{title}\n\n{doc}", place)
            else:
                yield self._of_routine(title, "method", routine, self._doc(routine))

    def _of_routine(
        self,
        title: str,
        kind: Literal["function", "method"],
        value: Any,
        doc: str,
        aliases: tuple[str, ...] = (),
    ) -> Document:
        documented = bool(doc)
        signature, doc = _signed(title, value, doc)
        paragraphs = (signature, doc, self._reference.get(title, ""))
        text = "\n\n".join(filter(None, paragraphs))
        return Document(title, kind, signature, text, self._places.of(value), aliases, documented)

    def _members(self, class_: type) -> list[tuple[str, Any]]:
        """Public methods and properties that are this class's own, or come from a base that has no public name."""
        found: dict[str, Any] = {}
        for base in class_.__mro__:
            if (
                base is not class_
                and base.__name__ != class_.__name__
                and (id(base) in self._classes or base is object)
            ):
                continue
            for name, raw in vars(base).items():
                if not name.startswith("_") and (
                    inspect.isroutine(raw) or isinstance(raw, (staticmethod, classmethod, *_PROPERTIES))
                ):
                    found.setdefault(name, raw)
        return sorted(found.items())

    def _doc(self, value: Any, own: str | None = None) -> str:
        """The docstring, or the comment above the definition, as `help` shows them."""
        doc = cleaned(own if inspect.isclass(value) else getattr(value, "__doc__", None))
        if not doc and (inspect.isclass(value) or inspect.isfunction(value)):
            doc = self._places.comment_above(value)
        self.undocumented += not doc
        return doc


def _signed(title: str, value: Any, doc: str) -> tuple[str, str]:
    """The signature, and the docstring without it: from the object itself or, for C, from the docstring's first line."""
    name = title.rpartition(".")[2]
    calls, rest = without_calls(name, doc)
    try:
        return title + ADDRESS.sub("", str(inspect.signature(value))), rest
    except _WITHOUT_SIGNATURE:
        return f"\n{name}".join([title + (calls[0] if calls else "(...)"), *calls[1:]]), rest
