"""The providers one need not configure."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.addresses import base_url
from agentgateway.config.builtin import BUILTIN
from agentgateway.config.tree import Scalar


class BuiltinTests(SynchronousTestCase):
    """What every installation knows."""

    def test_known(self):
        """The providers the manual names are there, each under its own name and with a URL one could have written."""
        hosted = "anthropic openai google groq mistral openrouter deepseek cerebras together fireworks xai cohere"
        self.assertEqual(list(BUILTIN), [*hosted.split(), "ollama", "vllm"])
        for name, provider in BUILTIN.items():
            self.assertEqual(provider.name, name)
            self.assertEqual(base_url(Scalar(1, None, "", provider.base_url)), provider.base_url)

    def test_no_keys(self):
        """None of them has a key: callers bring their own."""
        self.assertEqual({provider.api_key for provider in BUILTIN.values()}, {None})
