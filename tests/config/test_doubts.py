"""What is right, but perhaps not what was meant."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.doubts import doubts
from agentgateway.config.load import parse

HERE = "gateway: {host: 127.0.0.1}\ndashboard: {host: 127.0.0.1}\n"


class DoubtsTests(SynchronousTestCase):
    """Warnings about a file."""

    def said(self, text: str) -> list[str]:
        """The warnings."""
        return list(doubts(parse(text, "gateway.yaml", {})))

    def test_open_to_others(self) -> None:
        """Agents that ask for no key are told, where other machines reach the gateway."""
        agents = 'agents: {"*": {}, writer: {}, safe: {key: opensesame}}\n'
        (said,) = self.said(agents)
        self.assertIn("without a `key`: the template, writer have none", said)
        for listen in ("tcp:80", "tcp:80:interface=10.0.0.7", "ssl:443:privateKey=k:certKey=c"):
            self.assertEqual(len(self.said(f"gateway: {{listen: ['{listen}']}}\n{agents}")), 1, listen)
        (said,) = self.said("agents: {a: {}, b: {}, c: {}, d: {}, e: {}}")
        self.assertIn("a, b, c and 2 more have none", said)

    def test_among_themselves(self) -> None:
        """Nothing is said where only this machine reaches it, or every agent has a key."""
        for listen in (
            "tcp:80:interface=127.0.0.1", "tcp6:80:interface=\\:\\:1", "tcp:80:interface=localhost", "unix:/run/g.sock",
        ):  # fmt: skip
            text = f"gateway: {{listen: ['{listen}']}}\ndashboard: false\nagents: {{a: {{}}}}"
            self.assertEqual(self.said(text), [], listen)
        self.assertEqual(self.said("agents: {safe: {key: opensesame}}"), [])

    def test_nobody_may_call(self) -> None:
        """A file without agents and without a template is told."""
        for text in ("", "agents: {}\n"):
            (said,) = self.said(HERE + text)
            self.assertIn("every call will be refused", said)
        self.assertEqual(self.said(HERE + 'agents: {"*": {}}'), [])

    def test_dashboard_of_others(self) -> None:
        """A dashboard on all addresses beside a gateway on this machine's own is told, with what keeps it here."""
        agents = "agents: {safe: {key: opensesame}}\n"
        gateway = "gateway: {host: 127.0.0.1}\n"
        (said,) = self.said(agents + gateway)
        self.assertIn("other machines reach the dashboard (0.0.0.0 port 4040), but not the gateway", said)
        for text in (gateway + "dashboard: false", HERE, "gateway: {listen: ['unix:/run/g.sock']}", ""):
            self.assertEqual(self.said(agents + text), [], text)

    def test_for_nobody(self) -> None:
        """A policy for an id or tag that no agent has is told, with the one that was perhaps meant."""
        policy = (
            "policies: [{name: p, condition: 'error_rate > 1', action: pause, agents: [wirter, odd, mine, writer]}]\n"
        )
        self.assertEqual(
            self.said(f"{HERE}{policy}agents: {{writer: {{tags: [mine]}}}}"),
            [
                'policy p: "wirter" is no agent and no tag of one (did you mean "writer"?)',
                'policy p: "odd" is no agent and no tag of one',
            ],
        )

    def test_for_somebody_later(self) -> None:
        """With a template agents of any name may come, so a policy for one that is not named is as good as any."""
        policy = "policies: [{name: p, condition: 'error_rate > 1', action: pause, agents: [later]}]\n"
        self.assertEqual(self.said(HERE + policy + 'agents: {"*": {}}'), [])
