"""Which kind of call a path is: the one place that lists all providers.

A new provider is one file beside this one and a line here. Paths are told by how they end, so that any prefix does
(`/v1`, `/openai/v1`, `/api/v1`, none); the provider's `api` decides where the path does not.
"""

from collections.abc import Mapping
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import unquote

from agentgateway.providers import anthropic, cohere, google, ollama, openai, responses
from agentgateway.providers.dialect import Dialect, Surface
from agentgateway.providers.openai_errors import OPENAI
from agentgateway.providers.passing import passing

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {"anthropic": anthropic.ANTHROPIC, "openai": OPENAI, "google": google.GOOGLE}
)
"""Dialects by the name `providers.<name>.api` gives them."""

_ENDINGS: tuple[tuple[str, Surface], ...] = (
    ("/messages/count_tokens", anthropic.COUNT_TOKENS),
    ("/messages/batches", anthropic.FREE),
    ("/messages", anthropic.MESSAGES),
    ("/chat/completions", openai.CHAT),
    ("/completions", openai.COMPLETION),
    ("/embeddings", openai.EMBEDDINGS),
    ("/responses/compact", responses.COMPACT),
    ("/responses/input_tokens", responses.INPUT_TOKENS),
    ("/responses", responses.RESPONSES),
    ("/api/chat", ollama.CHAT),
    ("/api/generate", ollama.CHAT),
    ("/api/embed", ollama.EMBED),
    ("/v2/chat", cohere.CHAT),
    ("/v1/chat", cohere.CHAT),
    ("/v2/embed", cohere.EMBED),
    ("/v1/embed", cohere.EMBED),
)
_ACTIONS: Mapping[str, Surface] = {
    "generateContent": google.GENERATE,
    "streamGenerateContent": google.GENERATE,
    "embedContent": google.EMBED,
    "batchEmbedContents": google.EMBED,
    "countTokens": google.COUNT_TOKENS,
}
_FREE = {
    "anthropic": anthropic.FREE,
    "openai": openai.FREE,
    "google": google.FREE,
}
_PASSING = {api: passing(dialect) for api, dialect in DIALECTS.items()}
_FREE_SEGMENTS = frozenset(
    (
        *("files", "uploads", "batches", "models", "tunedModels", "fine_tuning", "moderations", "cancel"),
        *("vector_stores", "fileSearchStores", "cachedContents", "containers", "conversations", "assistants"),
        *("tokenize", "detokenize", "client_secrets"),
    )
)
_READING = frozenset({"GET", "HEAD", "DELETE", "OPTIONS"})
_LONGEST = 256
_KEPT = 1024


def surface(method: str, path: str, api: str) -> Surface:
    """What kind of call this is; `path` may carry a query, `api` is the provider's. Never raises."""
    path = path.partition("?")[0]
    return _surface(method, path, api) if len(path) <= _LONGEST else _surface.__wrapped__(method, path, api)


def dialect_of(path: str, api: str) -> Dialect:
    """The dialect a caller of `path` expects errors in; `api` counts where the path does not tell."""
    return surface("POST", path, api).dialect


@lru_cache(_KEPT)
def _surface(method: str, path: str, api: str) -> Surface:
    path = unquote(path).rstrip("/")
    named = _named(path)
    family = named.dialect.name if named is not None else _family(path, api)
    if method in _READING:
        return _FREE[family]
    if named is not None:
        return named
    segments = set(path.split("/"))
    return _FREE[family] if segments & _FREE_SEGMENTS and ":" not in path else _PASSING[family]


def _named(path: str) -> Surface | None:
    """The surface whose ending this path has."""
    action = path.rpartition("/")[2].rpartition(":")[2]
    if action in _ACTIONS and ":" in path:
        return _ACTIONS[action]
    return next((known for ending, known in _ENDINGS if path.endswith(ending)), None)


def _family(path: str, api: str) -> str:
    if "/messages/" in path:
        return "anthropic"
    if "/v1beta/" in path and "/openai/" not in path:
        return "google"
    return api if api in DIALECTS else "openai"
