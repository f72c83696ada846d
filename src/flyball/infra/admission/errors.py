"""Why a file is not let in.

FlyballError
└── InvalidInputError
    └── NotAdmittedError (422)       not let in
        ├── RunsCodeError            loading such a file runs code that it brings: pickles in every coat, Keras, scripts
        ├── UnknownFileError         neither safetensors nor GGUF nor a zip of them
        ├── DamagedFileError         it says what it is, and its inside does not fit
        ├── TwoFacedFileError        it is one format to one reader and another to the next
        ├── ArchiveRefusedError      a zip whose names, sizes or entries are not taken
        └── FileTooLargeError (413)  larger than is taken
"""

from flyball.kit.errors import InvalidInputError


class NotAdmittedError(InvalidInputError):
    """The file is not let in."""

    status = 422
    code = "file_not_admitted"


class RunsCodeError(NotAdmittedError):
    """Loading such a file runs code that the file brings."""

    code = "file_runs_code"


class UnknownFileError(NotAdmittedError):
    """The file is none of the formats that are let in."""

    code = "file_unknown"


class DamagedFileError(NotAdmittedError):
    """The file is cut off, or its parts contradict each other."""

    code = "file_damaged"


class TwoFacedFileError(NotAdmittedError):
    """The file reads as one format for one program and as another for the next."""

    code = "file_two_faced"


class ArchiveRefusedError(NotAdmittedError):
    """The archive has an entry that is not taken."""

    code = "archive_refused"


class FileTooLargeError(NotAdmittedError):
    """The file, or what it unpacks to, is larger than is taken."""

    status = 413
    code = "file_too_large"
