"""The agents: who there is, and how they stand."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.alert import Alert
from agentgateway.domain.fleet import AgentState, Fleet
from agentgateway.domain.ledger import Ledger
from agentgateway.domain.moment import Moment
from agentgateway.domain.standing import Caps, Standing
from agentgateway.domain.windows import Calendar
from tests.pipeline.calls import config_of, later

HOUR = 1_790_002_800.0
"""Epoch seconds at which a clock hour begins, in UTC."""
START = Moment(1000.0, HOUR)
CENT = 10_000_000
CONFIG = """
agents:
  coder: {provider: openai, rate_limit: 10/min, budget: {max_cost_per_hour: 1}}
  total: {budget: {max_cost_total: 1}}
  plain: {}
"""


def after(seconds: float) -> Moment:
    """`seconds` after START."""
    return Moment(START.monotonic + seconds, START.wall + seconds)


class FleetTests(SynchronousTestCase):
    """One state object for each agent, whatever is reloaded."""

    def setUp(self) -> None:
        """A fleet that notes what it tells."""
        self.told: list[Standing] = []
        self.alerts: list[Alert] = []
        self.ledger = Ledger(Calendar.of("UTC"))
        self.fleet = self.make(CONFIG)

    def make(self, text: str) -> Fleet:
        """A fleet of that configuration."""
        return Fleet(config_of(text), self.ledger, START, self.told.append, self.alerts.append)

    def agent(self, name: str) -> AgentState:
        """A known agent."""
        agent = self.fleet.get(name)
        assert agent is not None
        return agent

    def spend(self, name: str, nano: int, now: Moment, id: str = "c") -> AgentState:
        """One call of that cost, settled."""
        agent = self.agent(name)
        reservation = agent.account.reserve(now.wall, nano, f"{id}{now.monotonic}")
        agent.account.settle(now.wall, reservation, nano)
        self.fleet.watch_budget(agent, now)
        return agent

    def test_found(self) -> None:
        """Configured agents are there from the start; others only with a template."""
        self.assertEqual(sorted(agent.id for agent in self.fleet), ["coder", "plain", "total"])
        self.assertIs(self.fleet.find("coder", START), self.agent("coder"))
        self.assertIsNone(self.fleet.find("stranger", START))
        self.assertIsNone(self.fleet.get("*"))

    def test_template(self) -> None:
        """A stranger gets a state of its own, once, with the template's limits."""
        fleet = self.make(CONFIG + '  "*": {rate_limit: 1/s}\n')
        stranger = fleet.find("stranger", START)
        assert stranger is not None and stranger.bucket is not None
        self.assertIs(fleet.find("stranger", START), stranger)
        self.assertEqual((stranger.id, str(stranger.bucket.rate), len(fleet)), ("stranger", "1/s", 4))
        self.assertIsNone(fleet.find("not an id", START))
        self.assertIsNone(fleet.find("*", START))

    def test_reload(self) -> None:
        """What was taken, spent and counted stays over a reload; the limits are the new ones."""
        coder = self.spend("coder", 50 * CENT, START)
        assert coder.bucket is not None
        coder.bucket.take(START.monotonic, 10)
        coder.in_flight = 3
        self.fleet.configure(config_of(CONFIG.replace("10/min", "20/min").replace("hour: 1", "hour: 2")), START)
        self.assertIs(self.agent("coder"), coder)
        self.assertEqual((coder.in_flight, coder.account.life.cost), (3, 50 * CENT))
        self.assertEqual((str(coder.bucket.rate), coder.bucket.available(START.monotonic)), ("20/min", 0))
        self.assertEqual(coder.account.room(START.wall), 150 * CENT)
        self.fleet.configure(config_of(CONFIG.replace("rate_limit: 10/min, ", "")), START)
        self.assertIsNone(coder.bucket)

    def test_agents_that_go(self) -> None:
        """An agent taken out of the file is unknown; brought back, it has spent what it spent."""
        self.spend("coder", 7 * CENT, START)
        self.fleet.configure(config_of("agents: {plain: {}}"), START)
        self.assertIsNone(self.fleet.get("coder"))
        self.fleet.configure(config_of(CONFIG), START)
        self.assertEqual(self.agent("coder").account.life.cost, 7 * CENT)

    def test_agents_that_become_strangers(self) -> None:
        """Where a template serves them they go on under it, and count among the strangers."""
        coder = self.agent("coder")
        self.fleet.configure(config_of('agents: {"*": {rate_limit: 5/s}}'), START)
        self.assertIs(self.fleet.get("coder"), coder)
        self.assertEqual((coder.config.id, str(coder.config.rate_limit)), ("coder", "5/s"))

    def test_keys(self) -> None:
        """An agent is found by its key as long as the file gives it one."""
        keyed = CONFIG.replace("plain: {}", f'plain: {{key: "sha256:{"ab" * 32}"}}')
        self.fleet.configure(config_of(keyed), START)
        self.assertEqual(self.fleet.by_key, {bytes.fromhex("ab" * 32): self.agent("plain")})
        self.fleet.configure(config_of(CONFIG), START)
        self.assertEqual(self.fleet.by_key, {})

    # pauses

    def test_pause_and_resume(self) -> None:
        """An operator's pause is told, and stays until it is resumed."""
        plain = self.agent("plain")
        self.fleet.pause(plain, "operator", "lunch", START)
        self.fleet.settle_down(after(10 * 86_400))
        assert plain.pause is not None
        self.assertEqual((plain.pause.by, plain.pause.reason, plain.pause.until), ("operator", "lunch", None))
        self.fleet.resume(plain, "back", after(60))
        self.fleet.resume(plain, "again", after(61))
        self.assertIsNone(plain.pause)
        self.assertEqual([standing.pause is not None for standing in self.told], [True, False])
        self.assertEqual([alert.kind for alert in self.alerts], ["pause", "resume"])

    def test_operators_come_first(self) -> None:
        """Neither budget nor policy changes an operator's pause."""
        coder = self.agent("coder")
        self.fleet.pause(coder, "operator", "enough", START)
        self.spend("coder", 100 * CENT, START)
        self.fleet.pause(coder, "policy", "rule", START)
        assert coder.pause is not None
        self.assertEqual(coder.pause.by, "operator")

    def test_hour_budget(self) -> None:
        """A spent hour pauses until the hour ends, and then the agent resumes by itself."""
        coder = self.spend("coder", 100 * CENT, after(60))
        assert coder.pause is not None
        self.assertEqual((coder.pause.by, coder.pause.until), ("budget", HOUR + 3600))
        self.assertIn("$1 per hour", coder.pause.reason)
        self.fleet.settle_down(after(3599))
        self.assertIsNotNone(coder.pause)
        self.fleet.settle_down(after(3600))
        self.assertIsNone(coder.pause)

    def test_total_budget(self) -> None:
        """A spent total pauses until somebody raises it."""
        total = self.spend("total", 100 * CENT, START)
        self.fleet.settle_down(after(100 * 86_400))
        assert total.pause is not None
        self.assertEqual((total.pause.by, total.pause.until), ("budget", None))
        self.fleet.set_caps(total, Caps(max_cost_total=200 * CENT), after(1))
        self.assertIsNone(total.pause)
        self.assertEqual(total.account.room(START.wall), 100 * CENT)

    def test_lowered_caps(self) -> None:
        """Caps that an operator lowers hold at once."""
        plain = self.spend("plain", 5 * CENT, START)
        self.fleet.set_caps(plain, Caps(max_cost_per_day=5 * CENT), START)
        assert plain.pause is not None
        self.assertEqual((plain.pause.by, self.told[-1].caps), ("budget", Caps(max_cost_per_day=5 * CENT)))

    def test_caps_outlast_a_reload(self) -> None:
        """An operator's caps stay over those of the file."""
        coder = self.agent("coder")
        self.fleet.set_caps(coder, Caps(max_cost_total=3 * CENT), START)
        self.fleet.configure(config_of(CONFIG), START)
        self.assertEqual(coder.account.room(START.wall), 3 * CENT)

    def test_restart(self) -> None:
        """After a restart agents stand as they stood."""
        coder = self.agent("coder")
        self.fleet.pause(coder, "operator", "lunch", START)
        self.fleet.set_caps(coder, Caps(max_cost_per_hour=CENT), START)
        self.ledger = Ledger(Calendar.of("UTC"))
        self.fleet = self.make(CONFIG)
        self.fleet.restore([self.told[-1], Standing("gone")], START)
        self.assertEqual(self.agent("coder").standing, coder.standing)
        self.assertEqual(self.agent("coder").account.room(START.wall), CENT)

    # policies

    def test_policies(self) -> None:
        """A policy's pause begins when its condition holds, and ends when somebody resumes the agent."""
        self.fleet = self.make(CONFIG + "policies: [{name: dear, condition: total_cost >= 0.05, action: pause}]\n")
        plain = self.agent("plain")
        self.fleet.settle_down(START)
        self.assertIsNone(plain.pause)
        self.spend("plain", 5 * CENT, START)
        self.fleet.settle_down(after(1))
        assert plain.pause is not None
        self.assertEqual((plain.pause.by, plain.pause.reason), ("policy", "policy 'dear': total_cost >= 0.05"))
        self.fleet.resume(plain, "it may", after(2))
        self.fleet.settle_down(after(3))
        self.assertIsNone(plain.pause)

    def test_alerts(self) -> None:
        """A policy that alerts says so, with its name and where to post it."""
        policy = "{name: busy, condition: in_flight > 2, action: alert, params: {webhook: 'http://127.0.0.1:1/x'}}"
        self.fleet = self.make(CONFIG + f"policies: [{policy}]\n")
        self.agent("coder").in_flight = 3
        self.fleet.settle_down(START)
        self.fleet.settle_down(after(1))
        [alert] = self.alerts
        self.assertEqual((alert.kind, alert.agent, alert.policy), ("policy", "coder", "busy"))
        self.assertEqual(alert.webhook, "http://127.0.0.1:1/x")

    def test_told(self) -> None:
        """A policy that denies or slows down is told of, too: nobody has to guess from refusals."""
        slow = "{name: slow, condition: in_flight > 2, action: throttle, params: {rate: 1/min}}"
        policies = f"policies: [{{name: no, condition: in_flight > 2, action: deny}}, {slow}]\n"
        self.fleet = self.make(CONFIG + policies)
        self.agent("coder").in_flight = 3
        self.fleet.settle_down(START)
        self.assertEqual(
            [alert.text for alert in self.alerts],
            ["policy 'no' denies the calls of coder: in_flight > 2", "policy 'slow' slows down coder: in_flight > 2"],
        )

    def test_breakers(self) -> None:
        """Each provider has a circuit of its own, kept."""
        coder = self.agent("coder")
        self.assertIs(coder.breaker("openai"), coder.breaker("openai"))
        self.assertIsNot(coder.breaker("openai"), coder.breaker("groq"))
        self.assertIsNone(coder.breaker("openai").check(later(0).monotonic))

    def test_circuits(self) -> None:
        """A circuit that opens is told of once, and once that it has closed again."""
        plain = self.agent("plain")
        breaker = plain.breaker("anthropic")
        for _ in range(plain.config.circuit_breaker.error_threshold):
            breaker.leave(breaker.enter(START.monotonic), False, START.monotonic)
        for seconds in (1, 2):
            self.fleet.settle_down(after(seconds))
        self.assertEqual([alert.text for alert in self.alerts], ["plain: provider 'anthropic' keeps failing"])
        breaker.reset()
        self.fleet.settle_down(after(3))
        self.assertEqual([alert.kind for alert in self.alerts], ["breaker", "breaker"])
        self.assertIn("works again", self.alerts[-1].text)
        self.assertEqual([alert.good for alert in self.alerts], [False, True])
