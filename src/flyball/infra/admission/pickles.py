"""Whether a file, read as a pickle from its first byte, would come to an import. Walks over opcodes; runs none of them.

Not how pickles are refused (nothing but two formats is let in), but how a file of one of the two is caught being a pickle besides.
"""

import pickletools

from .source import Source

_MOST_STEPS = 20_000
_OPCODES = {ord(opcode.code): opcode for opcode in pickletools.opcodes}
_WIDTHS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
_TEXTS = frozenset(
    name for name in (opcode.name for opcode in pickletools.opcodes) if "UNICODE" in name or "STRING" in name
)
_ENDS = frozenset(
    {"STOP", "EXT1", "EXT2", "EXT4"}
)  # EXT: names that the loading program itself has registered, of which there are none
_TWO_LINES = frozenset({"GLOBAL", "INST"})
_LONGEST_NAME = 1024


def imports_as_pickle(source: Source, start: int = 0) -> bool:
    """Whether unpickling would come to import a name, before it fails or ends; also where that cannot be told in time."""
    texts = 0
    for _ in range(_MOST_STEPS):
        code = source.peek(start, 1)
        opcode = _OPCODES.get(code[0]) if code else None
        if opcode is None or opcode.name in _ENDS:
            return False
        if opcode.name in _TWO_LINES:
            return _names_something(source, start + 1)
        if opcode.name == "STACK_GLOBAL" and texts >= 2:
            return True
        texts += opcode.name in _TEXTS or "GET" in opcode.name
        start = _behind(source, start, opcode)
        if start > source.size or start < 0:
            return False
    return True


def _behind(source: Source, start: int, opcode: pickletools.OpcodeInfo) -> int:
    """Where the next opcode is; -1 where this one does not end."""
    if opcode.arg is None:
        return start + 1
    if opcode.arg.n >= 0:
        return start + 1 + opcode.arg.n
    if opcode.arg.n == pickletools.UP_TO_NEWLINE:
        return source.find(b"\n", start + 1) + 1 or -1
    width = _WIDTHS[opcode.arg.n]
    return start + 1 + width + int.from_bytes(source.peek(start + 1, width), "little")


def _names_something(source: Source, start: int) -> bool:
    lines = source.peek(start, 2 * _LONGEST_NAME).split(b"\n")
    try:
        words = [line.decode() for line in lines[:2]]
    except UnicodeDecodeError:
        return False
    return len(lines) > 2 and all(word.isprintable() and word and " " not in word for word in words)
