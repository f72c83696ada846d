"""What can go wrong with datasets.

FlyballError
├── NotFoundError
│   ├── DatasetNotFoundError         no dataset of that name in this project
│   ├── DatasetVersionNotFoundError  the dataset has no such version
│   ├── ItemNotFoundError            no dataset has an item of that id
│   └── ExperimentNotFoundError      the dataset has no experiment of that name
├── InvalidInputError
│   ├── DatasetNameError             a name that cannot be used in addresses
│   ├── SourceNotFoundError          the folder or file to import does not exist, or is not one
│   ├── EmptyDatasetError            nothing could be imported; names the first refusals
│   ├── NotDeclaredError             an import without a source, of a dataset that declares none
│   └── RowInvalidError              a row that does not fit the dataset
├── ConflictError
│   ├── DatasetKindError             documents are not rows
│   ├── ItemTakenError               an item of another dataset has that id
│   ├── NotCollectedError            the dataset is imported from a source: no item is put into it
│   └── SourceChangedError           what is imported changed while it was
├── ForbiddenError
│   ├── LocalPathError               only the server's operator may have files of the machine read
│   └── CapturedBytesError           bytes named by a hash that this dataset is not declared with
├── UnavailableError
│   └── StagingFullError             the disk has no room for what is collected
└── CollectorError                   the child process that reads the source ended unexpectedly
"""

from flyball.kit.errors import (
    ConflictError,
    FlyballError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UnavailableError,
)


class DatasetNotFoundError(NotFoundError):
    """No dataset of that name in this project."""

    code = "dataset_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no dataset named {name!r}", next_step="see `flyball datasets list`")


class DatasetVersionNotFoundError(NotFoundError):
    """The dataset has no such version."""

    code = "dataset_version_not_found"

    def __init__(self, name: str, version: int | str | None = None) -> None:
        which = f"no version {version}" if version is not None else "no version yet"
        super().__init__(
            f"the dataset {name!r} has {which}", next_step=f"see `flyball datasets show {name}`, or import it"
        )


class ItemNotFoundError(NotFoundError):
    """No dataset of the project has an item of that id."""

    code = "dataset_item_not_found"

    def __init__(self, item_id: str) -> None:
        super().__init__(
            f"there is no item {item_id!r:.120}", next_step="list the dataset's items to see which there are"
        )


class ExperimentNotFoundError(NotFoundError):
    """The dataset has no experiment of that name."""

    code = "experiment_not_found"

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no experiment {name!r:.120}", next_step="list the dataset's experiments")


class ItemTakenError(ConflictError):
    """An item of another dataset has this id."""

    code = "dataset_item_taken"

    def __init__(self, item_id: str, dataset: str) -> None:
        super().__init__(
            f"{item_id!r:.120} is an item of the dataset {dataset!r}", next_step="give the item an id of its own"
        )


class NotCollectedError(ConflictError):
    """The dataset is imported from a source, so no item is put into it."""

    code = "dataset_not_collected"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the dataset {name!r} is imported from a source, or holds documents, so no item is put into it",
            next_step="put it into a dataset of its own, or change the source and import it again",
        )


class DatasetNameError(InvalidInputError):
    """A name that cannot be used in addresses."""

    code = "dataset_name_invalid"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name!r:.90} cannot be a dataset's name",
            next_step="use 1 to 80 lower-case letters, digits, '.', '_' and '-', beginning with a letter or digit",
        )


class SourceNotFoundError(InvalidInputError):
    """The folder or file to import does not exist, or is not one."""

    code = "dataset_source_not_found"


class EmptyDatasetError(InvalidInputError):
    """Nothing could be imported."""

    code = "dataset_empty"


class NotDeclaredError(InvalidInputError):
    """An import without a source, of a dataset that declares none."""

    code = "dataset_not_declared"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"the dataset {name!r} declares no source to import from",
            next_step=f"run `flyball datasets import docs PATH --name {name}`, or declare `import:` in flyball.yaml",
        )


class RowInvalidError(InvalidInputError):
    """A row that does not fit the dataset."""

    code = "dataset_row_invalid"


class DatasetKindError(ConflictError):
    """Documents are not rows."""

    code = "dataset_kind"

    def __init__(self, name: str, kind: str, asked: str) -> None:
        super().__init__(
            f"the dataset {name!r} holds {kind}, not {asked}", next_step="import it under another name (--name)"
        )


class SourceChangedError(ConflictError):
    """What is imported changed while it was."""

    code = "dataset_source_changed"


class LocalPathError(ForbiddenError):
    """Only the server's operator may have files of the machine read."""

    code = "dataset_local_path"

    def __init__(self, location: str) -> None:
        super().__init__(
            f"importing {location!r} reads files of flyball's machine, which this caller may not ask for",
            next_step="have the server's operator run it: on that machine, or as an owner in the organisation default",
        )


class CapturedBytesError(ForbiddenError):
    """Bytes named by their hash, which this dataset was never given: a hash proves nothing about who may read what it names."""

    code = "dataset_captured_bytes"

    def __init__(self, name: str, location: str) -> None:
        super().__init__(
            f"the dataset {name!r} is not declared with {location:.80}, so it is not imported from there",
            next_step="apply a flyball.yaml that names the file, which captures its bytes",
        )


class CollectorError(FlyballError):
    """The child process that reads the source ended unexpectedly."""

    code = "dataset_collector_failed"


class StagingFullError(UnavailableError):
    """The disk has no room for what is collected."""

    code = "staging_full"

    def __init__(self, folder: str) -> None:
        super().__init__(
            f"the disk of {folder} has no room for what is collected",
            next_step="make room, then import again; nothing was published",
        )
