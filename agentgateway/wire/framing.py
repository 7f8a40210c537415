"""What llhttp lets through and a proxy must not: the rest of RFC 9112's checks on a request's head, pure.

llhttp (strict) already refuses conflicting and repeated lengths, bare LF, NUL, obsolete folding, bad chunk sizes and
spaces before a colon. What follows closes the gaps through which two parsers could see two different requests.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from agentgateway.wire.errors import BadFraming
from agentgateway.wire.headers import Field

MAX_FIELDS = 256
MAX_FIELD_BYTES = 16_384
"""Bytes of one header field, name and value, and of a request's target."""


class Framing(msgspec.Struct, frozen=True, gc=False):
    """What a head says of its body and connection. `length` None: chunked."""

    length: int | None
    expects_continue: bool
    upgrade: bool


_HOST = re.compile(rb"([\w.~!$&'()*+;=%-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]*)?", re.ASCII)
"""RFC 9112 section 3.2: what is no host has to be refused. A comma might be two of them."""
_PLAIN = Framing(0, False, False)


def check(method: bytes, uri: bytes, version: str, fields: Sequence[Field], lowered: Mapping[bytes, bytes]) -> Framing:
    """The framing of a request's head; raises BadFraming where it is malformed or ambiguous (RFC 9112, 2 to 6).

    `lowered` are the `fields` by lower-case name.
    """
    if version not in ("1.1", "1.0"):
        raise BadFraming(400, "expected HTTP/1.1 or HTTP/1.0")
    check_target(method, uri)
    if len(lowered) != len(fields):
        _check_repeated(fields)
    host = lowered.get(b"host")
    if host is None and version == "1.1":
        raise BadFraming(400, "expected exactly one Host header")
    if host and _HOST.fullmatch(host.strip()) is None:
        raise BadFraming(400, "expected a host, and maybe a port, in the Host header")
    expects = b"expect" in lowered and version == "1.1" and lowered[b"expect"].strip().lower() == b"100-continue"
    upgrade = b"upgrade" in lowered
    coding = lowered.get(b"transfer-encoding")
    if coding is not None:
        if coding.strip().lower() != b"chunked" or version == "1.0":
            raise BadFraming(400, "expected no Transfer-Encoding, or chunked in HTTP/1.1")
        return Framing(None, expects, upgrade)
    length = int(lowered.get(b"content-length", 0))
    if not (length or expects or upgrade):
        return _PLAIN
    return Framing(length, expects and length > 0, upgrade)


def _check_repeated(fields: Sequence[Field]) -> None:
    """Fields that may stand only once: two readers could believe different ones."""
    names = [name.lower() for name, _ in fields]
    for name, shown in ((b"host", "Host"), (b"transfer-encoding", "Transfer-Encoding")):
        if names.count(name) > 1:
            raise BadFraming(400, f"expected exactly one {shown} header")


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
