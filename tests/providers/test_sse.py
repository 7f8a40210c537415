"""Tests of taking event streams apart, and single events out of them."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.providers.sse import HEAD, LIMIT, TAIL, Events, Stripper, event_data

LINES = st.sampled_from(
    [
        "data: one",
        "data:two",
        "data",
        "data:",
        "data:  padded",
        ": comment",
        "event: name",
        "id: 7",
        "dataless: x",
        "",
        "",
    ]
)
ENDS = st.sampled_from(["\n", "\r\n", "\r"])
USAGE = 'data: {"choices":[],"usage":{"prompt_tokens":1}}'


@st.composite
def streams(draw: st.DrawFn, lines: st.SearchStrategy[str] = LINES) -> bytes:
    """Any text made of lines that mean something in a stream, with any mixture of line ends."""
    text = "".join(draw(lines) + draw(ENDS) for _ in range(draw(st.integers(0, 14))))
    return (draw(st.sampled_from(["", "\ufeff"])) + text + draw(st.sampled_from(["", "data: cut off"]))).encode()


def cut(draw: st.DataObject, text: bytes) -> list[bytes]:
    """`text` in arbitrary pieces."""
    points = [0, *sorted(draw.draw(st.lists(st.integers(0, len(text)), max_size=8))), len(text)]
    return [text[a:b] for a, b in zip(points, points[1:])]  # noqa: B905, RUF007


def blocks(text: bytes) -> list[bytes]:
    """The events of a text as they stand there, each with the blank line that ends it."""
    parts = re.split(rb"((?:\r\n|\n|\r(?!\n))(?:\r\n|\n|\r))", text)
    return [b"".join(parts[at : at + 2]) for at in range(0, len(parts), 2)]


def by_the_book(text: bytes) -> list[bytes]:
    """The standard's rules, line by line, but for handing out the event that the end cuts off."""
    lines = re.split(r"\r\n|\n|\r", text.decode().removeprefix("\ufeff"))
    events: list[bytes] = []
    data: list[str] | None = None
    for line in [*lines, ""]:
        if not line:
            if data is not None:
                events.append("\n".join(data).encode())
            data = None
            continue
        field, colon, value = line.partition(":")
        if field == "data":
            data = [*(data or []), value.removeprefix(" ") if colon else ""]
    return events


class Splitting(SynchronousTestCase):
    """From bytes to events."""

    @settings(max_examples=400, deadline=None)
    @given(st.data(), streams())
    def test_any_text_any_cut(self, data: st.DataObject, text: bytes) -> None:
        """Any cut of any text gives the events that the standard says."""
        events = Events()
        got = [event for piece in cut(data, text) for event in events.feed(piece)] + events.end()
        self.assertEqual(got, by_the_book(text))

    def test_usual_chunks(self) -> None:
        """Whole events come out at once, in order."""
        events = Events()
        self.assertEqual(events.feed(b'event: a\ndata: {"x":1}\n\ndata: [DONE]\n\n'), [b'{"x":1}', b"[DONE]"])
        self.assertEqual((events.feed(b": ping\n\n"), events.feed(b""), events.end()), ([], [], []))

    def test_event_without_end(self) -> None:
        """An event that never ends takes a bounded amount of memory; its head and tail survive."""
        events = Events()
        events.feed(b"data: begin")
        for _ in range(40):
            self.assertEqual(events.feed(b"x" * 262_144), [])
            self.assertLessEqual(len(events._carry), LIMIT)
        torn, second = events.feed(b"the end\n\ndata: next\n\n")
        self.assertTrue(torn.startswith(b"data: begin") and torn.endswith(b"the end"))
        self.assertLessEqual(len(torn), HEAD + TAIL)
        self.assertEqual(second, b"next")

    def test_inside(self) -> None:
        """Between events the stream stands outside, within one inside."""
        events = Events()
        seen = []
        for piece in (b"", b"data: a", b"\n", b"\n", b"\r\n", b": c"):
            events.feed(piece)
            seen.append(events.inside)
        self.assertEqual(seen, [False, True, True, False, False, True])

    def test_data_of_a_block(self) -> None:
        """Lines without data make no event; an empty data line makes an empty one."""
        self.assertIsNone(event_data(b"event: x"))
        self.assertEqual(event_data(b"data"), b"")
        self.assertEqual(event_data(b"event: data:\nid: 1"), None)


class Stripping(SynchronousTestCase):
    """Taking events out."""

    @settings(max_examples=400, deadline=None)
    @given(st.data(), streams(LINES | st.just(USAGE)))
    def test_any_cut(self, data: st.DataObject, text: bytes) -> None:
        """However the text is cut, what passes is the text without the unwanted events, byte for byte."""
        self.strips(cut(data, text))

    def strips(self, parts: list[bytes]) -> None:
        """One text in parts. Blank lines before an event that is taken out mean nothing: they may have gone on already."""
        stripper = Stripper(lambda event: b'"usage"' in event)
        passed = b"".join(map(stripper.feed, parts)) + stripper.end()
        wanted = b"".join(block for block in blocks(b"".join(parts)) if USAGE.encode() not in block)
        if passed != wanted:
            plain = [b"".join(block.lstrip(b"\r\n") for block in blocks(text)) for text in (passed, wanted)]
            self.assertEqual(*plain)

    def test_blank_lines(self) -> None:
        """One blank line more than there need be changes nothing, wherever the text is cut."""
        usage = USAGE.encode()
        for parts in ([b"data\n\n\n", usage + b"\n\n"], [b"data\n\r\n\n", b"data\r" + usage, b"\r\n\r\n"]):
            self.strips(parts)

    def test_passes_at_once(self) -> None:
        """Whole events that are wanted are not even copied."""
        stripper = Stripper(lambda event: True)
        chunk = b'data: {"choices":[{"delta":{}}]}\n\n'
        self.assertIs(stripper.feed(chunk), chunk)

    def test_an_event_too_long(self) -> None:
        """What is held back is bounded: a longer event passes."""
        stripper = Stripper(lambda event: True)
        self.assertEqual(stripper.feed(b"data: x"), b"")
        self.assertEqual(len(stripper.feed(b"y" * 70_000)), 70_007)
        self.assertEqual(stripper.feed(b"z\n\n"), b"z\n\n")
