"""The reasons a call is refused for, as the contract's table has them."""

from typing import get_args

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.refusal import STATUS, Reason, Refusal

TABLE = {
    "unknown_agent": (401, False),
    "bad_key": (401, False),
    "agent_paused": (403, False),
    "policy_denied": (403, False),
    "rate_limited": (429, True),
    "budget_exceeded": (402, False),
    "circuit_open": (503, True),
    "unpriced_model": (402, False),
    "bad_request": (400, False),
    "upstream_unreachable": (502, True),
    "upstream_timeout": (504, True),
    "draining": (503, True),
    "overloaded": (503, True),
}


class RefusalTests(SynchronousTestCase):
    """Status and whether to try again follow from the reason."""

    def test_table(self) -> None:
        """Every reason has its status, and only those that time heals may be tried again."""
        self.assertEqual(set(get_args(Reason)), set(TABLE))
        self.assertEqual(set(STATUS), set(TABLE))
        for reason in get_args(Reason):
            refusal = Refusal(reason, "why")
            self.assertEqual((refusal.status, refusal.retry), TABLE[reason], reason)
            self.assertIsNone(refusal.retry_after)

    def test_own_status(self) -> None:
        """A bad request may be more precise."""
        self.assertEqual(Refusal("bad_request", "too large", status=413).status, 413)
