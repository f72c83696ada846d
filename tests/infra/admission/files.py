"""Files to be judged: safetensors and GGUF by hand, so that a test can make one that no library would, and pickles by every route."""

import io
import json
import pickle
import struct
from typing import Any

from flyball.infra.admission.judging import judge
from flyball.infra.admission.records import Judged
from flyball.infra.admission.source import Limits, Source

LIMITS = Limits(json_header_bytes=1024 * 1024, header_bytes=4 * 1024 * 1024)


def judged(data: bytes, name: str = "model.safetensors", limits: Limits = LIMITS) -> Judged:
    """What is said of these bytes."""
    return judge(Source(io.BytesIO(data), name=name), limits)


def safetensors(header: Any = None, data: bytes = b"\0" * 8, *, raw: bytes | None = None) -> bytes:
    """A file with that header: a value to encode, or its bytes."""
    if raw is None:
        raw = json.dumps(header if header is not None else {"w": tensor("F32", [2], 0, 8)}).encode()
    return struct.pack("<Q", len(raw)) + raw + data


def tensor(dtype: Any, shape: Any, start: Any, stop: Any) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def text(value: str | bytes) -> bytes:
    raw = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(raw)) + raw


def pair(key: str, kind: int, value: bytes) -> bytes:
    return text(key) + struct.pack("<I", kind) + value


def info(name: str, shape: list[int], kind: int, offset: int) -> bytes:
    return text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, kind, offset)


def gguf(pairs: list[bytes] | None = None, infos: list[bytes] | None = None, data: bytes = b"\0" * 8, *, version: int = 3, alignment: int = 32, counts: tuple[int, int] | None = None) -> bytes:  # fmt: skip
    """A file with those values and tensors."""
    pairs = [pair("general.architecture", 8, text("llama"))] if pairs is None else pairs
    infos = [info("w", [2], 0, 0)] if infos is None else infos
    head = (
        b"GGUF"
        + struct.pack("<IQQ", version, *(counts or (len(infos), len(pairs))))
        + b"".join(pairs)
        + b"".join(infos)
    )
    return head + b"\0" * (-len(head) % alignment) + data


# -- pickles

GADGETS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("os", "system", ("id",)), ("posix", "system", ("id",)), ("os", "popen", ("id",)), ("os", "execl", ("/bin/sh", "sh")), ("os", "putenv", ("A", "b")),
    ("subprocess", "Popen", ("id",)), ("subprocess", "call", ("id",)), ("subprocess", "getoutput", ("id",)), ("builtins", "eval", ("1",)),
    ("builtins", "exec", ("1",)), ("builtins", "compile", ("1", "x", "eval")), ("builtins", "__import__", ("os",)), ("builtins", "open", ("/x", "w")),
    ("builtins", "getattr", ("a", "b")), ("builtins", "breakpoint", ()), ("runpy", "run_path", ("/x",)), ("runpy", "_run_code", ("1",)),
    ("importlib", "import_module", ("os",)), ("code", "interact", ()), ("code", "InteractiveInterpreter", ()), ("pdb", "run", ("1",)), ("bdb", "Bdb", ()),
    ("timeit", "timeit", ("1",)), ("cProfile", "run", ("1",)), ("profile", "run", ("1",)), ("trace", "Trace", ()), ("pty", "spawn", ("id",)),
    ("ctypes", "CDLL", ("/x.so",)), ("webbrowser", "open", ("http://x",)), ("shutil", "rmtree", ("/x",)), ("shutil", "copy", ("/a", "/b")),
    ("pydoc", "pipepager", ("x", "id")), ("pydoc", "locate", ("os",)), ("doctest", "debug_script", ("1",)), ("ensurepip", "_run_pip", ("x",)),
    ("idlelib.pyshell", "ModifiedInterpreter", ()), ("lib2to3.pgen2.grammar", "Grammar.loads", ("x",)), ("torch.utils.collect_env", "run", ("id",)),
    ("numpy.testing._private.utils", "runstring", ("1",)), ("urllib.request", "urlopen", ("http://x",)), ("smtplib", "SMTP", ("x",)),
    ("sqlite3", "connect", ("/x",)), ("pickle", "loads", ("x",)), ("marshal", "loads", ("x",)), ("types", "FunctionType", ()), ("operator", "attrgetter", ("a",)),
    ("operator", "methodcaller", ("a",)), ("functools", "partial", ("a",)), ("asyncio.unix_events", "_UnixSubprocessTransport._start", ("id",)),
    ("logging.config", "listen", ()), ("multiprocessing.util", "spawnv_passfds", ("a",)), ("test.support.script_helper", "assert_python_ok", ("-c",)),
    ("zipimport", "zipimporter", ("/x",)), ("_osx_support", "_find_build_tool", ("x",)), ("distutils.file_util", "write_file", ("/x",)),
)  # fmt: skip


