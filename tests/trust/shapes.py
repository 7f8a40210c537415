"""Requests of which two parsers could make two different things: what smuggling is made of.

Each hides a second request, to /smuggled, behind the first; who takes it for one has been smuggled to.
"""

HIDDEN = b"POST /smuggled HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
LINE = b"POST /v1/messages HTTP/1.1\r\n"
HOST = b"Host: x\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
ZERO = b"0\r\n\r\n"


def _cl(size: int) -> bytes:
    return b"Content-Length: %d\r\n" % size


def _te(value: bytes) -> bytes:
    return LINE + HOST + b"Transfer-Encoding: " + value + b"\r\n\r\n" + ZERO + HIDDEN


def _body(*framing: bytes) -> bytes:
    return LINE + HOST + b"".join(framing) + b"\r\n"


SMUGGLED: dict[str, bytes] = {
    "CL.TE": _body(_cl(len(ZERO + HIDDEN)), CHUNKED) + ZERO + HIDDEN,
    "TE.CL": _body(CHUNKED, _cl(5)) + ZERO + HIDDEN,
    "TE.TE, the second obscure": _body(CHUNKED, b"Transfer-Encoding: cow\r\n") + ZERO + HIDDEN,
    "TE.TE, the first obscure": _body(b"Transfer-Encoding: cow\r\n", CHUNKED) + ZERO + HIDDEN,
    "TE.TE, twice chunked": _body(CHUNKED, CHUNKED) + ZERO + HIDDEN,
    "TE: chunked, chunked": _te(b"chunked, chunked"),
    "TE: identity": _te(b"identity"),
    "TE: chunked, identity": _te(b"chunked, identity"),
    "TE: identity, chunked": _te(b"identity, chunked"),
    "TE: gzip, chunked": _te(b"gzip, chunked"),
    "TE: xchunked": _te(b"xchunked"),
    "TE: chunked with a vertical tab": _te(b"\x0bchunked"),
    "TE: chunked with a form feed": _te(b"chunked\x0c"),
    "TE: quoted": _te(b'"chunked"'),
    "TE: with a parameter": _te(b"chunked;a=b"),
    "TE: empty": _te(b""),
    "TE: with NUL": _te(b"chunked\x00"),
    "TE: a blank before the colon": LINE + HOST + b"Transfer-Encoding : chunked\r\n\r\n" + ZERO + HIDDEN,
    "TE: a tab before the colon": LINE + HOST + b"Transfer-Encoding\t: chunked\r\n\r\n" + ZERO + HIDDEN,
    "TE: a blank before the name": LINE + HOST + b" Transfer-Encoding: chunked\r\n\r\n" + ZERO + HIDDEN,
    "TE: folded": LINE + HOST + b"Transfer-Encoding:\r\n chunked\r\n\r\n" + ZERO + HIDDEN,
    "TE behind a bare LF": LINE + HOST + b"X: y\nTransfer-Encoding: chunked\r\n\r\n" + ZERO + HIDDEN,
    "TE behind a bare CR": LINE + HOST + b"X: y\rTransfer-Encoding: chunked\r\n\r\n" + ZERO + HIDDEN,
    "TE in HTTP/1.0": b"POST /v1/messages HTTP/1.0\r\n" + HOST + CHUNKED + b"\r\n" + ZERO + HIDDEN,
    "two lengths": _body(_cl(0), _cl(len(HIDDEN))) + HIDDEN,
    "two lengths in one": _body(b"Content-Length: 0, %d\r\n" % len(HIDDEN)) + HIDDEN,
    "the same length twice": _body(_cl(2), _cl(2)) + b"{}" + HIDDEN,
    "a length with a sign": _body(b"Content-Length: +0\r\n") + HIDDEN,
    "a negative length": _body(b"Content-Length: -1\r\n") + HIDDEN,
    "a length in hexadecimal": _body(b"Content-Length: 0x0\r\n") + HIDDEN,
    "a length with a point": _body(b"Content-Length: 0.0\r\n") + HIDDEN,
    "a length with an underscore": _body(b"Content-Length: 0_0\r\n") + HIDDEN,
    "a length beyond 64 bits": _body(b"Content-Length: 18446744073709551616\r\n") + HIDDEN,
    "an empty length": _body(b"Content-Length: \r\n") + HIDDEN,
    "a length with a blank before the colon": _body(b"Content-Length : 0\r\n") + HIDDEN,
    "a chunk size with a sign": _body(CHUNKED) + b"+0\r\n\r\n" + HIDDEN,
    "a chunk size in 0x": _body(CHUNKED) + b"0x0\r\n\r\n" + HIDDEN,
    "a chunk size beyond 64 bits": _body(CHUNKED) + b"10000000000000000\r\n" + HIDDEN,
    "a chunk longer than its size": _body(CHUNKED) + b"1\r\n{}\r\n" + ZERO + HIDDEN,
    "chunk ends of bare LF": _body(CHUNKED) + b"0\n\n" + HIDDEN,
    "a chunk extension with a bare LF": _body(CHUNKED) + b"0;x\ny\r\n\r\n" + HIDDEN,
    "no Host": LINE + _cl(0) + b"\r\n" + HIDDEN,
    "two Hosts": _body(HOST, _cl(0)) + HIDDEN,
    "a Host that is none": _body(b"Host: x/y\r\n", _cl(0)) + HIDDEN,
    "a Host of two": _body(b"Host: x,elsewhere.test\r\n", _cl(0)) + HIDDEN,
    "a Host with a user": _body(b"Host: x@elsewhere.test\r\n", _cl(0)) + HIDDEN,
    "a Host with two ports": _body(b"Host: x:1:2\r\n", _cl(0)) + HIDDEN,
    "the absolute form": b"POST http://elsewhere.test/v1/messages HTTP/1.1\r\n" + HOST + _cl(0) + b"\r\n" + HIDDEN,
    "the authority form": b"POST elsewhere.test:443 HTTP/1.1\r\n" + HOST + _cl(0) + b"\r\n" + HIDDEN,
    "CONNECT": b"CONNECT elsewhere.test:443 HTTP/1.1\r\n" + HOST + b"\r\n" + HIDDEN,
    "dots": b"POST /v1/../smuggled HTTP/1.1\r\n" + HOST + _cl(0) + b"\r\n" + HIDDEN,
    "dots in per cent": b"POST /v1/%2e%2E/smuggled HTTP/1.1\r\n" + HOST + _cl(0) + b"\r\n" + HIDDEN,
    "a fragment": b"POST /v1/messages#x HTTP/1.1\r\n" + HOST + _cl(0) + b"\r\n" + HIDDEN,
    "NUL in the target": b"POST /v1/mess\x00ages HTTP/1.1\r\n" + HOST + _cl(0) + b"\r\n" + HIDDEN,
    "a blank in the target": b"POST /v1/mess ages HTTP/1.1\r\n" + HOST + _cl(0) + b"\r\n" + HIDDEN,
    "no version": b"POST /v1/messages\r\n" + HOST + _cl(0) + b"\r\n" + HIDDEN,
    "HTTP/0.9": b"GET /v1/models\r\n" + HIDDEN,
    "HTTP/2.0": b"POST /v1/messages HTTP/2.0\r\n" + HOST + _cl(0) + b"\r\n" + HIDDEN,
    "HTTP/1.10": b"POST /v1/messages HTTP/1.10\r\n" + HOST + _cl(0) + b"\r\n" + HIDDEN,
    "a name with a blank": _body(b"X y: z\r\n", _cl(0)) + HIDDEN,
    "a line without a colon": _body(b"nothing\r\n", _cl(0)) + HIDDEN,
    "an empty name": _body(b": nothing\r\n", _cl(0)) + HIDDEN,
    "NUL in a value": _body(b"X: a\x00b\r\n", _cl(0)) + HIDDEN,
    "bare LF everywhere": (_body(_cl(0)) + HIDDEN).replace(b"\r\n", b"\n"),
    "bare CR everywhere": (_body(_cl(0)) + HIDDEN).replace(b"\r\n", b"\r"),
}
HARMLESS: dict[str, bytes] = {
    "with a length": _body(_cl(2)) + b"{}",
    "in chunks": _body(CHUNKED) + b"2\r\n{}\r\n" + ZERO,
    "an extension": _body(CHUNKED) + b"2;a=b\r\n{}\r\n" + ZERO,
    "trailers": _body(CHUNKED) + b"2\r\n{}\r\n0\r\nx-t: 1\r\n\r\n",
    "an empty value": _body(b"X:\r\n", _cl(2)) + b"{}",
    "upper-case chunked": _body(b"Transfer-Encoding: CHUNKED\r\n") + b"2\r\n{}\r\n" + ZERO,
}
