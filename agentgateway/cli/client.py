"""A client of the management API, without Twisted: commands have to start at once."""

import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote, urlsplit

from agentgateway.cli.target import TOKEN, Target
from agentgateway.errors import GatewayError

PATIENCE: Final = 15.0
"""Seconds to wait for an answer."""


class Unreachable(GatewayError):
    """No gateway answers there."""

    exit_status = 3


class Refused(GatewayError):
    """The gateway says no; `code` and `more` are those of its error object."""

    def __init__(self, message: str, code: str = "", more: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.more = more or {}


class _Local(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client:
    """Calls one gateway; all methods raise Unreachable or Refused.

    Reading on the gateway's own machine needs no token, and one that is another gateway's counts there as a guess. So
    reads go without it until the gateway asks for it.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._asked_for_it = False

    def get(self, path: str) -> Any:
        """What a GET answers."""
        return self._decoded(self._ask("GET", path))

    def change(self, method: str, path: str, body: object = None) -> Any:
        """What a POST or PUT of `body` answers."""
        return self._decoded(self._ask(method, path, None if body is None else json.dumps(body)))

    def lines(self, path: str) -> Iterator[bytes]:
        """The lines of an answer as they come, for as long as they do."""
        response = self._ask("GET", path, patient=True)
        rest = b""
        try:
            while some := response.read1(65_536):  # readline would take a broken stream for one that has ended
                *whole, rest = (rest + some).split(b"\n")
                yield from whole
        except (OSError, http.client.HTTPException):
            raise Unreachable("the gateway broke the stream off: it has stopped, or this reader was too slow")

    def _ask(self, method: str, path: str, body: str | None = None, patient: bool = False) -> http.client.HTTPResponse:
        token = self._target.token if method != "GET" or self._asked_for_it else None
        response = self._send(method, path, token, body, patient)
        if response.status == 401 and self._target.token and token is None:
            response.close()
            self._asked_for_it = True
            response = self._send(method, path, self._target.token, body, patient)
        if response.status >= 400:
            self._refused(response)
        return response

    def _send(
        self, method: str, path: str, token: str | None, body: str | None, patient: bool
    ) -> http.client.HTTPResponse:
        target = self._target
        headers = {"Accept": "application/json", "Connection": "close"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        if body is not None:
            headers["Content-Type"] = "application/json"
        connection = self._connection()
        try:
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            if patient and connection.sock is not None:
                connection.sock.settimeout(None)
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"no gateway at {target.place}: {_why(error)} ({self._where_else()})")
        return response

    def _connection(self) -> http.client.HTTPConnection:
        target = self._target
        if target.socket is not None:
            return _Local(target.socket, PATIENCE)
        parts = urlsplit(target.url)
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        return kind(parts.hostname or "", parts.port, timeout=PATIENCE)

    def _decoded(self, response: http.client.HTTPResponse) -> Any:
        try:
            return json.loads(response.read())
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"no whole answer from {self._target.place}: {_why(error)}")
        except ValueError:
            raise self._no_gateway(response.status)

    def _refused(self, response: http.client.HTTPResponse) -> None:
        try:
            error = self._decoded(response)["error"]
            code, message = str(error["code"]), str(error["message"])
        except (KeyError, TypeError):
            raise self._no_gateway(response.status)
        if response.status == 401 and code == "unauthorized":
            message = self._token_hint()
        raise Refused(message, code, error)

    def _token_hint(self) -> str:
        source, place = self._target.source, self._target.place
        if self._target.token:
            return (
                f"the gateway at {place} does not take the admin token from {source}: "
                f"is that another gateway, the demo perhaps? give its -c, or set {TOKEN}"
            )
        return f"the gateway at {place} wants its admin token, and there is none in {source}: set {TOKEN}"

    def _where_else(self) -> str:
        hint = "; if the port in the file was just changed: --url with the old one" if self._target.by_file else ""
        return f"is it running? agentgateway start{hint}"

    def _no_gateway(self, status: int) -> Unreachable:
        return Unreachable(f"what answers at {self._target.place} is no agentgateway (HTTP status {status})")


def agent_path(base: str, agent: str, verb: str = "") -> str:
    """The path of an agent, whatever its id is made of."""
    return f"{base}/{quote(agent, safe='')}{verb}"


def _why(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
