"""Models: the catalog of what may be called, with endpoints, prices and licence. A version is immutable.

Verbs live in `models.service`; the price of a call in `models.pricing`; what `env:NAME` stands for in `models.endpoints`.
"""

from .errors import ModelNotConfiguredError, ModelNotFoundError
from .records import Endpoint, Model, ModelSpec, Prices

__all__ = ["Endpoint", "Model", "ModelNotConfiguredError", "ModelNotFoundError", "ModelSpec", "Prices"]
