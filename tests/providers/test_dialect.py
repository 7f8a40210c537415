"""Tests of what all kinds of calls share."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.usage import Usage
from agentgateway.providers.dialect import STANDARD, Asked, Reading, Surface, count, name, tier
from agentgateway.providers.openai_errors import OPENAI


class Basics(SynchronousTestCase):
    """The surface that knows nothing, and the words all surfaces use."""

    def test_a_call_of_no_interest(self) -> None:
        """A call nobody looks into passes as it is and says nothing."""
        surface = Surface(OPENAI, "other", billable=False)
        reading = Reading()
        surface.read_whole(b"{}", reading)
        surface.read_event(b"{}", reading)
        self.assertEqual((surface.understand("/", b"\xff"), reading), (Asked(), Reading()))
        body = b"any"
        for passed in (surface.fill_model(body, "m"), surface.ask_usage(body), surface.lower_limit(body, 1)):
            self.assertIs(passed, body)
        self.assertFalse(surface.is_usage_only(b""))

    def test_tiers(self) -> None:
        """The usual service tiers are no modifier; others are, in lower case; junk is none."""
        for usual in ("auto", "default", "standard", "on_demand", None, 7, "x" * 99, ""):
            self.assertIs(tier(usual), STANDARD)
        self.assertEqual(tier("PRIORITY"), {"service_tier": "priority"})

    def test_counts_and_names(self) -> None:
        """Only whole numbers from 0 up are counts, only texts that say something are names."""
        self.assertEqual([count(value) for value in (0, 5, -1, True, 1.0, "1", None)], [0, 5, *[None] * 5])
        self.assertEqual([name(value) for value in ("m", "", None, 5)], ["m", None, None, None])

    def test_being_sure(self) -> None:
        """Usage is sure when the provider has said it, sensibly, and there was any input."""
        self.assertTrue(Reading(usage=Usage(1), known=True).sure)
        for reading in (
            Reading(usage=Usage(1)),
            Reading(usage=Usage(0, 5), known=True),
            Reading(usage=Usage(1), known=True, odd=True),
            Reading(usage=Usage(1), known=True, blind=True),
        ):
            self.assertFalse(reading.sure)
