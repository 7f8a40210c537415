"""The first words of `agentgateway start`."""

import attrs
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.cli.start import welcome
from agentgateway.config.schema import Agent, Config, Gateway


class WelcomeTests(SynchronousTestCase):
    """Where it is, truly, whatever it listens on."""

    def said(self, *listen: str) -> str:
        """The words for these endpoints."""
        config = Config(agents={"*": Agent("*"), "writer": Agent("writer")})
        return welcome(attrs.evolve(config, gateway=Gateway(listen)))

    def test_urls(self) -> None:
        """A TCP endpoint is a URL that works on this machine; TLS makes it https, IPv6 puts it into brackets."""
        for endpoint, url in {
            "tcp:8080:interface=0.0.0.0": "http://127.0.0.1:8080",
            "tcp:port=8081:interface=10.0.0.7": "http://10.0.0.7:8081",
            "tcp6:8080": "http://127.0.0.1:8080",
            r"tcp6:8080:interface=\:\:": "http://[::1]:8080",
            "ssl:8443:privateKey=key.pem:certKey=cert.pem": "https://127.0.0.1:8443",
        }.items():
            self.assertIn(f"running on {url} with gateway.yaml", self.said(endpoint))
            self.assertIn(f"OPENAI_BASE_URL={url}/agents/writer/v1", self.said(endpoint))

    def test_no_url(self) -> None:
        """What is no URL is said in words, and whose host and port are meant."""
        for endpoint, words in {
            "systemd:domain=INET:name=agentgateway": "the INET socket that systemd holds (agentgateway)",
            "systemd:domain=INET:index=0": "the INET socket that systemd holds (index 0)",
            "unix:/run/gateway.sock:mode=660": "the UNIX socket /run/gateway.sock",
            "tcp:0": "a port that the system chose",
        }.items():
            self.assertIn(f"running on {words} with", self.said(endpoint))
            self.assertIn("ANTHROPIC_BASE_URL=http://HOST:PORT/agents/writer", self.said(endpoint))
            self.assertIn("HOST:PORT is where", self.said(endpoint))

    def test_several(self) -> None:
        """All places are named, and the first URL among them is the one to use."""
        said = self.said("unix:/run/gateway.sock", "tcp:8080")
        self.assertIn("running on the UNIX socket /run/gateway.sock, http://127.0.0.1:8080 with", said)
        self.assertNotIn("HOST:PORT", said)
