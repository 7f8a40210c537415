"""Tests of the simulated fleet, on a clock, against a gateway that only counts."""

import json
import random

import yaml
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.iweb import IAgent
from zope.interface import implementer

from agentgateway.demo.characters import FLEET
from agentgateway.demo.fleet import Fleet, demo_config, next_call


@implementer(IAgent)
class SilentAgent:
    """Notes each request and never answers it."""

    def __init__(self):
        self.requests = []

    def request(self, method, uri, headers=None, bodyProducer=None):
        """A request of the fleet."""
        self.requests.append((method, uri, headers.getRawHeaders(b"x-agent-id")[0]))
        return Deferred()


class NextCallTests(SynchronousTestCase):
    """What an agent does next."""

    def test_same_dice_same_call(self):
        """The same seed gives the same calls, so that a demo can be repeated."""
        for character in FLEET:
            self.assertEqual(next_call(character, random.Random(5)), next_call(character, random.Random(5)))

    def test_character(self):
        """Everybody calls in their provider's dialect, by their own name, now and then in their own way."""
        dice = random.Random(1)
        for character in FLEET:
            calls = [next_call(character, dice) for _ in range(60)]
            bodies = [json.loads(call.body) for call in calls]
            self.assertEqual({call.headers["x-agent-id"] for call in calls}, {character.name})
            self.assertEqual({body["model"] for body in bodies}, {character.model})
            self.assertEqual(any(call.leave_after for call in calls), character.leaves > 0)
            self.assertEqual(any("x-standin-fault" in call.headers for call in calls), bool(character.fault))


class FleetTests(SynchronousTestCase):
    """The service."""

    def test_life(self):
        """Everybody calls the gateway after a while, and nothing is left behind when the fleet stops."""
        clock, agent = Clock(), SilentAgent()
        fleet = Fleet(clock, "http://gateway:8080/", seed=3, agent=agent)
        fleet.startService()
        clock.pump([1] * 60)
        self.assertEqual({name for _, _, name in agent.requests}, {character.name.encode() for character in FLEET})
        self.assertIn(b"http://gateway:8080/v1/messages", {uri for _, uri, _ in agent.requests})
        self.successResultOf(fleet.stopService())
        self.assertEqual(clock.getDelayedCalls(), [])


class ConfigTests(SynchronousTestCase):
    """The demo's configuration."""

    def test_config(self):
        """Both providers are the stand-in, everybody is in it, and all files are in the state directory."""
        config = yaml.safe_load(demo_config(8081, 9001, "/var/state: odd"))
        self.assertEqual(config["gateway"], {"host": "127.0.0.1", "port": 8081, "state_dir": "/var/state: odd"})
        self.assertEqual({each["base_url"] for each in config["providers"].values()}, {"http://127.0.0.1:9001"})
        self.assertEqual(list(config["agents"]), [character.name for character in FLEET])
        self.assertEqual(config["audit"]["log_file"], "/var/state: odd/audit.jsonl")
