"""Evaluations: a dataset version x variants x scorers -> a report with intervals and a verdict.

A report is immutable, known by its content hash, and can be computed again from the stored results. Verbs live in
`evaluations.service`; the rule of the verdict in `evaluations.verdicts`.
"""

from .errors import EvaluationNotFoundError, ReportNotFoundError
from .records import Evaluation, EvaluationSpec, Result
from .reports import Report, ReportLine

__all__ = [
    "Evaluation",
    "EvaluationNotFoundError",
    "EvaluationSpec",
    "Report",
    "ReportLine",
    "ReportNotFoundError",
    "Result",
]
