"""Alerts as operators see them."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.alert import Alert
from agentgateway.ops.alerts import KEPT, Alerts


class AlertsTests(SynchronousTestCase):
    """What is kept, and what is posted."""

    def test_latest_are_kept(self) -> None:
        """The latest alerts are there, newest last, and no more than so many."""
        alerts = Alerts()
        for number in range(KEPT + 3):
            alerts.add(Alert(float(number), "pause", "x"))
        self.assertEqual((len(alerts.recent), alerts.recent[0].at, alerts.recent[-1].at), (KEPT, 3.0, KEPT + 2.0))

    def test_posted_where_a_webhook_is_named(self) -> None:
        """Only alerts of policies that name a webhook are posted."""
        posted: list[Alert] = []
        alerts = Alerts(posted.append)
        named = Alert(1.0, "policy", "x", webhook="http://hook.test/secret")
        alerts.add(Alert(0.0, "pause", "x"))
        alerts.add(named)
        self.assertEqual(posted, [named])
