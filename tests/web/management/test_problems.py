"""Errors of the API have one shape."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.web.management.problems import Problem, too_large


class ProblemTests(SynchronousTestCase):
    """As JSON."""

    def test_shape(self):
        """A code for programs, a message for people, and what else there is beside them."""
        problem = Problem(422, "invalid_config", "two mistakes", {"mistakes": [1, 2]})
        wanted = {"error": {"code": "invalid_config", "message": "two mistakes", "mistakes": [1, 2]}}
        self.assertEqual(msgspec.json.decode(problem.body), wanted)

    def test_too_large(self):
        """A body that is too large is told the limit."""
        self.assertEqual((too_large(10).status, too_large(10).code), (413, "too_large"))
        self.assertIn("10 bytes", too_large(10).message)
