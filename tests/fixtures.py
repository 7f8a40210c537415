"""Small exchanges of our own in every dialect and shape, with what each of them used and costs."""

import json

import attrs

from agentgateway.config.schema import Api, Provider
from agentgateway.domain.usage import Usage


@attrs.frozen
class Fixture:
    """One call: `usage` is what must be read from the answer, `final` whether its stream says that it is over."""

    name: str
    api: Api
    path: str
    request: bytes
    answer: bytes
    usage: Usage
    model: str | None
    stream: bool = False
    written: int = 0
    """Characters of output its stream delivers."""

    @property
    def provider(self) -> Provider:
        """A provider of this dialect."""
        return Provider(self.api, self.api, "http://127.0.0.1:1")


def sse(*events: object, named: bool = False, done: bool = False) -> bytes:
    """A stream of `events`; `named` gives each its type as the event's name, `done` adds `[DONE]`."""
    blocks = []
    for event in events:
        head = f"event: {event['type']}\n" if named and isinstance(event, dict) else ""
        blocks.append(f"{head}data: {json.dumps(event)}\n\n")
    return ("".join(blocks) + ("data: [DONE]\n\n" if done else "")).encode()


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


_CLAUDE = "claude-sonnet-4-5-20250929"
_CLAUDE_USAGE = {
    "input_tokens": 40,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 2000,
    "cache_creation": {"ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200},
    "output_tokens": 25,
    "service_tier": "standard",
}
_CLAUDE_READ = Usage(input=40, output=25, cache_read=2000, cache_write=100, cache_write_1h=200, reported_input=40)

ANTHROPIC_WHOLE = Fixture(
    "anthropic whole",
    "anthropic",
    "/v1/messages",
    _json({"model": "claude-sonnet-4-5", "max_tokens": 50, "messages": [{"role": "user", "content": "hi"}]}),
    _json(
        {
            "type": "message",
            "model": _CLAUDE,
            "content": [{"type": "text", "text": 'has "usage" in it'}],
            "usage": _CLAUDE_USAGE,
        }
    ),
    _CLAUDE_READ,
    _CLAUDE,
)
ANTHROPIC_STREAM = Fixture(
    "anthropic stream",
    "anthropic",
    "/v1/messages?beta=true",
    _json({"model": "claude-sonnet-4-5", "max_tokens": 50, "stream": True, "messages": []}),
    sse(
        {"type": "message_start", "message": {"model": _CLAUDE, "usage": {**_CLAUDE_USAGE, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hmm, so"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "good day"}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "input_json_delta", "partial_json": '{"a":1}'}},
        {"type": "content_block_stop", "index": 2},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"input_tokens": 40, "cache_creation_input_tokens": 300, "output_tokens": 25},
        },
        {"type": "message_stop"},
        named=True,
    ),
    _CLAUDE_READ,
    _CLAUDE,
    stream=True,
    written=22,
)
_GPT = "gpt-4o-2024-08-06"
_GPT_USAGE = {
    "prompt_tokens": 120,
    "completion_tokens": 30,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 64, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 12, "audio_tokens": 0},
}
_GPT_READ = Usage(input=56, output=30, cache_read=64, reasoning=12, reported_input=120)
CHAT_WHOLE = Fixture(
    "openai chat whole",
    "openai",
    "/v1/chat/completions",
    _json({"model": "gpt-4o", "messages": [{"role": "user", "content": "hi"}]}),
    _json(
        {
            "model": _GPT,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "hello"}, "finish_reason": "stop"}],
            "usage": _GPT_USAGE,
            "service_tier": "default",
        }
    ),
    _GPT_READ,
    _GPT,
)


def _chunk(delta: object, **more: object) -> dict[str, object]:
    return {"object": "chat.completion.chunk", "model": _GPT, "choices": [{"index": 0, "delta": delta}], **more}


