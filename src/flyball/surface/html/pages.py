"""Routes that answer with a page. A view returns one typed record, or `See` to send the browser on; nothing else."""

import inspect
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Annotated, Any, NamedTuple, TypeAlias, TypeVar

from fastapi import Depends
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from flyball.surface.http import Router

from . import notices
from .rendering import render

View: TypeAlias = Callable[..., Coroutine[Any, Any, Any]]
V = TypeVar("V", bound=View)


class See(NamedTuple):
    """Send the browser to another page (303), which shows the notice once. Tones: good, bad, warn or none."""

    path: str
    notice: str = ""
    tone: str = "good"


async def _read_form(request: Request) -> dict[str, str]:
    form = await request.form()
    return {name: value.strip() for name, value in form.items() if isinstance(value, str)}


FormDep = Annotated[dict[str, str], Depends(_read_form)]


class Pages:
    """The pages of one room.

    `section` is the entry of the navigation that is marked as current, `router` holds the routes, and `views` says which
    views answer with which template.
    """

    def __init__(self, *, tag: str, section: str) -> None:
        self.router = Router(tag=tag, documented=False)
        self.section = section
        self.views: list[tuple[str, View]] = []

    def get(self, path: str, *, permission: str, template: str = "") -> Callable[[V], V]:
        """A page to read; without a template a view that only sends the browser on."""
        return self._page("GET", path, permission, template)

    def post(self, path: str, *, permission: str, template: str = "") -> Callable[[V], V]:
        """What a form does. `template` where the view may answer with a page itself (something shown once)."""
        return self._page("POST", path, permission, template)

    def _page(self, method: str, path: str, permission: str, template: str) -> Callable[[V], V]:
        def register(view: V) -> V:
            if template:
                self.views.append((template, view))
            self.router.add(method, path, permission=permission, returns=HTMLResponse)(self._answering(view, template))
            return view

        return register

    def _answering(self, view: View, template: str) -> View:
        signature = inspect.signature(view)
        own = "request" in signature.parameters
        request_parameter = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)

        @wraps(view)
        async def answer(**named: Any) -> Response:
            request: Request = named["request"] if own else named.pop("request")
            result = await view(**named)
            if isinstance(result, Response):
                return result
            if isinstance(result, See):
                if result.notice:
                    notices.leave(request, result.notice, result.tone)
                return RedirectResponse(result.path, status_code=303)
            return render(request, template, result, section=self.section)

        if not own:
            parameters = [*signature.parameters.values(), request_parameter]
            answer.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined] # how functions carry a signature of their own
            answer.__annotations__ = {**view.__annotations__, "request": Request}
        return answer
