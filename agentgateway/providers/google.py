"""Google's dialect: `/v1beta/models/<model>:generateContent` and its relatives.

Usage (ai.google.dev, "UsageMetadata"): `promptTokenCount` includes cached tokens, `toolUsePromptTokenCount` stands
beside it, thoughts stand beside candidates. Every chunk of a stream repeats it, the last stands. A stream is SSE with
`alt=sse` and one JSON array without; the end of the body is its only end, a reason to finish says that it was meant.
"""

import json
import re
from typing import Any
from urllib.parse import unquote

import attrs
import msgspec

from agentgateway.domain.usage import Usage
from agentgateway.providers import lenient, splice
from agentgateway.providers.dialect import Asked, Reading, Surface, count, name, tier
from agentgateway.providers.lenient import Count, Counts

_STATUSES = {
    "unknown_agent": (401, "UNAUTHENTICATED"),
    "bad_key": (401, "UNAUTHENTICATED"),
    "agent_paused": (403, "PERMISSION_DENIED"),
    "policy_denied": (403, "PERMISSION_DENIED"),
    "rate_limited": (429, "RESOURCE_EXHAUSTED"),
    "budget_exceeded": (402, "RESOURCE_EXHAUSTED"),
    "circuit_open": (503, "UNAVAILABLE"),
    "unpriced_model": (402, "FAILED_PRECONDITION"),
    "bad_request": (400, "INVALID_ARGUMENT"),
    "upstream_unreachable": (502, "UNAVAILABLE"),
    "upstream_timeout": (504, "DEADLINE_EXCEEDED"),
    "draining": (503, "UNAVAILABLE"),
    "overloaded": (503, "UNAVAILABLE"),
}
_MODEL = re.compile(r"/(?:models|tunedModels)/([^/:?]+)")


class GoogleDialect:
    """Errors as Google's API words them."""

    name = "google"

    def refusal(self, status: int, reason: str, message: str, call_id: str) -> bytes:
        """`{"error": {"code", "message", "status"}}`."""
        usual, word = _STATUSES.get(reason, (500, "INTERNAL"))
        return json.dumps({"error": {"code": status or usual, "message": message, "status": word}}).encode("ascii")

    def error_event(self, reason: str, message: str, call_id: str) -> bytes:
        """The same as an event."""
        return b"data: " + self.refusal(0, reason, message, call_id) + b"\n\n"


GOOGLE = GoogleDialect()


class _Modality(Counts):
    modality: str | None = None
    tokenCount: Count = None


class Metadata(Counts):
    """Google's usage object; embeddings spell `promptTokenDetails`."""

    promptTokenCount: Count = None
    cachedContentTokenCount: Count = None
    candidatesTokenCount: Count = None
    thoughtsTokenCount: Count = None
    toolUsePromptTokenCount: Count = None
    promptTokensDetails: list[_Modality] | None = None
    promptTokenDetails: list[_Modality] | None = None
    toolUsePromptTokensDetails: list[_Modality] | None = None
    cacheTokensDetails: list[_Modality] | None = None
    candidatesTokensDetails: list[_Modality] | None = None
    serviceTier: Any = None


class _Part(msgspec.Struct):
    text: Any = None
    functionCall: Any = None
    executableCode: Any = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct):
    content: _Content | None = None
    finishReason: Any = None


class _Feedback(msgspec.Struct):
    blockReason: Any = None


class _Chunk(msgspec.Struct):
    candidates: list[_Candidate] | None = None
    usageMetadata: Metadata | None = None
    modelVersion: Any = None
    promptFeedback: _Feedback | None = None
    error: Any = None
    finishReason: Any = None
    """Only in what was saved from a torn chunk."""


class _Ask(msgspec.Struct):
    generationConfig: Any = None
    generation_config: Any = None
    serviceTier: Any = None
    service_tier: Any = None


_chunk = msgspec.json.Decoder(_Chunk).decode
_chunks = msgspec.json.Decoder(list[msgspec.Raw]).decode
_ask = msgspec.json.Decoder(_Ask).decode


