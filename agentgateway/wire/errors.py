"""What can go wrong on the wire, as exceptions with fields; whoever calls decides what to tell whom."""


class WireError(Exception):
    """Base of all below; `detail` is one line for a log, made of nothing a peer sent."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class BadFraming(WireError):
    """A request that cannot be told apart from an attack (RFC 9112); `status` is 400, 408, 431 or 501."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class CannotRead(BadFraming):
    """Reading a request failed on this side, for want of memory or by a mistake of ours; answered with 503."""

    def __init__(self) -> None:
        super().__init__(503, "the gateway cannot read this request now: try again shortly")


class BodyTooLarge(WireError):
    """The request's body passes the limit; answered with 413."""


class NoRoom(WireError):
    """All request bodies together have become too large; answered with 503."""


class BodyTimeout(WireError):
    """The request's body came too slowly; answered with 408."""


class CallerGone(WireError):
    """The caller's connection went away before its request was complete."""


class BadCAFile(WireError):
    """The file with the certificate authorities to trust cannot be read, or holds no certificate."""


class ConnectFailed(WireError):
    """No connection to the upstream: refused, unreachable, no such name, TLS not trusted."""


class ConnectTimeout(ConnectFailed):
    """No connection to the upstream within its `connect_timeout`, name lookup and TLS included."""


class HeadTimeout(WireError):
    """The upstream took the request and sent no response head within `response_timeout`."""


class SilenceTimeout(WireError):
    """The upstream sent nothing for `silence_timeout` in the middle of a response."""


class UpstreamBroken(WireError):
    """The upstream closed, reset or spoke no HTTP; `answered` is true once a response head had come.

    `untouched` is true where not one byte of a response was received on this connection since the request was sent.
    """

    def __init__(self, detail: str, answered: bool, untouched: bool = False) -> None:
        super().__init__(detail)
        self.answered = answered
        self.untouched = untouched
