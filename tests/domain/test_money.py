"""Tests of money as text."""

import json
from decimal import Decimal
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.money import dollars, json_dollars, to_nano


class Writing(SynchronousTestCase):
    """Nano-dollars as dollars."""

    def test_plain_decimals(self) -> None:
        """Amounts are written without exponent and without trailing zeros."""
        for nano, text in (
            (0, "0"),
            (300_000, "0.0003"),
            (1, "0.000000001"),
            (5_000_000_000, "5"),
            (12_500_000_000, "12.5"),
            (-500_000_000, "-0.5"),
            (10**27 + 1, "1000000000000000000.000000001"),
        ):
            self.assertEqual(dollars(nano), text)

    @given(st.integers(-(10**30), 10**30))
    def test_there_and_back(self, nano: int) -> None:
        """What is written is read as the same amount, and is a JSON number of exactly that value."""
        self.assertEqual(to_nano(dollars(nano)), nano)
        self.assertEqual(json.loads(json_dollars(nano), parse_float=Fraction, parse_int=Fraction) * 10**9, nano)


class Understanding(SynchronousTestCase):
    """Dollars as nano-dollars."""

    def test_what_people_write(self) -> None:
        """Text, numbers and decimals are read; a float is the decimal it is written as."""
        for amount, nano in (
            ("5.00", 5_000_000_000),
            ("1e-3", 1_000_000),
            (0.1, 100_000_000),
            (3, 3_000_000_000),
            (Decimal("0.0000000005"), 1),
            ("0.0000000004", 0),
            ("-2.5", -2_500_000_000),
            ("0e99", 0),
        ):
            self.assertEqual(to_nano(amount), nano, amount)

    def test_what_is_no_amount(self) -> None:
        """Anything that is no finite number of a sensible length is refused."""
        for text in ("", "a lot", "nan", "inf", "-inf", "1e99999999", "1e-99999999", "1" * 60):
            self.assertRaises(ValueError, to_nano, text)
