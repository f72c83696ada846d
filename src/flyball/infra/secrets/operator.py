"""What the operator allows configurations to refer to, out of the settings; and looking such a reference up, once."""

import asyncio
import os
from pathlib import Path

from flyball.kit.layout import Layout
from flyball.settings import Settings

from .commands import from_command
from .environment import from_environment
from .files import RUN_SECRETS, from_file, master_file
from .references import Found, Missing, Reference
from .vault import from_vault, token_file


def folders(settings: Settings, layout: Layout) -> tuple[Path, ...]:
    """Below which files may be named."""
    listed = (Path(part) for part in settings.secret_files.split(os.pathsep) if part.startswith("/"))
    return tuple(listed) if settings.secret_files else (RUN_SECRETS, layout.secrets)


async def fetch(reference: Reference, settings: Settings, layout: Layout) -> Found | Missing:
    """What a reference to something outside of flyball stands for now."""
    if reference.kind == "env":
        return from_environment(reference.name, settings.secret_environment)
    if reference.kind == "file":
        own = (settings.master_key_file, settings.secret_commands, token_file(os.environ))
        never = (master_file(layout), *(Path(path) for path in own if path))
        return await asyncio.to_thread(from_file, reference.name, folders(settings, layout), never)
    if reference.kind == "cmd":
        return await from_command(reference.name, settings.secret_commands)
    return await asyncio.to_thread(from_vault, reference.name, reference.field)
