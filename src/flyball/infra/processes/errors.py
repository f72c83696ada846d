"""What can keep flyball from starting, each with what to do.

FlyballError
├── ConflictError
│   ├── AlreadyRunningError    another supervisor holds the data directory
│   └── PortInUseError         another program listens on the port
├── ForbiddenError
│   └── AddressRefusedError    the host or port cannot be bound, or may not be
└── ChildFailedError           a child process did not become ready; carries its last lines
"""

from flyball.kit.errors import ConflictError, FlyballError, ForbiddenError


class AlreadyRunningError(ConflictError):
    """Another supervisor holds the data directory."""

    code = "already_running"


class PortInUseError(ConflictError):
    """Another program listens on the port."""

    code = "port_in_use"


class AddressRefusedError(ForbiddenError):
    """The host or port cannot be bound, or may not be."""

    code = "address_refused"


class ChildFailedError(FlyballError):
    """A child process did not become ready."""

    code = "child_failed"
