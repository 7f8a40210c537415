"""Where calls go, with whose key, and what becomes of providers over a reload."""

from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Provider, Secret
from agentgateway.pipeline.identify import Identify
from agentgateway.web.upstream import Upstreams
from tests.pipeline.calls import CHAT, NOW, call, config_of, fleet_of

HERE = Provider("here", "openai", "http://127.0.0.1:1")


class NotingAgent:
    """An IAgent that never answers, and has as many connections as the test says."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.calls: list[tuple[Any, ...]] = []
        self.counts = (0, 0)
        self.swept = 0
        self.closed = False

    def request(self, *call: Any) -> Deferred[Any]:
        """Note it."""
        self.calls.append(call)
        return Deferred()

    def sweep(self) -> None:
        """Note it."""
        self.swept += 1

    def close(self) -> None:
        """Note it."""
        self.closed = True


class UpstreamsTests(SynchronousTestCase):
    """One agent for each provider."""

    def setUp(self) -> None:
        """No provider yet."""
        self.made: list[NotingAgent] = []
        self.upstreams = Upstreams(self.make)

    def make(self, provider: Provider) -> Any:
        """An agent, noted."""
        self.made.append(NotingAgent(provider))
        return self.made[-1]

    def url(self, base: str, uri: str) -> bytes:
        """Where `uri` goes at a provider of that base URL."""
        self.upstreams.configure({"here": attrs.evolve(HERE, base_url=base)})
        return self.upstreams["here"].url(uri)

    def test_urls(self) -> None:
        """The base's path goes before the call's unless it is there already; nothing is decoded or normalised."""
        for base, uri, url in (
            ("http://h:1", "/v1/x?q=%2F", b"http://h:1/v1/x?q=%2F"),
            ("https://h/openai", "/v1/x", b"https://h/openai/v1/x"),
            ("https://h/openai/", "/openai/v1/x", b"https://h/openai/v1/x"),
            ("https://h/openai", "/openai", b"https://h/openai"),
            ("https://h/openai", "/openai?x", b"https://h/openai?x"),
            ("https://h/openai", "/openaix", b"https://h/openai/openaix"),
            ("https://h/a/b", "/b/x", b"https://h/a/b/b/x"),
            ("http://h", "//x/%C3\xe9", b"http://h//x/%C3\xe9"),
        ):
            self.assertEqual(self.url(base, uri), url)

    def test_reload(self) -> None:
        """An unchanged provider keeps its connections; a changed one gets new ones while the old ones finish."""
        other = attrs.evolve(HERE, name="other")
        self.upstreams.configure({"here": HERE, "other": other})
        here, old = self.made
        old.counts = (1, 0)
        self.upstreams.configure({"here": HERE, "other": attrs.evolve(other, base_url="http://127.0.0.1:2")})
        self.assertEqual(len(self.made), 3)
        self.assertIs(self.upstreams["here"].agent, here)
        self.assertIs(self.upstreams["other"].agent, self.made[2])
        self.assertEqual(set(self.upstreams.agents()), set(self.made))
        self.upstreams.sweep()
        old.counts = (0, 0)
        self.upstreams.sweep()
        self.assertEqual((old.swept, self.upstreams.agents()), (2, [here, self.made[2]]))
        self.upstreams.configure({})
        self.upstreams.close()
        self.assertEqual((here.closed, self.made[2].closed, old.closed), (True, True, False))

    def keys(self, agent: str, provider: str, uri: str = CHAT, *fields: tuple[bytes, bytes]) -> list[bytes]:
        """The credentials that a call of `agent` shows to `provider`."""
        config = config_of(
            """
agents:
  own: {provider: here, fallback: [other], api_key: agents}
  bare: {provider: here, fallback: [other]}
providers:
  here: {api: openai, base_url: "http://127.0.0.1:1"}
  other: {api: openai, base_url: "http://127.0.0.1:2"}
