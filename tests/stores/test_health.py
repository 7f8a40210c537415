"""Telling trouble once."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.stores.health import Health


class HealthTests(SynchronousTestCase):
    """A thing that fails for a while."""

    def test_once(self):
        """Failing is told once, working again is told once, and what always worked is not told."""
        told = []
        health = Health("disk", told.append)
        health.works()
        health.failed("full")
        health.failed("still full")
        health.works("; 2 are missing")
        health.works()
        health.failed("full")
        self.assertEqual(told, ["disk: full", "disk: works again; 2 are missing", "disk: full"])
