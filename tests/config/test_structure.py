"""What the author of a wrong gateway.yaml is told."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.load import parse
from agentgateway.errors import ConfigError
from tests.config.wrong import WRONG

SECRET = "sk-do-not-print-me"


def mistakes(text):
    """The lines a user sees for `text`, without the file's name."""
    try:
        parse(text, "gateway.yaml", {"BROKEN": SECRET + "\nsecond"})
    except ConfigError as error:
        return [str(mistake).removeprefix("gateway.yaml") for mistake in error.mistakes]
    return []


class MistakeTests(SynchronousTestCase):
    """Files that are wrong."""

    def test_each(self):
        """Each mistake is told in one exact line: file, line, path, what was expected, what is there."""
        for text, line in WRONG:
            self.assertEqual(mistakes(text + "\n"), [line], text)

    def test_rate_of_the_manual(self):
        """The example the manual gives for an error line is the line one gets."""
        text = "\n" * 11 + 'agents:\n  writer:\n    rate_limit: "50/fortnight"\n'
        with self.assertRaises(ConfigError) as caught:
            parse(text, "gateway.yaml", {})
        expected = 'gateway.yaml:14: agents.writer.rate_limit: expected "<count>/<unit>", got "50/fortnight"'
        self.assertEqual(str(caught.exception), expected)

    def test_all_at_once(self):
        """All mistakes of a file are told together, in its order, whatever sections they are in."""
        parts = [text for text, _ in WRONG if text.startswith("agents: {a: {")]
        agents = [text.replace("agents: {a:", f"  a{i}:")[:-1] for i, text in enumerate(parts)]
        first = "gateway: {port: x, host: 'a b', header_timeout: 0, prot: 1}"
        found = mistakes("\n".join([first, "agents:", *agents, "store: z", "dashboard: {port: z}"]))
        self.assertEqual(len(found), len(parts) + 6)
        lines = [int(line.split(":")[1]) for line in found]
        self.assertEqual(lines, sorted(lines))

    def test_listen_twice(self):
        """A port that is none is told too where `listen` makes it one too many."""
        found = mistakes("gateway: {port: 99999, listen: ['tcp:80']}")
        self.assertEqual(
            found,
            [
                ":1: gateway.port: expected a whole number from 0 to 65535, got 99999",
                ":1: gateway.listen: expected either listen, or host and port, got both",
            ],
        )

    def test_several_in_one(self):
        """One agent may be wrong in several ways, and each is told."""
        found = mistakes(
            "agents:\n  a:\n    provider: nobody\n    fallback: [x, openai, y]\n    tags: [1, b, 2]\n    budget: 5\n"
        )
        paths = [line.split(": ")[1] for line in found]
        self.assertEqual(
            paths,
            [f"agents.a.{key}" for key in ("provider", "fallback[0]", "fallback[2]", "tags[0]", "tags[2]", "budget")],
        )

    def test_policy_column(self):
        """A condition that does not parse is told with the column where it stops making sense."""
        (line,) = mistakes("policies: [{name: p, action: deny, condition: 'error_rate >'}]")
        self.assertIn(':1: policies[0].condition: expected a condition, got "error_rate >" (column 13', line)

    def test_thousands(self):
        """A file that is wrong all over is told in full; only the suggestions stop at some point."""
        found = mistakes("".join(f"agentss{i}: 1\n" for i in range(5000)))
        self.assertEqual(len(found), 5000)
        self.assertIn("did you mean", found[0])
        self.assertNotIn("did you mean", found[-1])

    def test_no_secret(self):
        """No error line carries a secret, however the secret was miswritten."""
        alert = "name: p, condition: 'error_rate > 0', action: alert"
        snippets = (
            f"agents: {{a: {{api_key: [{SECRET}]}}}}",
            f"agents: {{a: {{apikey: {SECRET}}}}}",
            f"agents: {{a: {{key: 'sha256:{SECRET}'}}}}",
            f"agents: {{a: {{key: {SECRET}}}, b: {{key: {SECRET}}}}}",
            f"agents: {{a: {{api_key: 'env:{SECRET}'}}}}",
            f'agents: {{a: {{api_key: "{SECRET}\\nx"}}}}',
            "agents: {a: {api_key: env:BROKEN}}",
            f"agents: {{a: {{api_key: *{SECRET}}}}}",
            f"agents: {{a: {{api_key: !{SECRET} x}}}}",
            f"agents: {{a: {SECRET}}}",
            f"providers: {{openai: {{base_url: 'https://u:{SECRET}@x'}}}}",
            f"providers: {{openai: {{base_url: 'u:{SECRET}@x'}}}}",
            f"policies: [{{{alert}, params: {{webhook: 'x/{SECRET}'}}}}]",
        )
        for text in snippets:
            found = mistakes(text)
            self.assertTrue(found, text)
            self.assertNotIn("print-me", "\n".join(found))
