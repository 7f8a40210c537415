"""Bodies of changes: JSON and nothing else, so that no HTML form can make one; every field checked by its shape."""

from typing import TypeVar

import msgspec

from agentgateway.domain.text import printable
from agentgateway.web.management.problems import Problem

T = TypeVar("T", bound=msgspec.Struct)


def parse(body: bytes, content_type: bytes, shape: type[T]) -> T:
    """The JSON body of a change; nothing at all counts as `{}`.

    Raises Problem: 400 for what is no JSON or does not say so, 422 for JSON of another shape.
    """
    if body and content_type.partition(b";")[0].strip().lower() != b"application/json":
        raise Problem(400, "bad_request", "a body has to be JSON, with Content-Type: application/json")
    try:
        return msgspec.json.decode(body or b"{}", type=shape)
    except msgspec.ValidationError as error:
        raise Problem(422, "invalid", printable(str(error), 200))
    except (msgspec.DecodeError, RecursionError, UnicodeError) as error:
        raise Problem(400, "bad_request", f"the body is no JSON: {printable(str(error), 200)}")
