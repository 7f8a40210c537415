"""Tests of telling kinds of calls by their paths."""

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.providers.known import DIALECTS, _surface, dialect_of, surface


class Paths(SynchronousTestCase):
    """Which call is what."""

    def test_paid_calls(self) -> None:
        """Paid calls are known by how their path ends, whatever goes before it."""
        for path, dialect, operation in (
            ("/v1/messages", "anthropic", "chat"),
            ("/v1/messages?beta=true", "anthropic", "chat"),
            ("/v1/mess%61ges", "anthropic", "chat"),
            ("/v1/chat/completions", "openai", "chat"),
            ("/chat/completions", "openai", "chat"),
            ("/openai/v1/chat/completions/", "openai", "chat"),
            ("/api/v1/chat/completions", "openai", "chat"),
            ("/v1beta/openai/chat/completions", "openai", "chat"),
            ("/v1/completions", "openai", "completion"),
            ("/v1/embeddings", "openai", "embeddings"),
            ("/v1/responses", "openai", "chat"),
            ("/responses", "openai", "chat"),
            ("/v1/responses/compact", "openai", "chat"),
            ("/v1beta/models/gemini-2.5-pro:generateContent", "google", "chat"),
            ("/v1/projects/p/publishers/google/models/g:streamGenerateContent", "google", "chat"),
            ("/v1beta/models/e:batchEmbedContents", "google", "embeddings"),
            ("/v1beta/models/e:embedContent", "google", "embeddings"),
            ("/v2/chat", "openai", "chat"),
            ("/v2/embed", "openai", "embeddings"),
            ("/api/chat", "openai", "chat"),
        ):
            found = surface("POST", path, "openai")
            self.assertEqual((found.dialect.name, found.operation), (dialect, operation), path)
            self.assertTrue(found.billable and found.owed, path)
            self.assertEqual(dialect_of(path, "openai").name, dialect, path)

    def test_free_calls(self) -> None:
        """Reading, deleting, counting and managing are free."""
        for method, path in (
            ("GET", "/v1/models"),
            ("HEAD", "/"),
            ("DELETE", "/v1/files/f"),
            ("OPTIONS", "/v1/messages"),
            ("GET", "/v1/responses/resp_1"),
            ("POST", "/v1/messages/count_tokens?beta=true"),
            ("POST", "/v1/messages/batches"),
            ("POST", "/v1/messages/batches/b/cancel"),
            ("POST", "/v1/responses/input_tokens"),
            ("POST", "/v1/responses/r/cancel"),
            ("POST", "/v1beta/models/g:countTokens"),
            ("POST", "/v1/files"),
            ("POST", "/upload/v1beta/files"),
            ("POST", "/v1/uploads/u/parts"),
            ("POST", "/v1/batches"),
            ("POST", "/v1/tokenize"),
            ("POST", "/v1beta/cachedContents"),
            ("POST", "/v1beta/fileSearchStores"),
            ("POST", "/v1/vector_stores/v/files"),
            ("POST", "/v1/conversations"),
            ("POST", "/v1/realtime/client_secrets"),
        ):
            self.assertFalse(surface(method, path, "openai").billable, path)

    def test_anything_else(self) -> None:
        """Anything else passes, and is paid for if its answer says so."""
        for path in ("/v1/images/generations", "/v1/audio/speech", "/v1/rerank", "/", "/v1beta/models/i:predict"):
            found = surface("POST", path, "openai")
            self.assertTrue(found.billable and not found.owed, path)

    def test_dialects(self) -> None:
        """Errors come in the dialect of the path, of the provider where the path tells nothing."""
        for path, api, name in (
            ("/v1/models", "anthropic", "anthropic"),
            ("/v1/models", "google", "google"),
            ("/v1/models", "openai", "openai"),
            ("/v1beta/models", "openai", "google"),
            ("/v1/messages/batches/b", "openai", "anthropic"),
            ("/v1/chat/completions", "google", "openai"),
            ("/what/ever", "no such api", "openai"),
        ):
            self.assertEqual(dialect_of(path, api).name, name, path)
        self.assertEqual(sorted(DIALECTS), ["anthropic", "google", "openai"])
        self.assertIn(b'"type": "error"', dialect_of("/v1/responses", "openai").error_event("draining", "", ""))

    @given(st.text(max_size=400), st.sampled_from(["GET", "POST", "PUT", "get", ""]), st.sampled_from(["openai", "x"]))
    def test_any_path(self, path: str, method: str, api: str) -> None:
        """Any path is some kind of call."""
        self.assertIn(surface(method, path, api).dialect.name, DIALECTS)

    def test_memory(self) -> None:
        """Any number of paths made up by strangers takes a bounded amount of memory."""
        for number in range(3000):
            surface("POST", f"/v1/{number}", "openai")
        surface("POST", "/" + "x" * 60_000, "openai")
        self.assertLessEqual(_surface.cache_info().currsize, 1024)
