"""What is asked of the audit log."""

from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import parse_qs

from agentgateway.domain.logquery import LogQuery
from agentgateway.web.management.problems import Problem
from agentgateway.web.management.questions import question


def asked(text):
    """The question in a query string."""
    return question(parse_qs(text.encode(), 1))


class QuestionTests(SynchronousTestCase):
    """Query strings."""

    def test_nothing(self):
        """Without anything said, it is the latest hundred as JSON."""
        self.assertEqual(asked("").query, LogQuery())
        self.assertEqual((asked("").format, asked("").follow), ("json", False))

    def test_all(self):
        """Every filter at once."""
        found = asked("agent=a&since=0.5&until=1970-01-01T01:00:00&status=429&outcome=refused&limit=7&format=csv")
        self.assertEqual(found.query, LogQuery(7, "a", 429, "refused", 0.5, 3600.0))
        self.assertEqual(found.format, "csv")

    def test_times(self):
        """A time may have a zone, written with a + that nobody escaped, a fraction, or be a day; before 1970 is all."""
        for text, seconds in (
            ("1970-01-01T02:00:00+01:00", 3600.0),
            ("1970-01-01T02:00:00%2B01:00", 3600.0),
            ("1970-01-01T00:00:00.250Z", 0.25),
            ("1970-01-02", 86400.0),
            ("0075-06-14T06:42:25Z", 0.0),
        ):
            self.assertEqual(asked(f"since={text}").query.since, seconds)

    def test_follow(self):
        """What is followed has an object a line: a stream has no closing bracket."""
        self.assertEqual(asked("follow=true&format=json").format, "jsonl")
        self.assertEqual(asked("follow=true&format=csv").format, "csv")
        self.assertFalse(asked("follow=false").follow)

    def test_mistakes(self):
        """What cannot be meant is told, not guessed."""
        for text in (
            "agnet=a", "limit=-1", "limit=10001", "limit=1.5", "limit=", "limit=%D9%A3", "limit=1&limit=2", "status=42",
            "status=ok", "outcome=fine", "since=yesterday", "since=", "until=1e400", "until=999999999999", "follow=yes",
            "follow=", "format=xml", "agent=%ff",
        ):  # fmt: skip
            self.assertEqual(self.assertRaises(Problem, asked, text).status, 400, text)
