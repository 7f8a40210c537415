"""A dashboard on real sockets over a state that is no gateway's, and a WebSocket client that says any bytes it likes."""

import base64
import os
import struct
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from agentgateway.admin import AdminToken
from agentgateway.config.schema import Dashboard, Secret
from agentgateway.ops.dashboard.service import DashboardService
from tests.harness import RawClient, connect, listen, reactor, until
from tests.ops.dashboard.doubles import State

TOKEN = "the-token"
HOST = "127.0.0.1:4040"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


class Served(TestCase):
    """`service` listens on `port`."""

    async def setUp(self) -> None:
        """Start it; its own port is one the system chooses."""
        self.state = State()
        secret = AdminToken(Secret(TOKEN), self.state.alerts.append)
        dashboard = Dashboard(0, "127.0.0.1")
        self.kept: list[Any] = []
        self.service = DashboardService(
            self.state, dashboard, secret, reactor, self.state.notes.append, self.kept.extend
        )
        self.service._viewers.setProtocolOptions(closeHandshakeTimeout=1)
        self.service.startService()
        self.addCleanup(self.stop)
        self.port = await listen(self, self.service.site)

    async def stop(self) -> None:
        """Stop it, and wait until everybody has gone."""
        await self.service.stopService()
        await until(lambda: not self.service.feed.viewers)
        await until(lambda: not any("_BatchedTimer" in str(call) for call in reactor.getDelayedCalls()))

    async def ask(
        self, method: str, path: str, body: bytes | None = None, **fields: str | None
    ) -> tuple[int, str, bytes]:
        """One request and its answer: status, head, body."""
        raw = await connect(self, self.port)
        given: dict[str, str | None] = {"Host": HOST, "Connection": "close"}
        if body is not None:
            given |= {"Content-Length": str(len(body)), "Content-Type": "application/json"}
        given |= {name.replace("_", "-"): value for name, value in fields.items()}
        lines = [f"{name}: {value}\r\n" for name, value in given.items() if value is not None]
        transport: Any = raw.transport
        transport.write(f"{method} {path} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1") + (body or b""))
        await until(lambda: raw.lost)
        head, _, content = raw.received.partition(b"\r\n\r\n")
        return int(head.split()[1]) if head else 0, head.decode("latin-1"), content

    async def client(self, target: str = "/ws", **fields: str | None) -> "SocketClient":
        """A client that has asked for a WebSocket; header fields with `_` for `-`, None for one left out."""
        raw = await connect(self, self.port)
        client = SocketClient(raw)
        client.ask(target, **fields)
        await until(lambda: b"\r\n\r\n" in raw.received or raw.lost)
        return client


def frame(opcode: int, payload: bytes = b"", fin: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    """One frame as a client sends it."""
    size = len(payload)
    if size < 126:
        head, more = size, b""
    else:
        head, more = (126, struct.pack("!H", size)) if size < 65_536 else (127, struct.pack("!Q", size))
    mask = os.urandom(4)
    body = mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload)) if masked else payload
    return bytes([fin << 7 | rsv << 4 | opcode, masked << 7 | head]) + more + body


class SocketClient:
    """`status` of the handshake, and `frames` as (opcode, rsv, payload) from then on."""

    def __init__(self, raw: RawClient) -> None:
        self.raw = raw

    def ask(self, target: str, **fields: str | None) -> None:
        """Send the handshake."""
        usual: dict[str, str | None] = {
            "Host": HOST,
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
        }
        given = usual | {name.replace("_", "-"): value for name, value in fields.items()}
        lines = [f"{name}: {value}\r\n" for name, value in given.items() if value is not None]
        self.say(f"GET {target} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1"))

    def say(self, data: bytes) -> None:
        """Send bytes."""
        transport: Any = self.raw.transport
        transport.write(data)

    @property
    def head(self) -> str:
        """The answer's head."""
        return self.raw.received.partition(b"\r\n\r\n")[0].decode("latin-1")

    @property
    def status(self) -> int:
        """The answer's status."""
        return int(self.head.split()[1])

    @property
    def frames(self) -> list[tuple[int, int, bytes]]:
        """What has come since."""
        rest, found = self.raw.received.partition(b"\r\n\r\n")[2], []
        while len(rest) >= 2:
            size, start = rest[1] & 127, 2
            if size >= 126:
                width = 2 if size == 126 else 8
                size, start = int.from_bytes(rest[2 : 2 + width], "big"), 2 + width
            if len(rest) < start + size:
                break
            found.append((rest[0] & 15, rest[0] >> 4 & 7, rest[start : start + size]))
            rest = rest[start + size :]
        return found

    def payloads(self, opcode: int) -> list[bytes]:
        """Of the frames of one kind."""
        return [payload for kind, _, payload in self.frames if kind == opcode]

    async def closed(self) -> int:
        """Wait for a close frame, answer it, and give its code."""
        await until(lambda: self.payloads(CLOSE) or self.raw.lost)
        codes = self.payloads(CLOSE)
        if not codes:
            return 1006
        self.say(frame(CLOSE, codes[0][:2]))
        ended: Deferred[None] = self.raw.closed
        if not self.raw.lost:
            await ended
        return int.from_bytes(codes[0][:2], "big") if codes[0] else 1005
