"""The parsers that read what strangers send, for as long as `FUZZ` says: seconds each; without it, once through.

Each target is made of property tests that stand beside the code, and that begin with what is known to be interesting:
recorded answers, shapes of smuggling, whole configurations. They are run over and over, with other examples each time;
what fails is kept in `.hypothesis`, tried first from then on, and belongs into the property as an explicit example.
"""

import os
import time
from math import inf
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial import reporter
from twisted.trial.unittest import SynchronousTestCase

from tests.config import test_load, test_tree
from tests.domain import test_expression
from tests.pipeline import test_meter
from tests.providers import test_lenient, test_sse
from tests.reality.processes import ROOT
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


class Seen(SynchronousTestCase):
    """A property that notes what it is tried with, and fails where it should."""

    examples: ClassVar[list[int]] = []
    limit: ClassVar[float] = inf

    @given(st.integers(0, 10**9))
    def any_number(self, number: int) -> None:
        """Whatever the number."""
        self.examples.append(number)
        self.assertLess(number, self.limit)


class FuzzTests(SynchronousTestCase):
    """Seven of them, and how they are run."""

    timeout = max(120.0, 2 * SECONDS)

    def fuzz(self, *targets: Target) -> None:
        """All properties of a target in turn, until the time is up."""
        end, rounds = time.monotonic() + SECONDS, 0
        while not rounds or time.monotonic() < end:
            for kind, name in targets:
                run(kind, name)
            rounds += 1
        print(f"{rounds} rounds in {SECONDS:.0f} s")

    def test_rounds(self) -> None:
        """Each round tries other examples; what failed once is tried first in the next, whichever process that is."""
        rounds = []
        for _ in range(2):
            self.patch(Seen, "examples", [])
            run(Seen, "any_number")
            rounds.append(set(Seen.examples))
        self.assertGreater(len(rounds[1] - rounds[0]), 10)
        self.patch(Seen, "limit", 1000)
        self.assertRaises(self.failureException, run, Seen, "any_number")
        self.patch(Seen, "examples", [])
        self.assertRaises(self.failureException, run, Seen, "any_number")
        self.assertEqual(Seen.examples[0], 1000)
        kept: Any = settings.default.database if settings.default else None
        self.assertEqual(Path(kept.path), ROOT / ".hypothesis" / "examples")

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
