"""The parts of a policy that depend on each other."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.rules import condition, params
from agentgateway.config.schema import Rate
from agentgateway.config.secret import SecretReader
from agentgateway.config.tree import Scalar, Wrong, read_tree


class ConditionTests(SynchronousTestCase):
    """Conditions are checked before anything runs."""

    def test_folded(self):
        """A condition may go over several lines of a block."""
        root, _ = read_tree("condition: |\n  error_rate > 0.5\n  and call_count > 10\n")
        self.assertEqual(condition(root.entries["condition"]), "error_rate > 0.5 and call_count > 10")

    def test_wrong(self):
        """What does not parse, or reads what is not there, is refused."""
        for text in ("", "error_rate >", "eror_rate > 1", "__import__('os')", "a.b > 1"):
            self.assertRaises(Wrong, condition, Scalar(1, None, "condition", text))


class ParamsTests(SynchronousTestCase):
    """Parameters go with the action."""

    def params(self, text):
        """The parameters of the policy `text`."""
        root, _ = read_tree(text)
        return params(root.entries["params"], SecretReader({"HOOK": "https://hooks.example.com/T0"}))

    def test_each_action(self):
        """Every action takes its own and gets them read."""
        self.assertEqual(self.params("{action: throttle, params: {rate: 10/min}}"), {"rate": Rate(10, 60)})
        found = self.params("{action: alert, params: {webhook: env:HOOK, cooldown: 1.5}}")
        self.assertEqual(found, {"webhook": "https://hooks.example.com/T0", "cooldown": 1.5})
        for action in ("pause", "deny", "alert"):
            self.assertEqual(self.params(f"{{action: {action}, params: {{}}}}"), {})

    def test_nothing_said(self):
        """A parameter without a value counts as not written."""
        self.assertEqual(self.params("{action: alert, params: {webhook: , cooldown: ~}}"), {})

    def test_all_wrong(self):
        """Parameters of another action, and the one that is missing, are told together."""
        with self.assertRaises(ExceptionGroup) as caught:
            self.params("{action: throttle, params: {webhook: x, cooldown: 5}}")
        found = [wrong.node.path for wrong in caught.exception.exceptions]
        self.assertEqual(found, ["params.webhook", "params.cooldown", "params.rate"])
        self.assertRaises(Wrong, self.params, "{action: alert, params: [x]}")

    def test_unknown_action(self):
        """With an action that is none, nothing is said of its parameters: the action is the mistake."""
        self.assertEqual(self.params("{action: explode, params: {x: 1}}"), {})
