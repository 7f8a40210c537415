"""Money is an integer count of nano-dollars; here it is read from text and written as text, exactly.

No binary fraction takes part: a dollar amount read, added up a million times and written again is the sum on paper.
"""

from decimal import ROUND_HALF_UP, Context, Decimal, InvalidOperation, localcontext

NANO = 1_000_000_000
"""Nano-dollars in a dollar."""

_MAX_DIGITS = 40


def dollars(nano: int) -> str:
    """`nano` as dollars in plain decimal notation: no exponent, no trailing zeros ("0.0003", "12", "0")."""
    if nano < 0:
        return "-" + dollars(-nano)
    whole, rest = divmod(nano, NANO)
    return ("%d.%09d" % (whole, rest)).rstrip("0") if rest else str(whole)  # noqa: UP031, faster


def json_dollars(nano: int) -> bytes:
    """`nano` as dollars, ready to stand in JSON as a number (through `msgspec.Raw`, say) without passing a float."""
    return dollars(nano).encode("ascii")


def to_nano(text: str | int | float | Decimal) -> int:
    """A dollar amount as nano-dollars, what lies under a nano-dollar rounded half up.

    A float counts as the shortest decimal that names it (0.1 is a tenth). Raises ValueError for what is no finite
    number, and for numbers of more than 40 digits.
    """
    try:
        amount = Decimal(str(text) if isinstance(text, float) else text)
    except (InvalidOperation, TypeError, ValueError):
        raise ValueError(f"not an amount of money: {text!r}")
    if amount.is_finite() and not amount:
        return 0
    if not amount.is_finite() or abs(amount.adjusted()) > _MAX_DIGITS or len(amount.as_tuple().digits) > _MAX_DIGITS:
        raise ValueError(f"not an amount of money: {text!r}")
    with localcontext(Context(prec=3 * _MAX_DIGITS)):
        return int(amount.scaleb(9).to_integral_value(ROUND_HALF_UP))
