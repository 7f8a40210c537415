"""A reload in words."""

from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.changed import in_words

NOTHING: dict[str, list[str]] = {"added": [], "changed": [], "removed": []}


class ChangedTests(SynchronousTestCase):
    """What an operator reads after a reload."""

    def test_nothing(self) -> None:
        """What did not change is not told, whether it is there or not."""
        self.assertEqual(in_words({"agents": NOTHING, "gateway": [], "needs_restart": []}), [])
        self.assertEqual(in_words({}), [])

    def test_lines(self) -> None:
        """Tables first, by what happened; then other keys, what waits, and whose caps are not the file's."""
        changed: dict[str, Any] = {
            "needs_restart": ["store"],
            "agents": {**NOTHING, "added": ["a", "b"], "removed": ["c"]},
            "gateway": ["idle_timeout"],
            "kept_caps": ["d"],
        }
        *lines, caps = in_words(changed, ":")
        wanted = [
            "agents added: a, b",
            "agents removed: c",
            "changed: idle_timeout",
            "in force after a restart only: store",
        ]
        self.assertEqual(lines, wanted)
        self.assertRegex(caps, r"^caps as an operator set them, .*budget AGENT --file\): d$")

    def test_safe(self) -> None:
        """Whatever the file says passes through `safe`, the words around it do not."""
        changed = {"agents": {"added": ["a"]}, "gateway": ["b"]}
        self.assertEqual(in_words(changed, safe=str.upper), ["AGENTS ADDED A", "changed: B"])
