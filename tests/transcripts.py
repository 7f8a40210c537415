"""Recorded exchanges with real providers, where the folder that holds them lies beside the checkout."""

import json
from functools import cache
from pathlib import Path

import attrs

from agentgateway.config.schema import Provider

FOLDER = Path(__file__).resolve().parents[2] / "shared" / "transcripts"

PROVIDERS = {
    provider.name: provider
    for provider in (
        Provider("anthropic", "anthropic", "https://api.anthropic.com"),
        Provider("openai", "openai", "https://api.openai.com"),
        Provider("google", "google", "https://generativelanguage.googleapis.com"),
        Provider("groq", "openai", "https://api.groq.com/openai"),
        Provider("mistral", "openai", "https://api.mistral.ai"),
        Provider("openrouter", "openai", "https://openrouter.ai/api"),
        Provider("deepseek", "openai", "https://api.deepseek.com"),
        Provider("cerebras", "openai", "https://api.cerebras.ai"),
        Provider("cohere", "openai", "https://api.cohere.com"),
    )
}


@attrs.frozen
class Expected:
    """What an exchange used: `cost` in dollars as text, None where no price is known."""

    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    model: str | None
    cost: str | None


@attrs.frozen
class Exchange:
    """One recorded call; bodies are the bytes as sent."""

    id: str
    provider: Provider
    path: str
    streaming: bool
    request: bytes
    status: int
    response: bytes
    expected: Expected | None


@cache
def exchanges() -> tuple[Exchange, ...] | None:
    """All of them in file order, or None where the folder is absent."""
    if not FOLDER.is_dir():
        return None
    expected = json.loads((FOLDER / "expected.json").read_text())
    lines = [line for name in sorted(FOLDER.glob("*.jsonl")) for line in name.read_text().splitlines()]
    return tuple(_exchange(json.loads(line), expected) for line in lines)


def _exchange(record: dict, expected: dict) -> Exchange:
    said = expected[record["id"]]
    return Exchange(
        record["id"],
        PROVIDERS[record["provider"]],
        record["path"],
        record["streaming"],
        (record["request"]["body"] or "").encode(),
        record["response"]["status"],
        record["response"]["body"].encode(),
        None if said is None else Expected(**said),
    )
