"""Child processes and who watches them: the machinery of `flyball up`. Knows no program by name.

A supervised program does two things, both light and both without effect when it runs by hand:

    from flyball.infra.processes.handshake import say_ready, wait_to_begin

    wait_to_begin()   # after its imports, before it opens the database
    ...
    say_ready()       # when it listens, or has begun to work

It stops on SIGTERM within its grace, and ends with its supervisor however that ends.
"""

from .errors import AddressRefusedError, AlreadyRunningError, ChildFailedError, PortInUseError

__all__ = ["AddressRefusedError", "AlreadyRunningError", "ChildFailedError", "PortInUseError"]
