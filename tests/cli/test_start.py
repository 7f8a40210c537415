"""The first words of `agentgateway start`."""

import attrs
from twisted.application.service import MultiService
from twisted.internet.defer import maybeDeferred
from twisted.internet.protocol import ServerFactory
from twisted.trial.unittest import SynchronousTestCase, TestCase

from agentgateway.cli.start import ports, welcome
from agentgateway.config.load import parse
from agentgateway.config.schema import Agent, Config, Dashboard, Gateway
from agentgateway.ops.listening import listening
from tests.harness import reactor

ANY = "tcp:0:interface=127.0.0.1"


class PortsTests(TestCase):
    """Ports that the system chose."""

    async def test_chosen(self) -> None:
        """Gateway and dashboard, which say the same in the file, are told apart; what has no port has none."""
        config = Config(gateway=Gateway(("unix:gateway.sock", ANY)), dashboard=Dashboard(0, "127.0.0.1"))
        service, desk = MultiService(), MultiService()
        gateway, board = (listening(ANY, ServerFactory(), reactor) for _ in range(2))
        listening("unix:gateway.sock", ServerFactory(), reactor).setServiceParent(service)
        gateway.setServiceParent(service)
        board.setServiceParent(desk)
        desk.setServiceParent(service)
        service.startService()
        try:
            self.assertEqual(ports(config, service), [None, gateway.port, board.port])
            self.assertNotEqual(gateway.port, board.port)
            self.assertTrue(gateway.port)
        finally:
            await maybeDeferred(service.stopService)


class WelcomeTests(SynchronousTestCase):
    """Where it is, truly, whatever it listens on."""

    def said(self, *listen: str) -> str:
        """The words for these endpoints."""
        config = Config(agents={"*": Agent("*"), "writer": Agent("writer")})
        return welcome(attrs.evolve(config, gateway=Gateway(listen)))

    def test_urls(self) -> None:
        """A TCP endpoint is a URL that works on this machine; TLS makes it https, IPv6 puts it into brackets."""
        for endpoint, url in {
            "tcp:8080:interface=127.0.0.1": "http://127.0.0.1:8080",
            "tcp:port=8081:interface=10.0.0.7": "http://10.0.0.7:8081",
            r"tcp6:8080:interface=\:\:1": "http://[::1]:8080",
            "ssl:8443:privateKey=key.pem:certKey=cert.pem:interface=127.0.0.1": "https://127.0.0.1:8443",
        }.items():
            self.assertIn(f"running on {url} with gateway.yaml", self.said(endpoint))
            self.assertIn(f"OPENAI_BASE_URL={url}/agents/writer/v1", self.said(endpoint))

    def test_all_interfaces(self) -> None:
        """A gateway that other machines reach too says so beside the URL."""
        for endpoint, url in {
            "tcp:8080:interface=0.0.0.0": "http://127.0.0.1:8080",
            "tcp6:8080": "http://127.0.0.1:8080",
            r"tcp6:8080:interface=\:\:": "http://[::1]:8080",
        }.items():
            self.assertIn(f"running on {url} (on all interfaces) with gateway.yaml", self.said(endpoint))
            self.assertIn(f"OPENAI_BASE_URL={url}/agents/writer/v1", self.said(endpoint))

    def test_chosen_port(self) -> None:
        """A port that the system chose is told once it is known."""
        config = Config(gateway=Gateway(("tcp:0:interface=127.0.0.1",)), agents={"writer": Agent("writer")})
        config = attrs.evolve(config, dashboard=Dashboard(0, "127.0.0.1"))
        said = welcome(config, [41234, 41235])
        self.assertIn("running on http://127.0.0.1:41234 with", said)
        self.assertIn("The dashboard is http://127.0.0.1:41235/\n", said)
        self.assertIn("OPENAI_BASE_URL=http://127.0.0.1:41234/agents/writer/v1", said)

    def test_dashboard(self) -> None:
        """The dashboard's URL is told, unless there is none."""
        config = Config(dashboard=Dashboard(4041, "127.0.0.1"))
        self.assertIn("The dashboard is http://127.0.0.1:4041/\n", welcome(config))
        self.assertIn("4040/ (on all interfaces)\n", welcome(Config()))
        self.assertNotIn("dashboard", welcome(attrs.evolve(config, dashboard=None)))

    def advice(self, agents: str, more: str = "") -> str:
        """The words for a file with these agents."""
        return welcome(parse(f"agents: {{{agents}}}\n{more}", "gateway.yaml", {}))

    def test_by_dialect(self) -> None:
        """An agent with a provider is shown what speaks that provider's dialect, and no other; one without, both."""
        said = self.advice("bob: {provider: openai}")
        self.assertIn("/agents/bob/v1", said)
        self.assertNotIn("ANTHROPIC", said)
        self.assertNotIn("OPENAI", self.advice("bob: {provider: anthropic}"))
        self.assertIn(
            "GOOGLE_GEMINI_BASE_URL=http://127.0.0.1:8080/agents/bob\n", self.advice("bob: {provider: google}")
        )
        for name in ("ANTHROPIC_BASE_URL", "OPENAI_BASE_URL"):
            self.assertIn(name, self.advice("bob: {}"))

    def test_api_key(self) -> None:
        """What goes where the SDK wants an API key: a key that is refused, or not needed, is not asked for."""
        said = self.advice("bob: {provider: openai, key: opensesame}")
        self.assertIn("the agent's gateway key", said)
        self.assertNotIn("x-agent-id", said)
        self.assertIn("the provider's own", self.advice("bob: {provider: openai}"))
        self.assertIn("x-agent-id: bob", self.advice("bob: {provider: openai}"))
        self.assertIn("any: the provider's", self.advice("bob: {provider: openai, api_key: sk-1}"))
        keyed = "providers: {openai: {api_key: sk-1}}"
        self.assertIn("any: the provider's", self.advice("bob: {provider: openai}", keyed))

    def test_nobody(self) -> None:
        """With no agent in the file nobody may call, and no line that would be refused is shown; a template takes any name."""
        said = self.advice("")
        self.assertIn("No agent may call yet: name one under `agents` in gateway.yaml", said)
        self.assertNotIn("BASE_URL", said)
        self.assertIn("/agents/my-agent", self.advice('"*": {}'))

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
        self.assertIn(
            "running on the UNIX socket /run/gateway.sock, http://127.0.0.1:8080 (on all interfaces) with", said
        )
        self.assertNotIn("HOST:PORT", said)
