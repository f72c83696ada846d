"""Whether a file may come in: the two formats, what lies beside them in an archive, and nothing else."""

import msgspec

from flyball.kit.nesting import nests_deeper

from .archive import is_zip
from .errors import FileTooLargeError
from .faces import refuse_two_faces
from .gguf import is_gguf, judge_gguf
from .recognition import refusal
from .records import Judged
from .safetensors import is_safetensors, judge_safetensors
from .source import Limits, Source

_DEEPEST = 64
# What may lie beside weights besides JSON, by the end of its name: text that is neither code nor markup for a browser.
_TEXTS = (".txt", ".md", ".jinja", ".tsv", ".csv", "license", "notice", "readme")


def judge(source: Source, limits: Limits) -> Judged:
    """What a file of weights is, proven by every byte that has a meaning.

    Raises:
        NotAdmittedError: it is nothing that is let in; says what it is and what to do.
    """
    if source.size > limits.file_bytes:
        raise FileTooLargeError(
            f"{source.name!r:.200} has {source.size:,} bytes, more than {limits.file_bytes:,}",
            next_step="raise FLYBALL_MAX_WEIGHTS_BYTES, or send it in shards",
        )
    if is_gguf(source):
        judged = judge_gguf(source, limits)
    elif is_safetensors(source):
        judged = judge_safetensors(source, limits)
    else:
        raise refusal(source)
    refuse_two_faces(source)
    return judged


def judge_entry(source: Source, limits: Limits) -> Judged:
    """The same for a file in an archive, which may also be JSON or plain text. Raises NotAdmittedError."""
    if is_gguf(source) or is_safetensors(source):
        return judge(source, limits)
    text = source.peek(0, limits.text_bytes) if source.size <= limits.text_bytes and not is_zip(source) else b""
    if _is_text(text):
        is_json = _is_json(text)
        if is_json or source.name.lower().endswith(_TEXTS):
            refuse_two_faces(source)
            return Judged(format="json" if is_json else "text", bytes=source.size)
    raise refusal(source, where=" in the archive")


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return bool(data) and b"\0" not in data


def _is_json(data: bytes) -> bool:
    if nests_deeper(data, _DEEPEST):
        return False
    try:
        msgspec.json.decode(data, type=msgspec.Raw)  # looks at all of it and builds nothing
    except msgspec.DecodeError:
        return False
    return True
