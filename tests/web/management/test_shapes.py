"""The shapes in the API's document are those of its answers, to the last field."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.audit import AuditRecord
from agentgateway.web.management.shapes import AGENT, BUDGET, CHANGES, GATEWAY, HEALTH, RECORD
from tests.web.management.doubles import Api


class ShapeTests(SynchronousTestCase):
    """Nothing is undescribed, nothing described is missing."""

    def test_fields(self):
        """Field by field."""
        api = Api(self)
        status = api.get("/api/status").json
        for shape, answer in (
            (GATEWAY, status["gateway"]),
            (AGENT, status["agents"][0]),
            (BUDGET, api.get("/api/budget/writer").json),
            (HEALTH, api.get("/health").json),
            (CHANGES, api.ask("POST", "/api/reload").json),
            (RECORD, dict.fromkeys(AuditRecord.__struct_fields__)),
        ):
            self.assertEqual(sorted(shape["required"]), sorted(answer))
        self.assertEqual(HEALTH["properties"].keys() - HEALTH["required"], {"store"})  # where processes share one