CHAT_STREAM = Fixture(
    "openai chat stream",
    "openai",
    "/v1/chat/completions",
    _json({"model": "gpt-4o", "stream": True, "stream_options": {"include_usage": True}, "messages": []}),
    sse(
        _chunk({"role": "assistant", "content": ""}, usage=None),
        _chunk({"reasoning_content": "let me see"}, usage=None),
        _chunk({"content": "hé"}, usage=None),
        _chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]}, usage=None),
        {"model": _GPT, "choices": [], "usage": _GPT_USAGE},
        done=True,
    ),
    _GPT_READ,
    _GPT,
    stream=True,
    written=20,
)
GROQ_STREAM = Fixture(
    "groq stream",
    "openai",
    "/openai/v1/chat/completions",
    _json({"model": "openai/gpt-oss-120b", "stream": True, "messages": []}),
    sse(
        _chunk({"reasoning": "We"}, model="openai/gpt-oss-120b"),
        _chunk({}, model="openai/gpt-oss-120b", x_groq={"usage": {"prompt_tokens": 10, "completion_tokens": 2}}),
        done=True,
    ),
    Usage(input=10, output=2, reported_input=10),
    "openai/gpt-oss-120b",
    stream=True,
    written=2,
)
DEEPSEEK_WHOLE = Fixture(
    "deepseek whole",
    "openai",
    "/chat/completions",
    _json({"model": "deepseek-chat", "messages": []}),
    _json(
        {
            "model": "deepseek-chat",
            "choices": [{"message": {"content": "a"}}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 4, "total_tokens": 10},
        }
    ),
    Usage(input=5, output=1, cache_read=4, reported_input=9),
    "deepseek-chat",
)
EMBEDDINGS = Fixture(
    "openai embeddings",
    "openai",
    "/v1/embeddings",
    _json({"model": "text-embedding-3-small", "input": "hi"}),
    _json(
        {
            "model": "text-embedding-3-small",
            "data": [{"embedding": [0.1, 0.2]}],
            "usage": {"prompt_tokens": 8, "total_tokens": 8},
        }
    ),
    Usage(input=8, reported_input=8),
    "text-embedding-3-small",
)
_RESPONSE_USAGE = {
    "input_tokens": 90,
    "input_tokens_details": {"cached_tokens": 10},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 110,
}
_RESPONSE_READ = Usage(input=80, output=20, cache_read=10, reasoning=5, reported_input=90)
RESPONSES_WHOLE = Fixture(
    "openai responses whole",
    "openai",
    "/v1/responses",
    _json({"model": "gpt-4o", "input": "hi"}),
    _json({"model": _GPT, "status": "completed", "error": None, "output": [], "usage": _RESPONSE_USAGE}),
    _RESPONSE_READ,
    _GPT,
)
RESPONSES_STREAM = Fixture(
    "openai responses stream",
    "openai",
    "/v1/responses",
    _json({"model": "gpt-4o", "input": "hi", "stream": True}),
    sse(
        {"type": "response.created", "response": {"model": _GPT, "status": "in_progress", "usage": None}},
        {"type": "response.reasoning_summary_text.delta", "delta": "thinking"},
        {"type": "response.output_text.delta", "delta": "good"},
        {"type": "response.output_text.done", "text": "good"},
        {"type": "response.completed", "response": {"model": _GPT, "status": "completed", "usage": _RESPONSE_USAGE}},
        named=True,
    ),
    _RESPONSE_READ,
    _GPT,
    stream=True,
    written=12,
)
_GEMINI_USAGE = {
    "promptTokenCount": 500,
    "cachedContentTokenCount": 100,
    "candidatesTokenCount": 30,
    "thoughtsTokenCount": 70,
    "toolUsePromptTokenCount": 50,
    "totalTokenCount": 650,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 300}, {"modality": "AUDIO", "tokenCount": 200}],
    "cacheTokensDetails": [{"modality": "AUDIO", "tokenCount": 40}, {"modality": "TEXT", "tokenCount": 60}],
    "serviceTier": "standard",
}
_GEMINI_READ = Usage(
    input=450, output=100, cache_read=100, reasoning=70, reported_input=550, input_audio=160, cache_read_audio=40
)


