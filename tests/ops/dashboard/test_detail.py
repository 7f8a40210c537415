"""Tests of agentgateway.ops.dashboard.detail."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.exchange import Exchange
from agentgateway.domain.operator import NewCaps, change_caps
from agentgateway.ops.dashboard.detail import MAX_STREAMS, agent_detail, streams_view
from tests.ops.dashboard.doubles import State
from tests.ops.dashboard.test_actions import OneStream


class DetailTests(SynchronousTestCase):
    """More than a row."""

    def test_limits(self) -> None:
        """What is configured is there, but no key."""
        state = State('agents: {coder: {key: "sha256:%s", max_concurrency: 3, token_limit: 9/min}}' % ("a" * 64))
        detail = agent_detail(state, state.agent("coder"))
        self.assertEqual(detail["limits"]["max_concurrency"], 3)
        self.assertEqual((detail["limits"]["needs_key"], detail["limits"]["token_limit"]), (True, "9/min"))
        self.assertNotIn("aaaa", str(detail))

    def test_caps_of_operator(self) -> None:
        """A cap that an operator has set or lifted is told with what the configuration says; others are not."""
        state = State("agents: {coder: {budget: {max_cost_per_hour: 2, max_cost_per_day: 9}}}")
        coder = state.agent("coder")
        self.assertEqual(agent_detail(state, coder)["caps_of_operator"], {})
        change_caps(state.fleet, coder, NewCaps(max_cost_per_hour=None, max_cost_total=5), state.moment())
        self.assertEqual(agent_detail(state, coder)["caps_of_operator"], {"hour": 2.0, "total": None})

    def test_streams(self) -> None:
        """Streams are told oldest first, with their age and what they cost so far; of very many the oldest."""
        state = State()
        for number in range(MAX_STREAMS + 5):
            stream: Any = OneStream(state)
            stream.exchange = Exchange(f"agw_{number}", state.moment(), "POST", "/v1/messages", (), agent_id="coder")
            state.streams[f"agw_{number}"] = stream
        first = state.streams["agw_0"].exchange
        first.reservation = state.agent("coder").account.hold("agw_0", 10)
        first.reservation.accrued = 2_000_000
        first.first_byte = 0.25
        state.clock.advance(7)
        shown = streams_view(state)
        self.assertEqual((len(shown), shown[0]["id"], shown[0]["age_s"]), (MAX_STREAMS, "agw_0", 7.0))
        self.assertEqual((shown[0]["cost_so_far"], shown[0]["ttfb_ms"], shown[1]["cost_so_far"]), (0.002, 250.0, None))
