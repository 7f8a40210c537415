"""Tests of what a caller may ask of the stand-in."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.demo.knobs import FAULTS, BadKnob, Knobs, read_knobs


class KnobsTests(SynchronousTestCase):
    """Knobs in headers and in the model's name."""

    def test_headers(self):
        """Whoever sends the headers gets chunks, pace and fault as asked, whatever other headers say."""
        headers = [
            (b"host", b"h"),
            (b"x-standin-chunks", b"7"),
            (b"x-standin-interval", b"0.5"),
            (b"x-standin-fault", b"gzip"),
        ]
        self.assertEqual(read_knobs(headers, "gpt-4o"), (Knobs(chunks=7, interval=0.5, fault="gzip"), "gpt-4o"))

    def test_in_the_model(self):
        """Who can only choose a model writes the knobs behind its name; the answer names the model alone."""
        self.assertEqual(read_knobs([], "gpt-4o;output=9;fault=stall"), (Knobs(output=9, fault="stall"), "gpt-4o"))

    def test_header_wins(self):
        """Where both speak, the header counts."""
        self.assertEqual(read_knobs([(b"x-standin-bytes", b"2")], "m;bytes=1")[0].bytes, 2)

    def test_status(self):
        """Any error status can be asked for by its number."""
        self.assertEqual(read_knobs([(b"x-standin-fault", b"status-529")])[0].status, 529)
        self.assertEqual(Knobs(fault="stall").status, 0)

    def test_big_line(self):
        """A big line is ten million bytes of text in one piece."""
        knobs, _ = read_knobs([], "m;fault=big-line")
        self.assertEqual((knobs.bytes, knobs.chunks), (10 << 20, 1))

    def test_mistakes(self):
        """A knob that means nothing is refused, not ignored."""
        for wrong in (
            "fault=explode",
            "chunks=0",
            "chunks=x",
            "delay=-1",
            "delay=nan",
            "colour=red",
            "bytes=999999999999",
        ):
            with self.assertRaises(BadKnob, msg=wrong):
                read_knobs([], f"m;{wrong}")

    def test_every_fault_is_accepted(self):
        """All faults that are documented can be asked for."""
        for fault in FAULTS:
            self.assertEqual(read_knobs([(b"x-standin-fault", fault.encode())])[0].fault, fault)