def _short(word: str) -> bytes:
    return b"\x8c" + bytes([len(word)]) + word.encode()


def _line(word: str) -> bytes:
    return b"V" + word.encode() + b"\n"


def _frame(body: bytes) -> bytes:
    return b"\x95" + struct.pack("<Q", len(body)) + body


def _texts(words: tuple[str, ...]) -> bytes:
    return b"".join(b"X" + struct.pack("<I", len(word)) + word.encode() for word in words)


ROUTES = {
    "protocol 0, GLOBAL and REDUCE": lambda m, n, a: f"c{m}\n{n}\n".encode() + b"(" + b"".join(map(_line, a)) + b"tR.",
    "protocol 0, INST": lambda m, n, a: b"(" + b"".join(map(_line, a)) + f"i{m}\n{n}\n.".encode(),
    "protocol 1, OBJ": lambda m, n, a: f"(c{m}\n{n}\n".encode() + _texts(a) + b"o.",
    "protocol 2, GLOBAL": lambda m, n, a: b"\x80\x02" + f"c{m}\n{n}\n".encode() + b"(" + _texts(a) + b"tR.",
    "protocol 2, NEWOBJ": lambda m, n, a: b"\x80\x02" + f"c{m}\n{n}\n".encode() + b"(" + _texts(a) + b"t\x81.",
    "protocol 2, BUILD": lambda m, n, a: b"\x80\x02" + f"c{m}\n{n}\n)R(".encode() + _texts(a) + b"tb.",
    "protocol 3, behind data": lambda m, n, a: b"\x80\x03]q\x00(K\x01K\x02e0" + f"c{m}\n{n}\n".encode() + b"(" + _texts(a) + b"tR.",
    "protocol 4, STACK_GLOBAL": lambda m, n, a: b"\x80\x04" + _short(m) + _short(n) + b"\x93(" + b"".join(map(_short, a)) + b"tR.",
    "protocol 4, framed": lambda m, n, a: b"\x80\x04" + _frame(_short(m) + _short(n) + b"\x93(" + b"".join(map(_short, a)) + b"tR."),
    "protocol 4, names from the memo": lambda m, n, a: b"\x80\x04" + _short(m) + b"\x940" + _short(n) + b"\x940h\x00h\x01\x93(" + b"".join(map(_short, a)) + b"tR.",
    "protocol 4, NEWOBJ_EX": lambda m, n, a: b"\x80\x04" + _short(m) + _short(n) + b"\x93(" + b"".join(map(_short, a)) + b"t}\x92.",
    "protocol 5, behind a buffer": lambda m, n, a: b"\x80\x05\x96" + struct.pack("<Q", 4) + b"data0" + _short(m) + _short(n) + b"\x93(" + b"".join(map(_short, a)) + b"tR.",
}  # fmt: skip


def zoo() -> dict[str, bytes]:
    """Every gadget by every route."""
    return {f"{m}.{n} by {route}": make(m, n, a) for m, n, a in GADGETS for route, make in ROUTES.items()}


class Gadget:
    """What pickle itself writes for an object whose `__reduce__` is not kind."""

    def __reduce__(self):
        return (eval, ("1 + 1",))


def own_pickles() -> dict[str, bytes]:
    return {f"pickle.dumps, protocol {protocol}": pickle.dumps({"state": Gadget()}, protocol) for protocol in range(6)}
