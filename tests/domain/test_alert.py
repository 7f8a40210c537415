"""What an operator should know."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.alert import Alert


class AlertTests(SynchronousTestCase):
    """An alert as a value."""

    def test_about_nobody(self) -> None:
        """An alert need not be about an agent, nor be posted."""
        alert = Alert(1.0, "store", "the disk is full")
        self.assertEqual((alert.agent, alert.policy, alert.webhook), (None, None, None))
