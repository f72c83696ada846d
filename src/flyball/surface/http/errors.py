"""What can be wrong with a request before it reaches a verb.

FlyballError
├── InvalidInputError (400)
│   ├── BodyNotJsonError         the body does not parse
│   ├── BodyTooDeepError         its arrays and objects nest deeper than the limit
│   ├── BodyTooLargeError        413
│   ├── WrongMediaTypeError      415: this route takes JSON
│   ├── UnfitValueError          a value that the database can neither keep nor look for
│   └── HostRefusedError         421: the Host header is none of ours
├── ForbiddenError (403)
│   ├── ForgedRequestError       a browser's request without proof that our own page sent it
│   └── PermissionMissingError   the caller lacks the route's permission
├── ConflictError (409)
│   └── ChangedMeanwhileError    somebody made the same thing at the same moment
└── UnavailableError (503)
    └── BodiesHeldError          the bodies of other requests take all the room that there is
"""

from flyball.kit.errors import ConflictError, ForbiddenError, InvalidInputError, UnavailableError


class BodyNotJsonError(InvalidInputError):
    """The body does not parse as JSON."""

    code = "body_not_json"


class BodyTooDeepError(InvalidInputError):
    """The body nests deeper than `FLYBALL_MAX_JSON_DEPTH`."""

    code = "body_too_deep"


class BodyTooLargeError(InvalidInputError):
    """The body is larger than `FLYBALL_MAX_BODY_BYTES`."""

    status = 413
    code = "body_too_large"


class WrongMediaTypeError(InvalidInputError):
    """The body's Content-Type is not one that this route takes."""

    status = 415
    code = "wrong_media_type"


class HostRefusedError(InvalidInputError):
    """The Host header names none of the hosts that this server answers for."""

    status = 421
    code = "host_refused"


class UnfitValueError(InvalidInputError):
    """A value that the database can neither keep nor look for: a NUL, a number beyond its bounds, a name too long to index."""

    code = "value_unfit"


class ForgedRequestError(ForbiddenError):
    """A browser sent this with a session cookie, and nothing shows that one of our own pages asked it to."""

    code = "forged_request"


class PermissionMissingError(ForbiddenError):
    """The caller is known and lacks the permission that the route requires."""

    code = "permission_missing"
    permission: str = ""


class ChangedMeanwhileError(ConflictError):
    """Two callers made a thing of the same name at the same moment; the other one was first."""

    code = "changed_meanwhile"


class BodiesHeldError(UnavailableError):
    """The bodies of other requests take all the room that there is for them."""

    code = "bodies_held"
    retry_after = 2
