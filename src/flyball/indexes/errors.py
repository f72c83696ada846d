"""What can go wrong with indexes.

FlyballError
├── NotFoundError
│   ├── IndexNotFoundError       no index of that name in this project
│   └── IndexNotBuiltError       declared, but there is no version yet
├── InvalidInputError
│   └── IndexInvalidError        a declaration or a query that cannot work
└── UnavailableError
    └── IndexFilesMissingError   the files of a version are not on this machine, or are damaged: rebuild
"""

from flyball.kit.errors import InvalidInputError, NotFoundError, UnavailableError


class IndexNotFoundError(NotFoundError):
    """No index of that name in this project."""

    code = "index_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"there is no index named {name!r}",
            next_step=f"see `flyball index list`, or run `flyball index build {name} --dataset NAME`",
        )


class IndexNotBuiltError(NotFoundError):
    """Declared, but there is no version yet."""

    code = "index_not_built"

    def __init__(self, name: str, version: int | None = None) -> None:
        what = "has not been built" if version is None else f"has no version {version}"
        super().__init__(f"the index {name!r} {what}", next_step=f"run `flyball index build {name}`")


class IndexInvalidError(InvalidInputError):
    """A declaration or a query that cannot work."""

    code = "index_invalid"


class IndexFilesMissingError(UnavailableError):
    """The files of a version are not on this machine, or are damaged."""

    code = "index_files_missing"

    def __init__(self, name: str, version: int, reason: str) -> None:
        super().__init__(
            f"the files of the index {name!r} version {version} cannot be used ({reason})",
            next_step=f"run `flyball index build {name} --version {version}`: an index is derived and loses nothing",
        )
