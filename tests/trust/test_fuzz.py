"""The parsers that read what strangers send, for as long as `FUZZ` says: seconds each; without it, once through.

Each target is made of property tests that stand beside the code. They are run over and over, with other examples each
time; what fails is kept by hypothesis, tried first from then on, and belongs into the property as an explicit example.
"""

import os
import time
from typing import Any

from twisted.trial import reporter
from twisted.trial.unittest import SynchronousTestCase

from tests.config import test_load, test_tree
from tests.domain import test_expression
from tests.pipeline import test_meter
from tests.providers import test_lenient, test_sse
from tests.web.management import test_bodies, test_resource
from tests.wire import test_connection, test_request_reader

SECONDS = float(os.environ.get("FUZZ", "0"))
Target = tuple[type[SynchronousTestCase], str]


def run(kind: type[SynchronousTestCase], name: str) -> None:
    """Run a property with fresh examples, some hundred. Raises what it raised."""
    case: Any = kind(name)
    result = reporter.TestResult()
    case.run(result)
    for _, failure in [*result.errors, *result.failures]:
        failure.raiseException()


class FuzzTests(SynchronousTestCase):
    """Seven of them."""

    timeout = max(120.0, 2 * SECONDS)

    def fuzz(self, *targets: Target) -> None:
        """All properties of a target in turn, until the time is up."""
        end, rounds = time.monotonic() + SECONDS, 0
        while not rounds or time.monotonic() < end:
            for kind, name in targets:
                run(kind, name)
            rounds += 1
        print(f"{rounds} rounds in {SECONDS:.0f} s")

    def test_requests(self) -> None:
        """The request parser."""
        kind = test_request_reader.PropertyTests
        self.fuzz((kind, "test_any_bytes"), (kind, "test_segments_do_not_matter"))

    def test_responses(self) -> None:
        """The response parser."""
        self.fuzz((test_connection.PropertyTests, "test_any_bytes"))

    def test_event_streams(self) -> None:
        """The splitter of event streams."""
        self.fuzz((test_sse.Splitting, "test_any_text_any_cut"), (test_sse.Stripping, "test_any_cut"))

    def test_usage(self) -> None:
        """Finding usage in whatever providers answer."""
        kind = test_meter.HostileAnswers
        names = ("test_junk", "test_odd_usage", "test_anything_anywhere")
        self.fuzz(*[(kind, name) for name in names], (test_lenient.Decoding, "test_junk"))

    def test_configuration(self) -> None:
        """The loader of gateway.yaml."""
        self.fuzz((test_tree.ReadTests, "test_any_text"), (test_load.AnyTests, "test_any_change"))

    def test_policies(self) -> None:
        """The compiler of conditions."""
        kind = test_expression.AnyTextTests
        self.fuzz((kind, "test_any_text"), (kind, "test_any_words"))

    def test_management(self) -> None:
        """Bodies and arguments of the management API."""
        self.fuzz((test_resource.AnyTests, "test_any_body"), (test_bodies.AmountTests, "test_exact"))