"""
        )
        self.upstreams.configure(config.providers)
        exchange = call(uri, b"", (b"x-agent-id", agent.encode()), *fields)
        Identify(fleet_of(config)).check(exchange, NOW)
        self.upstreams[provider].send(exchange, None)
        [agent_] = [agent for agent in self.made if agent.provider.name == provider]
        *_, headers, _ = agent_.calls[-1]
        return [value for name, value in headers.pairs() if name.lower() == b"authorization"]

    def test_keys_stay_where_they_belong(self) -> None:
        """A fallback gets neither the agent's key nor the caller's: both are for another provider."""
        callers = (b"Authorization", b"Bearer callers")
        self.assertEqual(self.keys("own", "here", CHAT, callers), [b"Bearer agents"])
        self.assertEqual(self.keys("own", "other", CHAT, callers), [])
        self.assertEqual(self.keys("bare", "here", CHAT, callers), [b"Bearer callers"])
        self.assertEqual(self.keys("bare", "other", CHAT, callers), [])

    def test_named_provider(self) -> None:
        """A caller that names a provider in the path means its key for that one."""
        callers = (b"Authorization", b"Bearer callers")
        self.assertEqual(self.keys("bare", "other", f"/providers/other{CHAT}", callers), [b"Bearer callers"])

    def test_secrets_are_hidden(self) -> None:
        """No key shows in what is logged of an upstream."""
        self.upstreams.configure({"here": attrs.evolve(HERE, api_key=Secret("sk-secret"))})
        self.assertNotIn("sk-secret", repr(self.upstreams["here"]))


class SameHeadTests(SynchronousTestCase):
    """What goes up in front of a body, for a head that comes again."""

    CONFIG = """
providers: {here: {api: openai, base_url: "http://127.0.0.1:1", api_key: KEY}}
agents: {coder: {provider: here}}
"""

    def setUp(self) -> None:
        """A provider with a key."""
        self.agents: list[NotingAgent] = []
        self.upstreams = Upstreams(self.make)
        self.config = config_of(self.CONFIG)
        self.fleet = fleet_of(self.config)
        self.upstreams.configure(self.config.providers)
        self.derived: dict[object, Any] = {}

    def make(self, provider: Provider) -> Any:
        """An agent, noted."""
        self.agents.append(NotingAgent(provider))
        return self.agents[-1]

    def send(self) -> Any:
        """The head as the agent is given it."""
        exchange = call(CHAT, b"{}", (b"x-agent-id", b"coder"), (b"a", b"b"), derived=self.derived)
        self.assertIsNone(Identify(self.fleet).check(exchange, NOW))
        self.upstreams["here"].send(exchange, None)
        return self.agents[-1].calls[-1]

    def test_made_once(self) -> None:
        """It is made once."""
        self.assertIs(self.send()[2], self.send()[2])

    def test_another_key(self) -> None:
        """It is made anew when the agent or the provider has got another key."""
        old = self.send()[2]
        self.assertEqual(old.getRawHeaders(b"authorization"), [b"Bearer KEY"])
        self.fleet.configure(config_of(self.CONFIG.replace("provider: here", "provider: here, api_key: OWN")), NOW)
        self.assertEqual(self.send()[2].getRawHeaders(b"authorization"), [b"Bearer OWN"])
        self.fleet.configure(self.config, NOW)
        self.assertEqual(self.send()[2].getRawHeaders(b"authorization"), [b"Bearer KEY"])
        self.upstreams.configure(config_of(self.CONFIG.replace("KEY", "NEW")).providers)
        self.assertEqual(self.send()[2].getRawHeaders(b"authorization"), [b"Bearer NEW"])

    def test_any_name(self) -> None:
        """A provider may be called as it likes."""
        for name in ("identify", "upstream", "Onward"):
            text = self.CONFIG.replace("here", name)
            config = config_of(text)
            self.upstreams.configure(config.providers)
            fleet, derived = fleet_of(config), dict[object, Any]()
            for _ in range(3):
                exchange = call(CHAT, b"{}", (b"x-agent-id", b"coder"), derived=derived)
                self.assertIsNone(Identify(fleet).check(exchange, NOW))
                self.upstreams[name].send(exchange, None)
