"""Keys that do not go together."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.load import parse
from agentgateway.errors import ConfigError


class ClashesTests(SynchronousTestCase):
    """Two that listen on one port."""

    def mistakes(self, text: str) -> list[str]:
        """The lines about this file."""
        try:
            parse(text, "gateway.yaml", {})
        except ConfigError as error:
            return list(map(str, error.mistakes))
        return []

    def test_one_port(self) -> None:
        """The dashboard cannot have the gateway's port, which the check says before the start fails; the line is that of
        the port that was written."""
        what = "expected a port of its own for the dashboard, got {0}, where the gateway listens"
        for text, place, port in (
            ("gateway: {host: 127.0.0.1}\ndashboard: {host: 127.0.0.1, port: 8080}", "2: dashboard.port", 8080),
            ("gateway: {port: 4040}", "1: gateway.port", 4040),
            ("gateway: {port: 99, host: 127.0.0.1}\ndashboard: {port: 99}", "2: dashboard.port", 99),
            ("gateway: {listen: ['unix:/run/s', 'tcp:4040']}", "1: gateway.listen", 4040),
        ):
            self.assertEqual(self.mistakes(text), [f"gateway.yaml:{place}: {what.format(port)}"], text)

    def test_apart(self) -> None:
        """Other ports, other addresses, ports that the system chooses, or no dashboard: nothing is in the way."""
        for text in (
            "",
            "gateway: {port: 0}\ndashboard: {port: 0}",
            "gateway: {port: 4040}\ndashboard: false",
            "gateway: {port: 99, host: 127.0.0.1}\ndashboard: {port: 99, host: 127.0.0.2}",
            "gateway: {port: 99, host: '::1'}\ndashboard: {port: 99, host: 127.0.0.1}",
        ):
            self.assertEqual(self.mistakes(text), [], text)