def _candidate(text: str, usage: object, **more: object) -> dict[str, object]:
    content = {"role": "model", "parts": [{"text": text}]}
    return {
        "candidates": [{"content": content, **more}],
        "usageMetadata": usage,
        "modelVersion": "gemini-2.5-flash",
    }


_GEMINI_CHUNKS = (
    _candidate("good", {"promptTokenCount": 500, "totalTokenCount": 500}),
    _candidate(" day", _GEMINI_USAGE, finishReason="STOP"),
)
GOOGLE_WHOLE = Fixture(
    "google whole",
    "google",
    "/v1beta/models/gemini-2.5-flash:generateContent",
    _json({"contents": []}),
    _json(_candidate("good day", _GEMINI_USAGE, finishReason="STOP")),
    _GEMINI_READ,
    "gemini-2.5-flash",
)
GOOGLE_STREAM = Fixture(
    "google stream",
    "google",
    "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    _json({"contents": []}),
    sse(*_GEMINI_CHUNKS).replace(b"\n", b"\r\n"),
    _GEMINI_READ,
    "gemini-2.5-flash",
    stream=True,
    written=8,
)
GOOGLE_ARRAY = Fixture(
    "google array",
    "google",
    "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
    _json({"contents": []}),
    json.dumps(_GEMINI_CHUNKS, indent=2).encode(),
    _GEMINI_READ,
    "gemini-2.5-flash",
)
COHERE_WHOLE = Fixture(
    "cohere whole",
    "openai",
    "/v2/chat",
    _json({"model": "command-r-plus", "messages": []}),
    _json(
        {
            "message": {"content": [{"type": "text", "text": "hi"}]},
            "usage": {
                "billed_units": {"input_tokens": 5, "output_tokens": 2},
                "tokens": {"input_tokens": 500, "output_tokens": 4},
            },
        }
    ),
    Usage(input=5, output=2, reported_input=5),
    None,
)
COHERE_STREAM = Fixture(
    "cohere stream",
    "openai",
    "/v2/chat",
    _json({"model": "command-r-plus", "stream": True, "messages": []}),
    sse(
        {"type": "message-start", "id": "1"},
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "hi you"}}}},
        {"type": "message-end", "delta": {"usage": {"billed_units": {"input_tokens": 5, "output_tokens": 2}}}},
        named=True,
    ),
    Usage(input=5, output=2, reported_input=5),
    None,
    stream=True,
    written=6,
)
OLLAMA_LINES = Fixture(
    "ollama lines",
    "openai",
    "/api/chat",
    _json({"model": "llama3.1", "messages": []}),
    b'{"model":"llama3.1","message":{"content":"good"},"done":false}\n'
    b'{"model":"llama3.1","message":{"content":" day"},"done":false}\n'
    b'{"model":"llama3.1","message":{"content":""},"done":true,"prompt_eval_count":26,"eval_count":3}\n',
    Usage(input=26, output=3, reported_input=26),
    "llama3.1",
)
IMAGES = Fixture(
    "openai images",
    "openai",
    "/v1/images/generations",
    _json({"model": "gpt-image-1", "prompt": "a gate"}),
    _json(
        {
            "data": [{"b64_json": "aaaa"}],
            "usage": {
                "input_tokens": 50,
                "input_tokens_details": {"text_tokens": 10, "image_tokens": 40},
                "output_tokens": 1056,
                "total_tokens": 1106,
            },
        }
    ),
    Usage(input=50, output=1056, reported_input=50, input_image=40),
    None,
)

ALL = tuple(value for value in list(globals().values()) if isinstance(value, Fixture))
STREAMS = tuple(fixture for fixture in ALL if fixture.stream)
