"""Delta tables."""


class Lake:
    """Tables under one root URL."""

    def __init__(self, root_url: str) -> None:
        self.root_url = root_url
