"""Money is an integer of nano-dollars (1 USD = 1,000,000,000). No float ever holds an amount."""

from decimal import ROUND_HALF_UP, Decimal

NANO = 1_000_000_000


def parse_usd(text: str | float | Decimal) -> int:
    """Dollars as written by a person ("0.15") to nano-dollars. Raises ValueError for what is no amount."""
    try:
        amount = Decimal(str(text))
        if amount.is_finite() and amount >= 0:
            return int((amount * NANO).quantize(Decimal(1), ROUND_HALF_UP))
    except ArithmeticError:
        raise ValueError(f"not an amount in USD: {text!r}") from None
    raise ValueError(f"not an amount in USD: {text!r}")


def format_usd(nano: int) -> str:
    """Nano-dollars for people: `$0.000150`, six places below a dollar, two above."""
    dollars = Decimal(nano) / NANO
    return f"${dollars:,.2f}" if abs(dollars) >= 1 else f"${dollars:.6f}"


def price_of(tokens: int, nano_per_million: int) -> int:
    """Cost of tokens at a price per million tokens, rounded half up to a nano-dollar."""
    return (tokens * nano_per_million + 500_000) // 1_000_000