@attrs.frozen(slots=True)
class Content(Surface):
    """`:generateContent`, `:streamGenerateContent`, `:embedContent`, `:batchEmbedContents`, `:countTokens`."""

    generates: bool = True

    def understand(self, path: str, body: bytes) -> Asked:
        """See Surface. Model and streaming are in the path."""
        ask = lenient.parsed(_ask, _Ask, body)
        if ask is None:
            return Asked(well_formed=False)
        found = _MODEL.search(path)
        config = ask.generationConfig if isinstance(ask.generationConfig, dict) else ask.generation_config
        config = config if isinstance(config, dict) else {}
        most = count(config.get("maxOutputTokens", config.get("max_output_tokens")))
        choices = max(1, count(config.get("candidateCount", config.get("candidate_count"))) or 1)
        return Asked(
            unquote(found[1]) if found else None,
            ":streamGenerateContent" in path,
            None if most is None else most * choices,
            False,
            tier(ask.serviceTier or ask.service_tier) or None,
            choices=choices,
        )

    def cuttable(self, uri: str, asked: Asked) -> bool:
        """See Surface. Without `alt=sse` a stream is one JSON array."""
        return asked.stream and "alt=sse" in uri

    def lower_limit(self, body: bytes, limit: int) -> bytes:
        """See Surface. The member is `generationConfig.maxOutputTokens`, in the spelling the request uses."""
        ask = lenient.parsed(_ask, _Ask, body)
        if ask is None or not self.generates:
            return body
        outer = "generation_config" if ask.generationConfig is None and ask.generation_config else "generationConfig"
        config = getattr(ask, outer)
        config = config if isinstance(config, dict) else {}
        choices = max(1, count(config.get("candidateCount", config.get("candidate_count"))) or 1)
        inner = "max_output_tokens" if "max_output_tokens" in config else "maxOutputTokens"
        return splice.put(body, (outer, inner), b"%d" % max(1, limit // choices))

    def read_whole(self, body: bytes, reading: Reading) -> None:
        """See Surface. A JSON array is a stream that was asked for without `alt=sse`."""
        if body.lstrip()[:1] == b"[":
            try:
                chunks = _chunks(body)
            except (ValueError, RecursionError):
                chunks = [msgspec.Raw(body)]
            for chunk in chunks:
                self.read_event(bytes(chunk), reading)
        else:
            self.read_event(body, reading)

    def read_event(self, data: bytes, reading: Reading) -> None:
        """See Surface."""
        chunk = lenient.decoded(_chunk, _Chunk, data, reading)
        if chunk is None:
            return
        reading.model = name(chunk.modelVersion) or reading.model
        for candidate in chunk.candidates or ():
            reading.terminal |= bool(candidate.finishReason)
            if candidate.content is not None and candidate.content.parts:
                reading.sent_chars += sum(map(_written, candidate.content.parts))
        reading.terminal |= bool(chunk.finishReason)
        if chunk.promptFeedback is not None and chunk.promptFeedback.blockReason:
            reading.terminal = True
        if chunk.usageMetadata is not None:
            take(chunk.usageMetadata, reading)
        reading.failed |= bool(chunk.error)


def _written(part: _Part) -> int:
    if isinstance(part.text, str):
        return len(part.text)
    return lenient.written(part.functionCall) + lenient.written(part.executableCode)


def take(metadata: Metadata, reading: Reading) -> None:
    """Let `metadata` stand as the whole usage; where it says no prompt it says nothing."""
    if metadata.promptTokenCount is None:
        return
    reading.known = True
    prompt = metadata.promptTokenCount + (metadata.toolUsePromptTokenCount or 0)
    cached = metadata.cachedContentTokenCount or 0
    if cached > prompt:
        reading.odd, cached = True, prompt
    thoughts = metadata.thoughtsTokenCount or 0
    reading.usage = usage = Usage(prompt - cached, (metadata.candidatesTokenCount or 0) + thoughts, cached)
    usage.reported_input = prompt
    usage.reasoning = thoughts
    if not (
        _text_only(metadata.promptTokensDetails)
        and _text_only(metadata.candidatesTokensDetails)
        and _text_only(metadata.toolUsePromptTokensDetails)
        and _text_only(metadata.promptTokenDetails)
    ):
        _take_kinds(metadata, usage)
    if metadata.serviceTier is not None:
        reading.context = tier(metadata.serviceTier)


def _take_kinds(metadata: Metadata, usage: Usage) -> None:
    """Audio, images (documents count as such) and video; cached ones are no input, and no part exceeds its whole."""
    details = (metadata.promptTokensDetails or metadata.promptTokenDetails or []) + (
        metadata.toolUsePromptTokensDetails or []
    )
    cached = metadata.cacheTokensDetails or []
    output = metadata.candidatesTokensDetails or []
    usage.cache_read_audio = min(_of(cached, "AUDIO"), usage.cache_read)
    usage.cache_read_image = min(_of(cached, "IMAGE", "DOCUMENT"), usage.cache_read - usage.cache_read_audio)
    left = usage.input
    usage.input_audio = min(max(0, _of(details, "AUDIO") - usage.cache_read_audio), left)
    left -= usage.input_audio
    usage.input_image = min(max(0, _of(details, "IMAGE", "DOCUMENT") - usage.cache_read_image), left)
    usage.input_video = min(max(0, _of(details, "VIDEO") - _of(cached, "VIDEO")), left - usage.input_image)
    usage.output_audio = min(_of(output, "AUDIO"), usage.output)
    usage.output_image = min(_of(output, "IMAGE", "DOCUMENT"), usage.output - usage.output_audio)
    usage.output_video = min(_of(output, "VIDEO"), usage.output - usage.output_audio - usage.output_image)


def _text_only(details: list[_Modality] | None) -> bool:
    return not details or (len(details) == 1 and details[0].modality == "TEXT")


def _of(details: list[_Modality], *modalities: str) -> int:
    return sum(detail.tokenCount or 0 for detail in details if detail.modality in modalities)


GENERATE = Content(GOOGLE, "chat", ends=True)
EMBED = Content(GOOGLE, "embeddings", generates=False)
COUNT_TOKENS = Content(GOOGLE, "count_tokens", billable=False)
FREE = Surface(GOOGLE, "other", billable=False)
