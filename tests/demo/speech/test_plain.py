"""Tests of models, embeddings and files, as the official clients read them."""

import anthropic
import openai

from tests.demo.doubles import Served


class ClientTests(Served):
    """The official clients against the stand-in."""

    async def test_models(self):
        """Both clients can list models."""

        def both(url):
            ours = openai.OpenAI(base_url=url + "/v1", api_key="k").models.list()
            theirs = anthropic.Anthropic(base_url=url, api_key="k").models.list()
            return [model.id for model in ours], [model.id for model in theirs]

        ours, theirs = await self.serve(both)
        self.assertIn("gpt-4o", ours)
        self.assertEqual(ours, theirs)

    async def test_embeddings(self):
        """Base64 and plain numbers are the same vectors, one for each input, and there is no output to pay for."""

        def both(url):
            embeddings = openai.OpenAI(base_url=url + "/v1", api_key="k").embeddings
            call = {"model": "text-embedding-3-small", "input": ["a", "b"], "dimensions": 8}
            return embeddings.create(**call), embeddings.create(**call, encoding_format="float")

        coded, plain = await self.serve(both)
        self.assertEqual([len(item.embedding) for item in plain.data], [8, 8])
        for one, other in zip(coded.data, plain.data, strict=True):
            for a, b in zip(one.embedding, other.embedding, strict=True):
                self.assertAlmostEqual(a, b, places=6)
        self.assertEqual(self.standin.served.output_tokens, 0)
        self.assertGreater(self.standin.served.input_tokens, 0)

    async def test_upload(self):
        """An upload's receipt has the size and digest of the whole body, as the books have it."""
        data = bytes(range(256)) * 2000

        def upload(url):
            return openai.OpenAI(base_url=url + "/v1", api_key="k").files.create(file=data, purpose="user_data")

        receipt = await self.serve(upload)
        record = self.standin.served.recent[-1]
        self.assertGreater(receipt.bytes, len(data))
        self.assertEqual((receipt.bytes, receipt.sha256), (record.body_length, record.body_sha256))
