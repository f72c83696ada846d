"""What a permission covers. A permission is `<noun>.<deed>`; `<noun>.*` is all of a noun's, `*` all of them."""

from collections.abc import Collection


def permits(granted: Collection[str], needed: str) -> bool:
    """Whether `granted` covers `needed`: by name, by `<noun>.*`, or by `*`."""
    return "*" in granted or needed in granted or f"{needed.partition('.')[0]}.*" in granted
