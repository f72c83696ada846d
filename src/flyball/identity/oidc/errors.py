"""How a provider's answers go wrong. Messages name the claim or the field, never a token; strangers are told less by rooms above.

FlyballError
├── ForbiddenError
│   └── TokenRefusedError       the ID token, or what came with it, proves nothing
└── UnavailableError
    └── ProviderAnswerError     the provider does not answer, or with what cannot be used
"""

from flyball.kit.errors import ForbiddenError, UnavailableError


class TokenRefusedError(ForbiddenError):
    """An ID token that proves nothing: not signed by the provider, for somebody else, for another time, for another sign-in."""

    code = "token_refused"


class ProviderAnswerError(UnavailableError):
    """The provider's answer is missing, too large, or not what the protocol asks for."""

    code = "provider_answer"
