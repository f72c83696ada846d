"""What OTLP's specification asks of a server, as clauses that any endpoint can be held against.

    python -m flyball.testing.otlp_conformance http://127.0.0.1:4000 --key KEY --grpc 127.0.0.1:4317

A clause is told in our words, by its section. Only what a client can see from outside is asked; nothing is imported from
flyball's own ingest, so that the suite judges it as it judges others.
"""

from .clause import Clause, Outcome
from .suite import CLAUSES, run
from .target import Target

__all__ = ["CLAUSES", "Clause", "Outcome", "Target", "run"]
