"""What numbers, money, rates and words mean."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config import scalars
from agentgateway.config.schema import Rate
from agentgateway.config.tree import Items, Scalar, Table, Wrong


def plain(text):
    """A scalar without quotes."""
    return Scalar(1, None, "", text, True)


class MoneyTests(SynchronousTestCase):
    """Dollars to nano-dollars."""

    @given(st.integers(0, 10**18 - 1), st.booleans())
    def test_exact(self, nanos, quoted):
        """Any amount of whole nano-dollars comes back exactly, from a number or from a string."""
        text = f"{nanos // 10**9}.{nanos % 10**9:09d}"
        self.assertEqual(scalars.dollars(Scalar(1, None, "", text, not quoted)), nanos)

    @given(st.decimals(0, 10**9 - 1, places=2))
    def test_cents(self, amount):
        """Cents are cents: no binary fraction ever comes between."""
        self.assertEqual(scalars.dollars(plain(str(amount))), int(amount * 10**9))

    def test_forms(self):
        """Whole dollars, grouped thousands and a bare fraction are amounts."""
        found = [scalars.dollars(plain(text)) for text in ("20", "1_000.50", ".5", "0", "0.10000000000")]
        self.assertEqual(found, [20 * 10**9, 1000_500_000_000, 500_000_000, 0, 100_000_000])

    def test_refused(self):
        """No other spelling is an amount: signs, exponents, infinities, currency, octal, sexagesimal."""
        for text in ("-1", "-0", "+1", "1e3", ".inf", ".nan", "$5", "017", "12:30", "1_0", "5.", "", "~", "yes", "٣"):
            self.assertRaises(Wrong, scalars.dollars, plain(text))

    def test_too_fine(self):
        """More than nano-dollars, or a billion and more, is refused rather than rounded."""
        for text in ("0.0000000001", "1000000000"):
            self.assertRaises(Wrong, scalars.dollars, plain(text))

    def test_huge(self):
        """Digits without end are refused unread."""
        self.assertRaises(Wrong, scalars.dollars, plain("9" * 1_000_000))


class RateTests(SynchronousTestCase):
    """`<count>/<unit>`."""

    @given(st.integers(1, 10**15 - 1), st.sampled_from(sorted(scalars.UNITS)))
    def test_units(self, count, unit):
        """Any count per any unit is read as it stands."""
        self.assertEqual(scalars.rate(plain(f"{count}/{unit}")), Rate(count, scalars.UNITS[unit]))

    @given(st.integers(1, 10**9), st.sampled_from([1, 60, 3600, 86400]))
    def test_round_trip(self, count, seconds):
        """A rate prints in the form it is written in."""
        self.assertEqual(scalars.rate(plain(str(Rate(count, seconds)))), Rate(count, seconds))

    @given(st.text(max_size=12))
    def test_any_text(self, text):
        """Text is a rate or refused; nothing else happens."""
        try:
            self.assertGreater(scalars.rate(plain(text)).count, 0)
        except Wrong as wrong:
            self.assertIn("<count>/<unit>", wrong.expected)

    def test_refused(self):
        """Other units, signs, fractions and blanks are no rates."""
        for text in ("50/fortnight", "-1/s", "1.5/s", "1 / s", "1/S", "/s", "1/", "1", "1/s\n", "٣/s", "0/s"):
            self.assertRaises(Wrong, scalars.rate, plain(text))


class NumberTests(SynchronousTestCase):
    """Whole numbers, seconds, fractions."""

    @given(st.integers(-(10**16), 10**16))
    def test_whole(self, number):
        """Numbers within the bounds are read, those outside refused."""
        try:
            self.assertEqual(scalars.whole(0)(plain(str(number))), number)
        except Wrong:
            self.assertFalse(0 <= number <= 10**15)

    def test_refused(self):
        """Switches, text, fractions and numbers of other bases are no whole numbers."""
        for text in ("true", "no", "017", "0x10", "1.0", "1e3", "12:30", "", "~", ".inf"):
            self.assertRaises(Wrong, scalars.whole(0), plain(text))
        self.assertRaises(Wrong, scalars.whole(0), Scalar(1, None, "", "5", False))
        self.assertRaises(Wrong, scalars.whole(0), Items(1, None, ""))

    @given(st.decimals(min_value=Decimal("0.001"), max_value=10**9, places=3))
    def test_seconds(self, amount):
        """Seconds may have a fraction."""
        self.assertEqual(scalars.seconds(plain(str(amount))), float(amount))

    def test_fraction(self):
        """A fraction of nothing or of more than all makes no sense."""
        self.assertEqual(scalars.fraction(plain("0.75")), 0.75)
        for text in ("0", "1.01", "-0.5", "75%"):
            self.assertRaises(Wrong, scalars.fraction, plain(text))


class WordTests(SynchronousTestCase):
    """Text, switches, choices and lists."""

    def test_boolean(self):
        """Switches are words without quotes."""
        self.assertEqual(
            [scalars.boolean(plain(w)) for w in ("true", "Yes", "on", "False", "no", "OFF")], [True] * 3 + [False] * 3
        )
        for node in (plain("1"), plain("y"), plain("~"), Scalar(1, None, "", "true", False), Table(1, None, "")):
            self.assertRaises(Wrong, scalars.boolean, node)

    def test_text(self):
        """Words are text, numbers need quotes; a line end left by a block scalar goes."""
        self.assertEqual(scalars.text(plain("no")), "no")
        self.assertEqual(scalars.text(Scalar(1, None, "", "5", False)), "5")
        self.assertEqual(scalars.text(Scalar(1, None, "", "x\n", False)), "x")
        for text in ("5", "1_000", "-1.5", "0x1F", ".5", "true", "", "~", "a\x1b[2J"):
            self.assertRaises(Wrong, scalars.text, plain(text))

    def test_each(self):
        """All items of a list that are wrong are told together."""
        items = Items(1, None, "")
        items.items.extend([plain("a"), plain("1"), plain("b"), plain("2")])
        with self.assertRaises(ExceptionGroup) as caught:
            scalars.each(items, scalars.text, "a list")
        self.assertEqual([wrong.node.text for wrong in caught.exception.exceptions], ["1", "2"])
