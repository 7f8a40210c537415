"""The usage object of OpenAI's dialect, in the spellings of those who speak it.

`prompt_tokens` (chat, embeddings) or `input_tokens` (responses, images, audio) include cached and cache-written tokens;
`completion_tokens` or `output_tokens` include reasoning. Differences, each told by the numbers and not by the
provider's name: DeepSeek says `prompt_cache_hit_tokens`, Moonshot `cached_tokens`; xAI counts reasoning beside the
completion, which shows in the total; Perplexity counts reasoning and citations beside it, and searches.
"""

from agentgateway.domain.usage import Usage
from agentgateway.providers.dialect import Reading
from agentgateway.providers.lenient import Count, Counts


class _InputDetails(Counts):
    cached_tokens: Count = None
    cache_write_tokens: Count = None
    audio_tokens: Count = None
    image_tokens: Count = None
    video_tokens: Count = None


class _OutputDetails(Counts):
    reasoning_tokens: Count = None
    audio_tokens: Count = None
    image_tokens: Count = None


class Tokens(Counts):
    """A usage object; `input_token_details` is how audio transcriptions spell it."""

    prompt_tokens: Count = None
    completion_tokens: Count = None
    total_tokens: Count = None
    prompt_tokens_details: _InputDetails | None = None
    completion_tokens_details: _OutputDetails | None = None
    input_tokens: Count = None
    output_tokens: Count = None
    input_tokens_details: _InputDetails | None = None
    output_tokens_details: _OutputDetails | None = None
    input_token_details: _InputDetails | None = None
    cached_tokens: Count = None
    prompt_cache_hit_tokens: Count = None
    reasoning_tokens: Count = None
    citation_tokens: Count = None
    num_search_queries: Count = None


_NO_INPUT = _InputDetails()
_NO_OUTPUT = _OutputDetails()


def take(tokens: Tokens, reading: Reading) -> None:
    """Let `tokens` stand as the whole usage; a reading stays unknown where input or output is not said."""
    prompt = tokens.input_tokens if tokens.prompt_tokens is None else tokens.prompt_tokens
    if prompt is None:
        return
    into = tokens.prompt_tokens_details or tokens.input_tokens_details or tokens.input_token_details or _NO_INPUT
    out = tokens.completion_tokens_details or tokens.output_tokens_details or _NO_OUTPUT
    completion = tokens.output_tokens if tokens.completion_tokens is None else tokens.completion_tokens
    reading.known = completion is not None or tokens.total_tokens is not None
    if completion is None:
        completion = max(0, (tokens.total_tokens or prompt) - prompt)
    reasoning = out.reasoning_tokens or 0
    if tokens.reasoning_tokens or tokens.citation_tokens:
        reasoning = reasoning or tokens.reasoning_tokens or 0
        completion += (tokens.reasoning_tokens or 0) + (tokens.citation_tokens or 0)
    elif reasoning and tokens.total_tokens == prompt + completion + reasoning:
        completion += reasoning
    read, written = _cached(tokens, into, prompt, reading)
    reading.usage = usage = Usage(prompt - read - written, completion, read, written)
    usage.reported_input = prompt
    if reasoning:
        usage.reasoning = min(reasoning, completion)
    if tokens.num_search_queries:
        usage.web_searches = tokens.num_search_queries
    if into.audio_tokens or into.image_tokens or into.video_tokens or out.audio_tokens or out.image_tokens:
        _take_kinds(into, out, usage)


def _cached(tokens: Tokens, into: _InputDetails, prompt: int, reading: Reading) -> tuple[int, int]:
    """(cache reads, cache writes), together no more than the prompt that contains them."""
    read = into.cached_tokens
    if read is None:
        read = tokens.prompt_cache_hit_tokens or tokens.cached_tokens or 0
    written = into.cache_write_tokens or 0
    if read + written > prompt:
        reading.odd = True
        read = min(read, prompt)
        written = prompt - read
    return read, written


def _take_kinds(into: _InputDetails, out: _OutputDetails, usage: Usage) -> None:
    """Audio, images and video, each no more than what is left of the whole it is a part of."""
    left = usage.input
    usage.input_audio = min(into.audio_tokens or 0, left)
    usage.input_image = min(into.image_tokens or 0, left - usage.input_audio)
    usage.input_video = min(into.video_tokens or 0, left - usage.input_audio - usage.input_image)
    usage.output_audio = min(out.audio_tokens or 0, usage.output)
    usage.output_image = min(out.image_tokens or 0, usage.output - usage.output_audio)
