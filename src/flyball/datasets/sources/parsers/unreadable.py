"""Why a file gave no text. Knows reasons, no format."""


class UnreadableError(Exception):
    """`reason` is a stable word for the card, `detail` is for people."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail
