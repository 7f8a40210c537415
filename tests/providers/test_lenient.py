"""Tests of reading JSON that is not as it should be."""

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.providers.dialect import Reading
from agentgateway.providers.lenient import Count, Counts, decoded, parsed, salvage, written


class Inner(Counts):
    """Counts of a kind."""

    tokens: Count = None


class Outer(msgspec.Struct):
    """An answer with counts in it."""

    model: Any = None
    items: list[Inner] | None = None
    usage: Inner | None = None
    named: str | None = None


class Ask(msgspec.Struct):
    """A request."""

    model: Any = None


decode = msgspec.json.Decoder(Outer).decode
ask = msgspec.json.Decoder(Ask).decode


class Decoding(SynchronousTestCase):
    """Answers."""

    def test_odd_counts(self) -> None:
        """A count that is none is dropped, what stands beside it is kept, and the reading is odd."""
        for odd in (b"-1", b"1.5", b"true", b'"7"', b"1e999", b"NaN", b"9" * 5000, b"[]", b"{}"):
            reading = Reading()
            answer = decoded(decode, Outer, b'{"model":"m","usage":{"tokens":%s}}' % odd, reading)
            assert answer is not None
            self.assertEqual((answer.model, answer.usage, reading.odd), ("m", Inner(), True), odd)

    def test_odd_around_counts(self) -> None:
        """What is wrong elsewhere does not make the usage odd."""
        for text in (
            b'{"named":5,"usage":{"tokens":3}}',
            b'{"x":"\\ud800","usage":{"tokens":3}}',
            b'{"x":NaN,"usage":{"tokens":3}}',
            b'{"x":"\xff","usage":{"tokens":3}}',
            b'{"x": cut off, "usage" : {"tokens":3}, "y"',
        ):
            reading = Reading()
            answer = decoded(decode, Outer, text, reading)
            assert answer is not None and answer.usage is not None
            self.assertEqual((answer.usage.tokens, reading.odd), (3, False), text)

    def test_containers_of_the_wrong_kind(self) -> None:
        """A list in place of an object, or the other way round, is no usage."""
        for text in (b'{"usage":[1]}', b'{"usage":"x"}', b'{"items":{"tokens":1}}', b'{"items":[{"tokens":-1},5]}'):
            reading = Reading()
            answer = decoded(decode, Outer, text, reading)
            self.assertTrue(reading.odd, text)
            self.assertIsNone(answer and answer.usage)

    @given(st.binary(max_size=200))
    def test_junk(self, junk: bytes) -> None:
        """No bytes at all make it raise."""
        decoded(decode, Outer, junk, Reading())
        parsed(ask, Ask, junk)

    def test_nesting_without_end(self) -> None:
        """A text nested a hundred thousand deep is nothing to worry about."""
        deep = b'{"a":' + b"[" * 100_000
        self.assertIsNone(parsed(ask, Ask, deep))
        self.assertIsNotNone(decoded(decode, Outer, deep, Reading()))


class Requests(SynchronousTestCase):
    """Requests."""

    def test_what_parsers_disagree_on(self) -> None:
        """A body that only lenient parsers take is understood; one that is no object is not."""
        for body in (b'{"model":"m","x":NaN}', b'{"model":"m","x":"\\udfff"}'):
            got = parsed(ask, Ask, body)
            assert got is not None
            self.assertEqual(got.model, "m")
        for body in (b"", b"[1]", b"null", b'{"model"', b"\xef\xbb\xbf{}", b"\x1f\x8b"):
            self.assertIsNone(parsed(ask, Ask, body), body)


class Salvaging(SynchronousTestCase):
    """What is found in torn texts."""

    def test_last_usage_first_names(self) -> None:
        """The last usage and the first model stand; a usage within a text is none."""
        text = b'{"model":"a","usage":{"t":1},"model":"b","usage": {"t":2},"text":"\\"usage\\":{\\"t\\":3}" '
        self.assertEqual(salvage(text), {"model": "a", "usage": {"t": 2}})

    def test_cut_usage(self) -> None:
        """A usage that is cut off is none."""
        self.assertEqual(salvage(b'"usage":{"t":1'), {})


class Written(SynchronousTestCase):
    """Counting characters."""

    def test_all_texts(self) -> None:
        """Texts count at any depth, keys and numbers do not, and depth is bounded."""
        self.assertEqual(written({"long key": ["ab", {"x": "çd"}, 5, None]}), 4)
        deep: Any = "x"
        for _ in range(500):
            deep = [deep]
        self.assertEqual(written(deep), 0)
