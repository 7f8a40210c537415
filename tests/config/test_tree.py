"""Reading YAML without interpreting it, and without being hurt by it."""

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.tree import MAX_CHARACTERS, MAX_NODES, Items, Scalar, Table, Wrong, read_tree


def refused(text):
    """Line, expectation and find of the file that must not be read."""
    try:
        read_tree(text)
    except Wrong as wrong:
        return wrong.node.line, wrong.expected, wrong.got
    raise AssertionError("it was read")


class ReadTests(SynchronousTestCase):
    """Trees of files that are right."""

    def test_places(self):
        """Every node knows the line of its key and its dotted path."""
        root, wrong = read_tree("a:\n  b:\n    - x\n    - c:\n        5\n")
        self.assertEqual(wrong, [])
        item = root.entries["a"].entries["b"].items[1].entries["c"]
        self.assertEqual((item.text, item.line, item.path), ("5", 4, "a.b[1].c"))
        self.assertEqual(root.entries["a"].entries["b"].items[0].path, "a.b[0]")
        self.assertEqual(root.path, "")

    def test_text_stays_text(self):
        """Nothing is guessed from how a scalar looks; quotes are remembered."""
        root, _ = read_tree("{a: no, b: '5', c: 017, d: ~, e: , f: '', g: 2026-11-23}")
        found = {key: (node.text, node.plain, node.is_null) for key, node in root.entries.items()}
        self.assertEqual(
            found,
            {
                "a": ("no", True, False),
                "b": ("5", False, False),
                "c": ("017", True, False),
                "d": ("~", True, True),
                "e": ("", True, True),
                "f": ("", False, False),
                "g": ("2026-11-23", True, False),
            },
        )

    def test_empty(self):
        """A file without a document is nothing, neatly."""
        for text in ("", "# only words\n", "---\n"):
            root, _ = read_tree(text)
            self.assertTrue(root.is_null)

    def test_duplicates(self):
        """A key that is there twice is told, once for each further time; the first stands."""
        root, wrong = read_tree("a: 1\nb: 2\na: {c: 3}\na: 4\n")
        self.assertEqual([(w.node.line, w.node.path) for w in wrong], [(3, "a"), (4, "a")])
        self.assertEqual(root.entries["a"].text, "1")

    @settings(max_examples=200, deadline=None)
    @given(st.text(max_size=80))
    def test_any_text(self, text):
        """Whatever the text, it is read or refused with a line: no other exception gets out."""
        try:
            root, _ = read_tree(text)
        except Wrong as wrong:
            self.assertGreaterEqual(wrong.node.line, 0)
        else:
            self.assertIsInstance(root, Scalar | Table | Items)


class BombTests(SynchronousTestCase):
    """Files made to hurt."""

    def test_depth(self):
        """Nesting of any kind is refused at the level where it becomes absurd, before recursion is a matter."""
        deep = (1, "at most 16 levels", "deeper nesting")
        for opening in ("[", "- ", "{a: ", "{a: ["):
            self.assertEqual(refused(opening * 100_000), deep)
        indented = "\n".join(" " * level + "a:" for level in range(2000))
        self.assertEqual(refused(indented), (17, "at most 16 levels", "deeper nesting"))

    def test_aliases(self):
        """Aliases are refused: the bomb, the cycle and the honest one."""
        laughs = "a: &a [x, x]\n" + "".join(
            f"{c}: &{c} [*{p}, *{p}]\n" for p, c in zip("abcdefgh", "bcdefghi", strict=True)
        )
        self.assertEqual(refused(laughs), (2, "the value itself (aliases are not allowed here)", "an alias"))
        self.assertEqual(refused("&a [*a]"), (1, "the value itself (aliases are not allowed here)", "an alias"))
        self.assertEqual(
            refused("a: &a {b: 1}\n\nc:\n  <<: *a\n"),
            (4, "the value itself (aliases are not allowed here)", "an alias"),
        )

    def test_tags(self):
        """Tags are refused, those that name Python objects and the harmless alike."""
        for tag in ("!!python/object/apply:os.system", "!!str", "!mine", "!"):
            self.assertEqual(refused(f"a: 1\nb: {tag} x"), (2, "a value without a tag", "a tag"))

    def test_size(self):
        """Size is limited in characters and in values."""
        self.assertEqual(
            refused("#" * (MAX_CHARACTERS + 1))[1:], ("a file of at most 5000000 characters", "a larger one")
        )
        self.assertEqual(refused("- a\n" * (MAX_NODES + 1)), (MAX_NODES, "at most 300000 values", "more"))

    def test_keys(self):
        """A key is text of a modest length."""
        self.assertEqual(refused("? [a]\n: b"), (1, "a key that is text", "a mapping or a list"))
        self.assertEqual(refused("a: 1\n{b: 1}: 2")[0], 2)
        self.assertEqual(refused("a" * 257 + ": 1"), (1, "a key of at most 256 characters", "a longer one"))

    def test_syntax(self):
        """Broken syntax is told with its line, and without quoting the file."""
        self.assertEqual(refused("a: 1\n\tb: 2\n")[:2], (2, "YAML"))
        self.assertEqual(refused("a: 1\nb: \0\n"), (2, "YAML in printable characters", "a control character"))
        self.assertEqual(refused("a: 1\nb: \ud800"), (2, "YAML in printable characters", "half a character"))
        self.assertEqual(refused("a: 1\n---\nb: 2\n"), (2, "one YAML document", "a second one"))
