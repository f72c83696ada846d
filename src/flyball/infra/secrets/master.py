"""The master key: from the environment, a file, a command of the operator's, or a file made in the data directory.

Several keys may stand in one source, separated by white space: the first wraps, all unwrap. That is how it is exchanged.
"""

import asyncio
import base64
import binascii
import os
import re
import secrets
import shlex
from pathlib import Path
from typing import Literal, NamedTuple

from flyball.kit.durable import sync
from flyball.kit.layout import Layout
from flyball.settings import Settings

from .commands import run
from .envelope import KEY_BYTES, Cipher
from .errors import MasterKeyError
from .files import master_file, read_small

Origin = Literal["environment", "file", "command", "data directory", "none"]

_HEX = re.compile(r"[0-9a-fA-F]{64}")
_MAKE_ONE = "make one with `openssl rand -base64 32`, and give it as FLYBALL_MASTER_KEY, FLYBALL_MASTER_KEY_FILE or FLYBALL_MASTER_KEY_COMMAND"


class MasterKeys(NamedTuple):
    """The keys of this process, the one that wraps first; none where nothing was sealed yet."""

    origin: Origin
    keys: tuple[Cipher, ...]

    @property
    def current(self) -> Cipher:
        """The one that wraps. Raises MasterKeyError where there is none."""
        if not self.keys:
            raise MasterKeyError("there is no master key", next_step=_MAKE_ONE)
        return self.keys[0]

    def named(self, id_: str) -> Cipher:
        """The one of that id. Raises MasterKeyError, naming it and those that are here."""
        found = next((key for key in self.keys if key.id == id_), None)
        if found is None:
            here = ", ".join(key.id for key in self.keys) or "none"
            raise MasterKeyError(
                f"the secrets are encrypted under the master key {id_}, and this process has {here}",
                next_step=f"give {id_} as FLYBALL_MASTER_KEY (or _FILE, _COMMAND), or as FLYBALL_MASTER_KEY_OLD beside the "
                "new one and run `flyball secrets rotate-master`",
            )
        return found


def origin_of(settings: Settings, layout: Layout) -> Origin:
    """Where the master key comes from. Raises MasterKeyError where it is given more than once."""
    given: list[Origin] = []
    if settings.master_key is not None and settings.master_key.reveal():
        given.append("environment")
    if settings.master_key_file:
        given.append("file")
    if settings.master_key_command:
        given.append("command")
    if len(given) > 1:
        raise MasterKeyError(
            f"the master key is given by {' and by '.join(given)}",
            next_step="set one of FLYBALL_MASTER_KEY, FLYBALL_MASTER_KEY_FILE and FLYBALL_MASTER_KEY_COMMAND",
        )
    return given[0] if given else "data directory" if master_file(layout).exists() else "none"


async def load(settings: Settings, layout: Layout) -> MasterKeys:
    """The keys of this process, read anew. Raises MasterKeyError."""
    origin = origin_of(settings, layout)
    texts = [await _text(origin, settings, layout)]
    if settings.master_key_old is not None:
        texts.append(settings.master_key_old.reveal())
    if origin not in ("data directory", "none") and master_file(layout).exists():
        texts.append(await _own(layout))  # how one moves from the file that was made at first to a key of one's own
    found = {key.id: key for text in texts for key in _parsed(text, origin)}
    if not found and origin != "none":
        raise MasterKeyError(f"the master key's {origin} holds no key", next_step=_MAKE_ONE)
    return MasterKeys(origin, tuple(found.values()))


async def _text(origin: Origin, settings: Settings, layout: Layout) -> str:
    if origin == "environment":
        assert settings.master_key is not None  # noqa: S101 -- that is where it comes from
        return settings.master_key.reveal()
    if origin == "file":
        try:
            return await asyncio.to_thread(read_small, Path(settings.master_key_file))
        except (OSError, ValueError) as error:
            raise MasterKeyError(
                f"the master key's file {settings.master_key_file} cannot be read ({type(error).__name__})",
                next_step="let the user who runs flyball read it, and nobody else",
            ) from None
    if origin == "command":
        return await _from_command(settings.master_key_command)
    return await _own(layout) if origin == "data directory" else ""


async def _from_command(line: str) -> str:
    try:
        words = shlex.split(line)
    except ValueError:
        words = []
    if not words:
        raise MasterKeyError("FLYBALL_MASTER_KEY_COMMAND is no command", next_step="write a program and its arguments")
    said = await run(words)
    if said.text is None:
        raise MasterKeyError(
            f"the master key's command {words[0]} {said.problem}",
            next_step="run it by hand, as the user who runs flyball",
        )
    return said.text.reveal()


async def _own(layout: Layout) -> str:
    try:
        return await asyncio.to_thread(read_small, master_file(layout))
    except OSError as error:
        raise MasterKeyError(
            f"the master key's file {master_file(layout)} cannot be read ({type(error).__name__})",
            next_step=f"restore it, for its owner alone: chmod 600 {master_file(layout)}",
        ) from None


def _parsed(text: str, origin: Origin) -> list[Cipher]:
    return [Cipher(_key(word, origin), "mk") for word in text.split()]


def _key(word: str, origin: Origin) -> bytes:
    try:
        if _HEX.fullmatch(word):
            return bytes.fromhex(word)
        padded = word.replace("-", "+").replace("_", "/").rstrip("=")
        key = base64.b64decode(padded + "=" * (-len(padded) % 4), validate=True)
    except (ValueError, binascii.Error):
        key = b""
    if len(key) != KEY_BYTES:
        raise MasterKeyError(
            f"what the {origin} gives as master key is not {KEY_BYTES} bytes in base64 or hexadecimal",
            next_step=_MAKE_ONE,
        )
    return key


def make_own(layout: Layout) -> None:
    """Make the file with a key in the data directory, for its owner alone. One that is there stays, whoever made it."""
    text = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n"
    beside = _write_beside(master_file(layout), text)
    try:
        os.link(beside, master_file(layout))  # of several at the same moment, one makes it
    except FileExistsError:
        return
    finally:
        beside.unlink()
        sync(master_file(layout).parent)


async def add_own(layout: Layout) -> None:
    """Put a new key before the ones in the file in the data directory, which still unwrap."""
    earlier = await _own(layout)
    new = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
    await asyncio.to_thread(_replace_own, layout, f"{new}\n{earlier}\n")


async def keep_own(layout: Layout, id_: str) -> None:
    """Leave only the key of that id in the file in the data directory, once nothing is wrapped by another."""
    words = (await _own(layout)).split()
    kept = [word for word in words if Cipher(_key(word, "data directory"), "mk").id == id_]
    if kept and len(words) > 1:
        await asyncio.to_thread(_replace_own, layout, f"{kept[0]}\n")


def _replace_own(layout: Layout, text: str) -> None:
    _write_beside(master_file(layout), text).replace(master_file(layout))
    sync(master_file(layout).parent)


def _write_beside(path: Path, text: str) -> Path:
    beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    return beside
