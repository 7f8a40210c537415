"""Errors as people read them."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.errors import ConfigError, GatewayError, Mistake


class ErrorTests(SynchronousTestCase):
    """Fields for the edge, a line for people."""

    def test_mistakes(self) -> None:
        """A mistake names file, line, path, what was expected and what was there; a line each."""
        one = Mistake("gateway.yaml", 14, "agents.a.rate_limit", '"<count>/<unit>"', '"50/fortnight"')
        whole = Mistake("gateway.yaml", 0, "", "a readable file", "none")
        error = ConfigError([one, whole])
        self.assertEqual(
            str(error).splitlines(),
            [
                'gateway.yaml:14: agents.a.rate_limit: expected "<count>/<unit>", got "50/fortnight"',
                "gateway.yaml: expected a readable file, got none",
            ],
        )
        self.assertEqual(error.mistakes, (one, whole))
        self.assertIsInstance(error, GatewayError)
        self.assertEqual(error.exit_status, 1)
