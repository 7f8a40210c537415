"""The providers that need no entry in gateway.yaml: a file's provider of the same name inherits what it leaves out.

None has an API key: callers bring their own until the file says otherwise. A base URL stops before the path every
client of the dialect adds by itself (`/v1/messages`, `/v1/chat/completions`, `/v1beta/models/...`).
"""

from collections.abc import Mapping
from types import MappingProxyType

from agentgateway.config.schema import Api, Provider

_URLS: tuple[tuple[str, Api, str], ...] = (
    ("anthropic", "anthropic", "https://api.anthropic.com"),
    ("openai", "openai", "https://api.openai.com"),
    ("google", "google", "https://generativelanguage.googleapis.com"),
    ("groq", "openai", "https://api.groq.com/openai"),
    ("mistral", "openai", "https://api.mistral.ai"),
    ("openrouter", "openai", "https://openrouter.ai/api"),
    ("deepseek", "openai", "https://api.deepseek.com"),
    ("cerebras", "openai", "https://api.cerebras.ai"),
    ("together", "openai", "https://api.together.xyz"),
    ("fireworks", "openai", "https://api.fireworks.ai/inference"),
    ("xai", "openai", "https://api.x.ai"),
    ("cohere", "openai", "https://api.cohere.ai/compatibility"),
    ("ollama", "openai", "http://127.0.0.1:11434"),
    ("vllm", "openai", "http://127.0.0.1:8000"),
)

BUILTIN: Mapping[str, Provider] = MappingProxyType({name: Provider(name, api, url) for name, api, url in _URLS})
"""Built-in providers by name."""
