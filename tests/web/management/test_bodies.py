"""Bodies of changes."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.money import NANO, dollars
from agentgateway.domain.operator import MAX_REASON, NewCaps, Why
from agentgateway.web.management.bodies import parse
from agentgateway.web.management.problems import Problem

JSON = b"application/json"


def refused(testcase, body, shape, content_type=JSON):
    """The status and code of the refusal."""
    problem = testcase.assertRaises(Problem, lambda: use(parse(body, content_type, shape)))
    return problem.status, problem.code


def use(body):
    """What the endpoint does with it."""
    return body.nanos() if isinstance(body, NewCaps) else body.text("because")


class ParseTests(SynchronousTestCase):
    """Only JSON, only what is known."""

    def test_forms(self):
        """What an HTML form can send changes nothing."""
        for content_type in (b"text/plain", b"application/x-www-form-urlencoded", b"multipart/form-data", b""):
            self.assertEqual(refused(self, b'{"reason": "x"}', Why, content_type), (400, "bad_request"))
        self.assertEqual(parse(b"{}", b"Application/JSON; charset=utf-8", Why), Why())

    def test_no_json(self):
        """Broken, deeply nested and badly encoded JSON is refused, not stumbled over."""
        for body in (b"{", b"\xff", b"[" * 60_000, b'{"reason": "\xed\xa0\x80"}', b"{} {}", b"NaN"):
            self.assertEqual(refused(self, body, Why)[0] // 100, 4)

    def test_other_shapes(self):
        """JSON of another shape is 422, and says where."""
        for body, shape in (
            (b"[]", Why), (b"null", Why), (b'{"reason": 1}', Why), (b'{"reson": "x"}', Why),
            (b'{"max_cost_per_hour": true}', NewCaps), (b'{"max_cost_per_week": 1}', NewCaps), (b"{}", NewCaps), (b"", NewCaps),
            (b'{"max_cost_total": -1}', NewCaps), (b'{"max_cost_total": 1e9}', NewCaps),
            (b'{"max_cost_total": 1e308}', NewCaps),
            (b'{"max_cost_total": "lots"}', NewCaps), (b'{"max_cost_total": "NaN"}', NewCaps),
            (b'{"max_cost_total": "1e999999999"}', NewCaps), (b'{"max_cost_total": [1]}', NewCaps),
            (b'{"set_by": "me"}', NewCaps), (b'{"set_by": "operator"}', NewCaps),
        ):  # fmt: skip
            self.assertEqual(refused(self, body, shape), (422, "invalid"), body)

    def test_reason(self):
        """A reason is one line, not too long; without one there is a default."""
        self.assertEqual(parse(b'{"reason": " a\\u0007b "}', JSON, Why).text("because"), "a\\x07b")
        for body in (b"", b"{}", b'{"reason": null}', b'{"reason": "  "}'):
            self.assertEqual(parse(body, JSON, Why).text("because"), "because")
        self.assertEqual(refused(self, b'{"reason": "%b"}' % (b"x" * (MAX_REASON + 1)), Why), (422, "invalid"))


class AmountTests(SynchronousTestCase):
    """Money."""

    @given(st.integers(0, 10**18 - 1))
    def test_exact(self, nano):
        """Every amount to the nano-dollar can be said, as a string."""
        body = b'{"max_cost_total": "%b"}' % dollars(nano).encode()
        self.assertEqual(parse(body, JSON, NewCaps).nanos(), {"max_cost_total": nano})

    def test_numbers(self):
        """A number is what it says on paper; what is far below a nano-dollar is nothing."""
        for text, nano in (("0.1", NANO // 10), ("5", 5 * NANO), ("2.50", 5 * NANO // 2), ("1e-300", 0), ("0", 0)):
            body = b'{"max_cost_per_day": %b, "max_cost_total": null}' % text.encode()
            self.assertEqual(parse(body, JSON, NewCaps).nanos(), {"max_cost_per_day": nano, "max_cost_total": None})
