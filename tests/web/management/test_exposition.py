"""Prometheus' text of several workers as one."""

from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.defer import Deferred, succeed
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.web.management.exposition import SLICE, merged

ONE = b"""# HELP agentgateway_calls_total Calls that are over.
# TYPE agentgateway_calls_total counter
agentgateway_calls_total{agent="a",outcome="ok"} 3.0
# HELP agentgateway_call_seconds From head to end.
# TYPE agentgateway_call_seconds histogram
agentgateway_call_seconds_bucket{provider="x",le="+Inf"} 2.0
agentgateway_call_seconds_sum{provider="x"} 0.5
# HELP agentgateway_calls_in_flight Calls under way.
# TYPE agentgateway_calls_in_flight gauge
agentgateway_calls_in_flight{agent="a"} 2.0
# HELP agentgateway_uptime_seconds Since the start.
# TYPE agentgateway_uptime_seconds gauge
agentgateway_uptime_seconds 9.0
# HELP agentgateway_budget_remaining_dollars Neither spent nor held.
# TYPE agentgateway_budget_remaining_dollars gauge
agentgateway_budget_remaining_dollars{agent="a",window="hour"} 4.5
# HELP process_open_fds Number of open file descriptors.
# TYPE process_open_fds gauge
process_open_fds 7.0
"""
OTHER = (
    ONE.replace(b"2.0", b"1.0").replace(b"9.0", b"5.0").replace(b"4.5", b"4.25")
    + b"""# HELP one_more Is new.
# TYPE one_more gauge
one_more{quoted="a b \\" }"} +Inf
"""
)


class MergedTests(SynchronousTestCase):
    """Two texts."""

    def merge(self, *texts: bytes) -> str:
        """One."""
        return self.successResultOf(
            Deferred.fromCoroutine(merged(list(enumerate(texts)), lambda: succeed(None)))
        ).decode()

    def test_counted(self) -> None:
        """What only grows stands for each worker, so that one that starts anew is one that starts anew."""
        found = self.merge(ONE, OTHER)
        for worker in ("0", "1"):
            self.assertIn(f'agentgateway_calls_total{{worker="{worker}",agent="a",outcome="ok"}} 3.0\n', found)
            self.assertIn(f'agentgateway_call_seconds_sum{{worker="{worker}",provider="x"}} 0.5\n', found)

    def test_now(self) -> None:
        """What is under way is added up; of an age the largest stays, of what is left the least."""
        found = self.merge(ONE, OTHER)
        self.assertIn('agentgateway_calls_in_flight{agent="a"} 3.0\n', found)
        self.assertIn("agentgateway_uptime_seconds 9.0\n", found)
        self.assertIn('agentgateway_budget_remaining_dollars{agent="a",window="hour"} 4.25\n', found)

    def test_fleet(self) -> None:
        """What every worker says of all processes is no more for that there are several who say it."""
        text = b"# TYPE agentgateway_fleet_processes gauge\nagentgateway_fleet_processes 4.0\n"
        self.assertIn("agentgateway_fleet_processes 4.0\n", self.merge(text, text))

    def test_process(self) -> None:
        """What a process says of itself is told of each."""
        found = self.merge(ONE, OTHER)
        self.assertIn('process_open_fds{worker="0"} 7.0\nprocess_open_fds{worker="1"} 7.0\n', found)

    def test_well_formed(self) -> None:
        """Prometheus' own parser reads it: each family once, also those that one worker alone has."""
        families = list(text_string_to_metric_families(self.merge(ONE, OTHER)))
        self.assertEqual(len(families), 7)
        self.assertEqual(families[-1].samples[0].labels, {"quoted": 'a b " }'})
        self.assertEqual(families[-1].samples[0].value, float("inf"))
        self.assertTrue(all(family.documentation for family in families))

    def test_long(self) -> None:
        """A family that is read in several slices stays one."""
        lines = b"".join(b'calls{agent="a%d"} 1.0\n' % number for number in range(SLICE + 10))
        text = b"# HELP calls Calls.\n# TYPE calls gauge\n" + lines
        [family] = text_string_to_metric_families(self.merge(text, text))
        self.assertEqual({sample.value for sample in family.samples}, {2.0})
        self.assertEqual(len(family.samples), SLICE + 10)
