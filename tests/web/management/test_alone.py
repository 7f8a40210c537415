"""What a worker answers the others of its gateway, and nobody else."""

import msgspec
from treq.testing import RequestTraversalAgent
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.lease import News, Words
from agentgateway.web.management.resource import alone
from tests.web.management.doubles import Api


class AloneTests(SynchronousTestCase):
    """One worker, by its own socket and by the gateway's port."""

    def setUp(self) -> None:
        """It runs."""
        self.port, self.socket = Api(self), Api(self)
        service = self.socket.service
        desk = service.desk
        parts = (service.live, desk.token, desk.controls, desk.feed, desk.metrics.render, desk.rest)
        self.socket.agent = RequestTraversalAgent(alone(*parts))

    def test_tail(self) -> None:
        """What is in a worker's memory is for its siblings; the gateway's port knows no such path."""
        self.socket.happened(id="agw_7")
        found = self.socket.ask("GET", "/tail?format=jsonl")
        self.assertEqual((found.status, found.json["id"]), (200, "agw_7"))
        self.assertEqual(self.port.ask("GET", "/tail").status, 404)

    def test_words(self) -> None:
        """What a worker cannot tell the store its siblings are told; the gateway's port knows no such path."""
        heard: list[News] = []
        self.socket.live.heard = heard.extend
        word = News(0, "standing", "writer", "one", b"\x00", 7)
        self.assertEqual(self.socket.ask("POST", "/words", msgspec.json.encode(Words((word,)))).status, 200)
        self.assertEqual(heard, [word])
        self.assertEqual(self.socket.ask("POST", "/words", {"words": [7]}).status, 422)
        self.assertEqual(self.socket.ask("POST", "/words", {"words": []}, token=None).status, 401)
        self.assertEqual(self.port.ask("POST", "/words", {"words": []}).status, 404)
