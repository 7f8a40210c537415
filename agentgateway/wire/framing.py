"""What llhttp lets through and a proxy must not: the rest of RFC 9112's checks on a request's head, pure.

llhttp (strict) already refuses conflicting and repeated lengths, bare LF, NUL, obsolete folding, bad chunk sizes and
spaces before a colon. What follows closes the gaps through which two parsers could see two different requests.
"""

from collections.abc import Sequence

import attrs

from agentgateway.wire.errors import BadFraming
from agentgateway.wire.headers import Field

MAX_FIELDS = 256
MAX_FIELD_BYTES = 16_384
"""Bytes of one header field, name and value, and of a request's target."""


@attrs.frozen(slots=True)
class Framing:
    """What a head says of its body and connection. `length` None: chunked."""

    length: int | None
    expects_continue: bool
    upgrade: bool


_PLAIN = Framing(0, False, False)
_SIZES = frozenset(map(len, ("host", "expect", "upgrade", "content-length", "transfer-encoding")))
# Only these names matter to framing, and nearly all others can be told apart by their length.


def check(method: bytes, uri: bytes, version: str, fields: Sequence[Field]) -> Framing:
    """The framing of a request's head; raises BadFraming where it is malformed or ambiguous (RFC 9112, 2 to 6)."""
    if version not in ("1.1", "1.0"):
        raise BadFraming(400, "expected HTTP/1.1 or HTTP/1.0")
    check_target(method, uri)
    hosts = length = 0
    chunked = expects = upgrade = False
    for name, value in fields:
        size = len(name)
        if size not in _SIZES:
            continue
        if size == 4:
            hosts += name.lower() == b"host"
        elif size == 14 and name.lower() == b"content-length":
            length = int(value)
        elif size == 17 and name.lower() == b"transfer-encoding":
            if value.strip().lower() != b"chunked" or version == "1.0" or chunked:
                raise BadFraming(400, "expected no Transfer-Encoding, or chunked in HTTP/1.1")
            chunked = True
        elif size == 6 and name.lower() == b"expect":
            expects = value.strip().lower() == b"100-continue" and version == "1.1"
        elif size == 7 and name.lower() == b"upgrade":
            upgrade = True
    if hosts != 1 and (hosts or version == "1.1"):
        raise BadFraming(400, "expected exactly one Host header")
    if chunked:
        return Framing(None, expects, upgrade)
    if not (length or expects or upgrade):
        return _PLAIN
    return Framing(length, expects and length > 0, upgrade)


def check_target(method: bytes, uri: bytes) -> None:
    """Only the origin form (`/path?query`), and `*` for OPTIONS: the others ask for a forward proxy."""
    if (uri[:1] != b"/" and not (uri == b"*" and method == b"OPTIONS")) or method == b"CONNECT":
        raise BadFraming(400, "expected a path that begins with /")
    if b"/." in uri or b"/%2" in uri:
        path = uri.partition(b"?")[0].lower().replace(b"%2e", b".")
        if any(segment in (b".", b"..") for segment in path.split(b"/")):
            raise BadFraming(400, "expected a path without . and .. segments")
    if b"#" in uri:
        raise BadFraming(400, "expected a path without a fragment")


def check_size(uri: bytes, fields: Sequence[Field], pending: int, limit: int) -> None:
    """Raise BadFraming(431) for too many or too long fields, or a head above `limit` bytes.

    `pending` is the number of bytes that have come of a field that is not complete yet.
    """
    if len(fields) > MAX_FIELDS:
        raise BadFraming(431, f"expected at most {MAX_FIELDS} header fields")
    sizes = [len(name) + len(value) for name, value in fields]
    if max(pending, len(uri), *sizes, 0) > MAX_FIELD_BYTES:
        raise BadFraming(431, f"expected a target and header fields of at most {MAX_FIELD_BYTES} bytes")
    if sum(sizes) + len(uri) + pending > limit:
        raise BadFraming(431, f"expected a head of at most {limit} bytes")
