"""The management API does what its OpenAPI document says, and nothing else: thousands of requests made from it."""

import copy
import json
import os
import sys

from twisted.internet.utils import getProcessOutputAndValue
from twisted.python.filepath import FilePath
from twisted.trial.unittest import SynchronousTestCase, TestCase

from agentgateway.web.management.openapi import DOCUMENT
from agentgateway.web.site import MANAGEMENT
from tests.harness import CONFIG, reactor, start_gateway

CLOSED = CONFIG.replace("host: 127.0.0.1,", "host: 127.0.0.1, loopback_reads: false,")
RULES = """
[[operations]]
include-name = "POST /api/agents/{agent}/resume"
checks.positive_data_acceptance.enabled = false
[[operations]]
include-name = "POST /api/reload"
checks.positive_data_acceptance.enabled = false
"""
"""Whether an agent can be resumed depends on its budget, and a reload on the file: not on the request alone."""


def testable():
    """The document with agents that exist, and without what never ends."""
    document = copy.deepcopy(DOCUMENT)
    logs = document["paths"]["/api/logs"]["get"]
    logs["parameters"] = [argument for argument in logs["parameters"] if argument["name"] != "follow"]
    for item in document["paths"].values():
        for argument in item.get("parameters", ()):
            argument["schema"] = {"enum": ["researcher", "coder", "nobody"]}
    return document


class ConformanceTests(TestCase):
    """schemathesis plays a client that knows the document, and one that means harm."""

    timeout = 60

    async def test_conformance(self):
        """No request brings a server error, an answer that is not in the document, or a way around the token."""
        gateway = await start_gateway(self, CLOSED)
        token = (FilePath(gateway.service.live.config.gateway.state_dir).child("admin-token").getContent()).decode()
        folder = FilePath(self.mktemp())
        folder.makedirs()
        folder.child("openapi.json").setContent(json.dumps(testable()).encode())
        folder.child("rules.toml").setContent(RULES.encode())
        out, err, code = await getProcessOutputAndValue(
            sys.executable,
            [
                *("-m", "schemathesis.cli", "--config-file", "rules.toml", "run", "openapi.json"),
                *("--url", gateway.url, "-H", f"Authorization: Bearer {token.strip()}"),
                *("--seed", "1", "-n", "25", "--no-color"),
            ],
            os.environ,
            folder.path,
            reactor,
        )
        self.assertEqual(code, 0, (out + err).decode())
        self.assertIn(b"11 selected / 11 total", out)


class DocumentTests(SynchronousTestCase):
    """The document as such."""

    def test_paths(self):
        """What the gateway keeps for itself is what the document describes."""
        for path in DOCUMENT["paths"]:
            self.assertTrue(MANAGEMENT.fullmatch(path.replace("{agent}", "writer").encode()), path)

    def test_references(self):
        """Everything it refers to is there."""
        text = json.dumps(DOCUMENT)
        components = DOCUMENT["components"]
        found = [part.split('"')[0].split("/") for part in text.split("#/components/")[1:]]
        self.assertTrue(found)
        for kind, name in found:
            self.assertIn(name, components[kind])
