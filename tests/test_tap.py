"""What twistd is given."""

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.tap import Options, makeService


class TapTests(SynchronousTestCase):
    """Options, and mistakes as lines."""

    def test_options(self) -> None:
        """The configuration is gateway.yaml unless -c names another."""
        options = Options()
        options.parseOptions([])
        self.assertEqual(options["config"], "gateway.yaml")
        options.parseOptions(["-c", "other.yaml"])
        self.assertEqual(options["config"], "other.yaml")

    def test_mistakes(self) -> None:
        """A mistake in the file ends the start with its line, not with a traceback."""
        path = Path(self.mktemp())
        path.write_text("agents: {a: {rate_limit: 50/fortnight}}\n")
        options = Options()
        options.parseOptions(["-c", str(path)])
        error = self.assertRaises(SystemExit, makeService, options)
        self.assertIn(':1: agents.a.rate_limit: expected "<count>/<unit>"', str(error))
