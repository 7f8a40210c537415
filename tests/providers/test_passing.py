"""Tests of calls of no known kind."""

import json

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.usage import Usage
from agentgateway.providers.dialect import Asked, Reading
from agentgateway.providers.openai_errors import OPENAI
from agentgateway.providers.passing import passing

PASSING = passing(OPENAI)


class Requests(SynchronousTestCase):
    """What any request may say."""

    def test_json_and_forms(self) -> None:
        """The model is found in JSON and in an uploaded form; any other body is fine, too."""
        form = (
            b'--b\r\nContent-Disposition: form-data; name="file"\r\n\r\n' + b"\xff" * 200_000 + b"\r\n--b\r\n"
            b'Content-Disposition: form-data; name="model"\r\nContent-Type: text/plain\r\n\r\nwhisper-1\r\n--b--\r\n'
        )
        self.assertEqual(PASSING.understand("/v1/audio/transcriptions", form), Asked("whisper-1"))
        self.assertEqual(PASSING.understand("/x", b' {"model":"m","stream":true}'), Asked("m", True))
        for body in (b"", b"\xff\xfe", b"[]", b"{broken", b"--x"):
            self.assertEqual(PASSING.understand("/x", body), Asked(), body)
        self.assertEqual(PASSING.fill_model(b"{}", "m"), b"{}")


class Answers(SynchronousTestCase):
    """Usage in any known shape."""

    def test_shapes(self) -> None:
        """Each shape is told by its members; what says nothing says nothing."""
        for answer, usage in (
            ({"usage": {"prompt_tokens": 4, "completion_tokens": 1}}, Usage(4, 1, reported_input=4)),
            ({"usage": {"input_tokens": 4, "output_tokens": 1}}, Usage(4, 1, reported_input=4)),
            (
                {"usage": {"input_tokens": 4, "output_tokens": 1, "cache_read_input_tokens": 2}},
                Usage(4, 1, 2, reported_input=4),
            ),
            ({"usageMetadata": {"promptTokenCount": 4}}, Usage(4, reported_input=4)),
            ({"meta": {"billed_units": {"input_tokens": 4}}}, Usage(4, reported_input=4)),
            ({"data": []}, Usage()),
        ):
            reading = Reading()
            PASSING.read_whole(json.dumps(answer).encode(), reading)
            self.assertEqual((reading.usage, reading.known), (usage, usage != Usage()), answer)

    def test_events(self) -> None:
        """Usage within a response event is found."""
        reading = Reading()
        event = {"type": "x.completed", "response": {"usage": {"input_tokens": 4, "output_tokens": 1}}}
        PASSING.read_event(json.dumps(event).encode(), reading)
        PASSING.read_event(b"[DONE]", reading)
        self.assertEqual(reading.usage, Usage(4, 1, reported_input=4))
