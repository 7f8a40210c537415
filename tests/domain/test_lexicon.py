"""The words of conditions, and the limits that a hostile one meets first."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.grammar import parse
from agentgateway.domain.lexicon import ExpressionError, tokens_of

DEEP = ["(" * 1000 + "1" + ")" * 1000, "not " * 490 + "true", "-" * 1990 + "1 > 0", "(" * 33 + "true" + ")" * 33]
DEEP += ["1+" * 999 + "1", "9e14*" * 390 + "1 > 0", "(" * 100_000, "x" * 3000, " or ".join(["true"] * 200), "[" * 1999]
DEEP += ["not " * 33 + "true", "-" * 33 + "1 > 0", "", "   ", "\n"]


class LimitTests(SynchronousTestCase):
    """Conditions that would be too much."""

    def test_deep_and_long(self):
        """Length and nesting are limited before Python's own parser sees anything."""
        for text in DEEP:
            error = self.assertRaises(ExpressionError, parse, text)
            self.assertTrue(1 <= error.column <= len(text) + 1, text[:40])
            self.assertLess(len(str(error)), 600)


class WordTests(SynchronousTestCase):
    """How text is cut into words."""

    def test_columns(self):
        """Words know their column, keywords are signs, and the end has its place too."""
        found = [(token.kind, token.text, token.column) for token in tokens_of(" error_rate>=.5\tand 'a b' in tags")]
        first = [("name", "error_rate", 2), ("sign", ">=", 12), ("number", ".5", 14), ("sign", "and", 17)]
        second = [("string", "'a b'", 21), ("sign", "in", 27), ("name", "tags", 30), ("end", "", 34)]
        self.assertEqual(found, first + second)

    def test_misfits(self):
        """A character that is in no word is named, with a hint where one is near."""
        for text, column, said in [("a & b", 3, "'and'"), ("a | b", 3, "'or'"), ("!a", 1, "'not'"), ("a = 1", 3, "==")]:
            error = self.assertRaises(ExpressionError, tokens_of, text)
            self.assertEqual(error.column, column)
            self.assertIn(said, error.message)
