"""Text with every secret blotted out: those that this process holds, and whatever looks like a key, a token or a password.

The last wall, for logs: nothing should have to rely on it. Knows shapes of keys; knows no logger.
"""

import re

from .secrets import live_values

BLOT = "***"

# Each shape has a beginning of its own, so that looking for them is linear in the text.
_WHOLE = (
    r"\b(?-i:flyball_)[A-Za-z0-9_-]{16,}",  # our own keys; not FLYBALL_..., which are names of settings
    r"\bsk-[A-Za-z0-9_-]{16,}",  # OpenAI, Anthropic, OpenRouter, DeepSeek
    r"\bAIza[A-Za-z0-9_-]{30,}",  # Google
    r"\bya29\.[A-Za-z0-9_.-]{16,}",
    r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",  # Amazon
    r"\b(?:gsk|xai|pplx|nvapi|fw|tgp|r8|hf|rpa)[_-][A-Za-z0-9_-]{20,}",  # Groq, xAI, Perplexity, NVIDIA and others
    r"\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{20,}",  # GitHub
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bglpat-[A-Za-z0-9_-]{16,}",
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",  # Slack
    r"\b(?:hvs|hvb|s)\.[A-Za-z0-9_-]{20,}",  # Vault
    r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]*",  # JSON Web Tokens
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^-]{1,10000}-----END [A-Z ]*PRIVATE KEY-----)?",
)
# What stands behind a word that announces a secret; the word stays.
_ANNOUNCED = (
    r"\b(?:bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}",
    r"\b(?:x-api-key|api-key|x-goog-api-key|authorization|x-vault-token|set-cookie|cookie|flyball_session)[\"']?\s*[:=]\s*[\"']?[^\s\"',;]{8,}",
    r"/sign-in/[A-Za-z0-9_-]{20,}",
    r"/invitations/[A-Za-z0-9_-]{20,}",
    r"://[^\s/:@]{0,200}:[^\s/@]{1,200}@",
)
_SHAPES = re.compile("|".join(f"({shape})" for shape in (*_WHOLE, *_ANNOUNCED)), re.IGNORECASE)
_ANNOUNCER = re.compile(r"^(?:(?:bearer|basic)\s+|/[a-z-]+/|://|[^:=]+[:=]\s*[\"']?)", re.IGNORECASE)


def redact(text: str) -> str:
    """The text without secrets."""
    for value in live_values():
        if value in text:
            text = text.replace(value, BLOT)
    return blot_shapes(text)


def blot_shapes(text: str) -> str:
    """The text without what looks like a secret; for a process that holds none, and passes on what others said."""
    return _SHAPES.sub(_blotted, text)


def _blotted(found: re.Match[str]) -> str:
    if (found.lastindex or 0) <= len(_WHOLE):
        return BLOT
    announcer = _ANNOUNCER.match(found[0])
    end = "@" if found[0].endswith("@") else ""
    return f"{announcer[0] if announcer else ''}{BLOT}{end}"
