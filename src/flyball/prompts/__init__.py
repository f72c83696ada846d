"""Prompts: templates with declared variables and versions. A version is immutable and known by its content hash.

The syntax is in `prompts.template`; verbs live in `prompts.service`.
"""

from .errors import PromptNotFoundError, PromptTemplateError, PromptVariableError
from .records import Prompt

__all__ = ["Prompt", "PromptNotFoundError", "PromptTemplateError", "PromptVariableError"]
