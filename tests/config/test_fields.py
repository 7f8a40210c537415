"""Fields with rules of their own, and what a section brings along unsaid."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config import fields
from agentgateway.config.builtin import BUILTIN
from agentgateway.config.tree import Scalar, Wrong, read_tree


def table(text):
    """The mapping `text`."""
    return read_tree(text)[0]


class GivenTests(SynchronousTestCase):
    """What need not be written."""

    def test_short_form(self):
        """Host and port, either or none, make the one endpoint; both wrong are told together."""
        for text, endpoint in (
            ("{port: 1, host: 127.0.0.1}", "tcp:1:interface=127.0.0.1"),
            ("{port: 1}", "tcp:1:interface=0.0.0.0"),
            ("{host: localhost, listen: }", "tcp:8080:interface=localhost"),
        ):
            (item,) = fields.short_form(table(text))["listen"].items
            self.assertEqual(item.text, endpoint)
        given = fields.short_form(table("{listen: ['tcp:1'], port: }"))
        self.assertEqual([(name, node.text) for name, node in given.items()], [("short", "no")])
        self.assertRaises(ExceptionGroup, fields.short_form, table("{port: x, host: '/'}"))

    def test_inherited(self):
        """A provider knows its name; one named like a built-in knows its dialect and URL too."""
        providers = table("{groq: {}, mine: {}}").entries
        groq = {key: node.text for key, node in fields.inherited(providers["groq"]).items()}
        self.assertEqual(groq, {"name": "groq", "api": "openai", "base_url": BUILTIN["groq"].base_url})
        self.assertEqual(list(fields.inherited(providers["mine"])), ["name"])

    def test_dialects(self):
        """Dialects are known for all providers, and for none whose entry is amiss."""
        apis = fields.dialects(
            table("providers: {mine: {api: google}, groq: {}, odd: {api: smtp}, worse: [], openai: }")
        )
        found = {name: apis[name] for name in ("mine", "groq", "odd", "worse", "openai", "anthropic")}
        expected = {"mine": "google", "groq": "openai", "odd": "", "worse": "", "openai": "openai"}
        self.assertEqual(found, expected | {"anthropic": "anthropic"})
        self.assertEqual(set(fields.dialects(table("[]"))), set(BUILTIN))


class FieldTests(SynchronousTestCase):
    """Single fields."""

    def test_fractions(self):
        """Warnings come in ascending order, each once, however they are written."""
        self.assertEqual(fields.fractions(table("[0.95, 0.5, 0.95]")), (0.5, 0.95))

    def test_timezone(self):
        """Zones are those of the time zone database, and never a path."""
        self.assertEqual(fields.timezone(Scalar(1, None, "", "Europe/Berlin")), "Europe/Berlin")
        for name in ("Mars/Base", "/etc/passwd", "../UTC", "America", "a\0b"):
            self.assertRaises(Wrong, fields.timezone, Scalar(1, None, "", name))

    def test_otlp_endpoint(self):
        """A collector is a URL; without the packages that send to it, it is a mistake that says what to install."""
        node = Scalar(1, None, "", "http://collector:4318/")
        self.assertEqual(fields.otlp_endpoint(node), "http://collector:4318")
        self.assertRaises(Wrong, fields.otlp_endpoint, Scalar(1, None, "", "collector:4318"))
        self.patch(fields, "find_spec", lambda name: None)
        self.assertIn("twisted-agentgateway[otel]", self.assertRaises(Wrong, fields.otlp_endpoint, node).expected)
