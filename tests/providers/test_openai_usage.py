"""Tests of usage objects in OpenAI's dialect."""

import msgspec
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.usage import Usage
from agentgateway.providers.dialect import Reading
from agentgateway.providers.openai_usage import Tokens, take


def read(**tokens: object) -> Reading:
    """The reading of a usage object."""
    reading = Reading()
    take(msgspec.convert(tokens, Tokens), reading)
    return reading


class Spellings(SynchronousTestCase):
    """Who says what how."""

    def test_cached_within_the_prompt(self) -> None:
        """Cached and written tokens are taken out of the prompt that contains them."""
        details = {"cached_tokens": 4, "cache_write_tokens": 3}
        reading = read(prompt_tokens=10, completion_tokens=2, prompt_tokens_details=details)
        self.assertEqual(reading.usage, Usage(3, 2, 4, 3, reported_input=10))

    def test_more_cached_than_there_was(self) -> None:
        """More cached than prompted is set right and makes the usage odd."""
        reading = read(prompt_tokens=10, completion_tokens=2, prompt_tokens_details={"cached_tokens": 40})
        self.assertEqual((reading.usage, reading.odd), (Usage(0, 2, 10, reported_input=10), True))

    def test_other_names_for_cached(self) -> None:
        """DeepSeek and Moonshot name cached tokens otherwise; Mistral's `num_cached_tokens` has no price of its own."""
        self.assertEqual(read(prompt_tokens=9, completion_tokens=0, prompt_cache_hit_tokens=4).usage.cache_read, 4)
        self.assertEqual(read(prompt_tokens=9, completion_tokens=0, cached_tokens=4).usage.cache_read, 4)
        self.assertEqual(read(prompt_tokens=9, completion_tokens=0, num_cached_tokens=4).usage.cache_read, 0)

    def test_reasoning(self) -> None:
        """Reasoning is within the completion, unless the total says it stands beside it, as xAI's does."""
        details = {"reasoning_tokens": 50}
        inside = read(prompt_tokens=10, completion_tokens=60, total_tokens=70, completion_tokens_details=details)
        beside = read(prompt_tokens=10, completion_tokens=60, total_tokens=120, completion_tokens_details=details)
        self.assertEqual((inside.usage.output, inside.usage.reasoning), (60, 50))
        self.assertEqual((beside.usage.output, beside.usage.reasoning), (110, 50))

    def test_searches(self) -> None:
        """Perplexity's reasoning and citations stand beside the completion, its searches are counted."""
        reading = read(
            prompt_tokens=1, completion_tokens=2, reasoning_tokens=30, citation_tokens=5, num_search_queries=4
        )
        self.assertEqual((reading.usage.output, reading.usage.reasoning, reading.usage.web_searches), (37, 30, 4))

    def test_input_spelling(self) -> None:
        """Responses, images and transcriptions say input and output."""
        reading = read(input_tokens=14, input_token_details={"audio_tokens": 12}, output_tokens=5)
        self.assertEqual(reading.usage, Usage(14, 5, reported_input=14, input_audio=12))

    def test_parts_within_their_whole(self) -> None:
        """Audio and images never exceed what they are a part of."""
        details = {"audio_tokens": 90, "image_tokens": 90}
        usage = read(
            prompt_tokens=10, completion_tokens=3, prompt_tokens_details=details, completion_tokens_details=details
        ).usage
        self.assertEqual((usage.input_audio, usage.input_image, usage.output_audio, usage.output_image), (10, 0, 3, 0))

    def test_what_is_not_said(self) -> None:
        """Without input nothing is known; the output may follow from the total."""
        self.assertFalse(read(completion_tokens=3).known)
        self.assertFalse(read(prompt_tokens=3).known)
        reading = read(prompt_tokens=3, total_tokens=8)
        self.assertEqual((reading.usage.output, reading.known), (5, True))
