"""How errors become answers: the envelope under `/api`, a page elsewhere, a foreign face's own shape under its addresses.

Knows statuses; knows no noun and no template.
"""

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeAlias
from urllib.parse import urlencode

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from psycopg import Error as PsycopgError
from psycopg.errors import DataError, ProgramLimitExceeded, UniqueViolation
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from flyball.infra.context import Context
from flyball.kit.errors import FlyballError, InvalidInputError

from .errors import ChangedMeanwhileError, PermissionMissingError, UnfitValueError
from .identity import RefusalRecorder
from .responses import failure, headers_of

logger = logging.getLogger("flyball.http")

SIGN_IN = "/sign-in"
ErrorPage: TypeAlias = Callable[[Request, FlyballError], Response]
_NO_FACES: Mapping[str, ErrorPage] = {}


def install_error_answers(
    app: FastAPI, page: ErrorPage | None = None, faces: Mapping[str, ErrorPage] = _NO_FACES
) -> None:
    """Answer every error of the application. `page` renders one for people; without it they get plain text.

    `faces`, by how their addresses begin, render errors for clients of other products.
    """
    render = page or _plain_text

    def answer(request: Request, error: FlyballError) -> Response:
        shape = next((shape for begin, shape in faces.items() if request.scope["path"].startswith(begin)), None)
        return _answer(request, error, render, shape)

    async def on_flyball_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, FlyballError)  # noqa: S101 -- registered for this class below
        if isinstance(error, PermissionMissingError):
            await _record_refusal(request, error)
        return answer(request, error)

    async def on_http_exception(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 -- likewise
        answered = answer(request, _from_http(request, error))
        answered.headers.update(error.headers or {})
        return answered

    async def on_invalid_parameters(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 -- likewise
        return answer(request, _from_validation(error))

    async def on_unique_violation(request: Request, error: Exception) -> Response:  # noqa: ARG001 -- it names columns
        twin = ChangedMeanwhileError(
            "somebody made the same thing at this very moment", next_step="look at what is there, and repeat it"
        )
        return answer(request, twin)

    async def on_unfit_value(request: Request, error: Exception) -> Response:  # noqa: ARG001 -- it may hold content
        return answer(
            request,
            UnfitValueError(
                "a value of the request can be neither kept nor looked for: a character that no text holds, a number "
                "beyond all bounds, or a name that is too long",
                next_step="correct the value and send it again",
            ),
        )

    async def on_anything(request: Request, error: Exception) -> Response:  # noqa: ARG001 -- its text may hold content
        failed = FlyballError(
            f"flyball failed at this request ({request.scope.get('flyball.request_id', '')})",
            next_step="look for this request id in the log of the control process",
        )
        return answer(request, failed)

    app.add_exception_handler(FlyballError, on_flyball_error)
    app.add_exception_handler(HTTPException, on_http_exception)
    app.add_exception_handler(RequestValidationError, on_invalid_parameters)
    app.add_exception_handler(UniqueViolation, on_unique_violation)
    app.add_exception_handler(DataError, on_unfit_value)
    app.add_exception_handler(ProgramLimitExceeded, on_unfit_value)
    app.add_exception_handler(Exception, on_anything)


async def _record_refusal(request: Request, error: PermissionMissingError) -> None:
    recorder: RefusalRecorder | None = getattr(request.app.state, "refusal_recorder", None)
    ctx: Context | None = request.scope.get("flyball.context")
    if recorder is None or ctx is None or not error.permission:
        return
    try:
        await recorder(ctx, error.permission)
    except (FlyballError, PsycopgError) as trouble:  # the caller is refused all the same
        logger.warning("a refusal is not in the audit record: %s", trouble)


def _answer(request: Request, error: FlyballError, render: ErrorPage, shape: ErrorPage | None) -> Response:
    if error.status >= 500:
        logger.warning("request %s: %s", request.scope.get("flyball.request_id", ""), error)
    if shape is not None:
        shaped = shape(request, error)
        shaped.headers.update(headers_of(error))
        return shaped
    if not _for_people(request):
        return failure(error)
    if error.status == 401 and request.method == "GET":
        address = request.scope["path"] + ("?" + request.url.query if request.url.query else "")
        return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': address})}", status_code=303)
    page = render(request, error)
    page.headers.update(headers_of(error))
    return page


def _for_people(request: Request) -> bool:
    path = request.scope["path"]
    return not path.startswith("/api/") and "text/html" in request.headers.get("accept", "")


def _from_http(request: Request, error: HTTPException) -> FlyballError:
    where = f"{request.method} {request.scope['path']}"
    messages = {404: f"there is nothing at {where:.200}", 405: f"{where:.200} is not a way to use this address"}
    found = FlyballError(
        messages.get(error.status_code, str(error.detail)), next_step="see the list of addresses at /api/openapi.json"
    )
    found.status = error.status_code
    found.code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_").replace("-", "_")
    return found


def _from_validation(error: RequestValidationError) -> FlyballError:
    return InvalidInputError("; ".join(_one_parameter(each) for each in error.errors()) or "the request is not valid")


def _one_parameter(problem: dict[str, Any]) -> str:
    *_, name = problem.get("loc") or ("the request",)
    return f"{name}: {problem.get('msg', 'not valid')} (got {problem.get('input')!r:.60})"


def _plain_text(_request: Request, error: FlyballError) -> Response:
    return PlainTextResponse(f"{error}\n", status_code=error.status)
