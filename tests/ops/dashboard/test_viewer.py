"""The dashboard's WebSocket on real sockets: the cases of RFC 6455 and 7692 for a server, and what a viewer may not do.

A viewer has nothing to say, so nothing is echoed; that a message was taken shows in the connection's staying open.
"""

import json
import zlib

from agentgateway.ops.dashboard.viewer import BURST, MAX_SAID, MAX_VIEWERS
from tests.harness import until
from tests.ops.dashboard.doubles import Onlooker
from tests.ops.dashboard.served import BINARY, CLOSE, PING, PONG, TEXT, TOKEN, Served, frame

DEFLATE = "permessage-deflate; client_max_window_bits"


def deflated(data: bytes) -> bytes:
    """As a client compresses."""
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (squeeze.compress(data) + squeeze.flush(zlib.Z_SYNC_FLUSH))[:-4]


class HandshakeTests(Served):
    """Who gets in, and who is told why not."""

    async def test_local(self) -> None:
        """A caller on this machine views without a token, and is told everything at once."""
        client = await self.client()
        self.assertEqual(client.status, 101)
        await until(lambda: client.payloads(TEXT))
        self.assertEqual(json.loads(client.payloads(TEXT)[0])["type"], "snapshot")

    async def test_accept(self) -> None:
        """The key is answered as in the RFC's own example."""
        client = await self.client(Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==")
        self.assertIn("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", client.head)

    async def test_refused(self) -> None:
        """Another site's page is refused, so is a foreign name without a token, and what is no WebSocket at all."""
        cases: list[tuple[dict[str, str | None], int]] = [
            ({"Origin": "http://evil.example"}, 403),
            ({"Origin": "null"}, 403),
            ({"Origin": "http://127.0.0.1:3000"}, 403),
            ({"Origin": "http://evil.example", "Authorization": f"Bearer {TOKEN}"}, 403),
            ({"Host": "evil.example:4040", "Origin": "http://evil.example:4040"}, 401),
            ({"Host": "gateway.example"}, 401),
            ({"Host": "gateway.example", "Authorization": "Bearer wrong"}, 401),
            ({"X-Forwarded-For": "127.0.0.1"}, 401),
            ({"Host": None}, 403),
            ({"Upgrade": None}, 426),
            ({"Upgrade": "h2c"}, 426),
            ({"Sec-WebSocket-Version": "12"}, 400),
            ({"Sec-WebSocket-Key": None}, 400),
            ({"Sec-WebSocket-Key": "short"}, 400),
        ]
        for fields, status in cases:
            client = await self.client(**fields)
            self.assertEqual(client.status, status, fields)
        self.assertEqual(self.service.feed.viewers, {})

    async def test_token(self) -> None:
        """With the token one views from anywhere, and the dashboard's own page from its own address."""
        for fields in (
            {"Host": "gateway.example", "Authorization": f"Bearer {TOKEN}"},
            {"Host": "gateway.example", "Authorization": f"Bearer {TOKEN}", "Origin": "https://gateway.example"},
            {"Origin": "http://127.0.0.1:4040"},
        ):
            client = await self.client(**fields)
            self.assertEqual(client.status, 101, fields)

    async def test_full(self) -> None:
        """With `?full=1` every message is a whole snapshot."""
        client = await self.client("/ws?full=1")
        await until(lambda: len(client.payloads(TEXT)) >= 2)
        self.assertEqual({json.loads(one)["type"] for one in client.payloads(TEXT)}, {"snapshot"})

    async def test_too_many(self) -> None:
        """One viewer too many is told to come again later."""
        for _ in range(MAX_VIEWERS):
            self.service.feed.join(Onlooker())
        client = await self.client()
        self.service.feed.viewers.clear()
        self.assertEqual(await client.closed(), 1013)


class FrameTests(Served):
    """RFC 6455, frame by frame."""

    async def test_ping(self) -> None:
        """5.5.2: a ping is answered with its payload, of any size a control frame may have, also amid fragments."""
        for payload in (b"", b"hello", b"x" * 125):
            client = await self.client()
            client.say(frame(TEXT, b"one", fin=False) + frame(PING, payload) + frame(0, b"two"))
            await until(lambda client=client: client.payloads(PONG))
            self.assertEqual(client.payloads(PONG), [payload])

    async def test_taken(self) -> None:
        """5.6, 5.4: text, binary, empty and fragmented messages are taken, and unasked pongs are ignored."""
        taken = [
            frame(TEXT, "grüße 🎈".encode()),
            frame(BINARY, b"\xff\x00"),
            frame(TEXT),
            frame(TEXT, b"a", fin=False) + frame(0, b"", fin=False) + frame(0, b"b"),
            frame(TEXT, b"\xe2\x82", fin=False) + frame(0, b"\xac"),
            frame(PONG, b"unasked"),
            frame(TEXT, b"x" * MAX_SAID),
        ]
        for data in taken:
            client = await self.client()
            client.say(data + frame(PING, b"still there"))
            await until(lambda client=client: client.payloads(PONG) or client.raw.lost)
            self.assertEqual((client.payloads(PONG), client.payloads(CLOSE)), ([b"still there"], []), data[:20])

    async def test_byte_by_byte(self) -> None:
        """A frame may come in any pieces."""
        client = await self.client()
        for byte in frame(PING, b"slow"):
            client.say(bytes([byte]))
        await until(lambda: client.payloads(PONG))

    async def test_violations(self) -> None:
        """5.2, 5.4, 5.5: what the protocol forbids ends the connection with 1002."""
        wrong = [
            frame(TEXT, b"unmasked", masked=False),
            frame(PING, b"unmasked", masked=False),
            *(frame(TEXT, b"reserved bit", rsv=bit) for bit in (1, 2, 4)),
            *(frame(opcode) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)),
            frame(PING, b"x" * 126),
            frame(PING, b"", fin=False),
            frame(0, b"continues nothing"),
            frame(TEXT, b"one", fin=False) + frame(TEXT, b"another"),
        ]
        for data in wrong:
            client = await self.client()
            client.say(data)
            self.assertEqual(await client.closed(), 1002, data[:20])

    async def test_not_utf8(self) -> None:
        """8.1: text that is no UTF-8 ends it with 1007, in one frame, and across fragments."""
        wrong = [
            frame(TEXT, b"\xff\xfe"),
            frame(TEXT, b"\xed\xa0\x80"),
            frame(TEXT, b"\xf4\x90\x80\x80"),
            frame(TEXT, b"\xce", fin=False) + frame(0, b"\xce"),
            frame(TEXT, b"cut \xe2\x82"),
        ]
        for data in wrong:
            client = await self.client()
            client.say(data)
            self.assertEqual(await client.closed(), 1007, data[:20])

    async def test_close(self) -> None:
        """7.1.5, 7.4: a close is answered; one that is wrong itself is not, the connection is just gone."""
        for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999):
            client = await self.client()
            client.say(frame(CLOSE, code.to_bytes(2, "big") + b"bye"))
            self.assertIn(await client.closed(), (code, 1000), code)
        codes = [frame(CLOSE, code.to_bytes(2, "big")) for code in (0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535)]
        for data in (*codes, frame(CLOSE, b"", fin=False), frame(CLOSE, b"\x03"), frame(CLOSE, b"\x03\xe8\xff")):
            client = await self.client()
            client.say(data)
            self.assertIn(await client.closed(), (1002, 1006, 1007), data)
        client = await self.client()
        client.say(frame(CLOSE))
        self.assertIn(await client.closed(), (1000, 1005))

    async def test_too_large(self) -> None:
        """A message that is too large ends it with 1009: in one frame, by its head alone, in pieces, or unpacked."""
        for data in (
            frame(TEXT, b"x" * (MAX_SAID + 1)),
            b"\x81\xff" + (2**40).to_bytes(8, "big") + b"mask",
            frame(TEXT, b"x" * 4000, fin=False) + frame(0, b"x" * 4000),
            frame(TEXT, deflated(b"\0" * 1_000_000), rsv=4),
        ):
            client = await self.client(Sec_WebSocket_Extensions=DEFLATE)
            client.say(data)
            self.assertEqual(await client.closed(), 1009, data[:20])

    async def test_flood(self) -> None:
        """A viewer that talks too much is shut with 1008, whether it sends messages or pings; others notice nothing."""
        other = await self.client()
        for kind in (TEXT, PING):
            client = await self.client()
            client.say(frame(kind, b"x") * (BURST + 1))
            self.assertEqual(await client.closed(), 1008)
        await until(lambda: other.payloads(TEXT))
        self.assertEqual(other.payloads(CLOSE), [])
        self.assertEqual(len(self.service.feed.viewers), 1)

    async def test_flood_goes_on(self) -> None:
        """One that goes on talking after it was shut is cut off."""
        client = await self.client()
        client.say(frame(PING, b"x") * (20 * BURST))
        await until(lambda: client.raw.lost)


class CompressionTests(Served):
    """RFC 7692."""

    async def test_compressed(self) -> None:
        """Whoever offers it is sent compressed messages that refer to nothing before."""
        for offer in ("permessage-deflate", DEFLATE, "permessage-deflate; server_no_context_takeover"):
            client = await self.client("/ws?full=1", Sec_WebSocket_Extensions=offer)
            self.assertIn("permessage-deflate", client.head)
            await until(lambda client=client: len(client.payloads(TEXT)) >= 2)
            for opcode, rsv, payload in client.frames:
                self.assertEqual((opcode, rsv), (TEXT, 4))
                self.assertIn(b'"type":"snapshot"', zlib.decompressobj(-15).decompress(payload + b"\0\0\xff\xff"))

    async def test_smaller_window(self) -> None:
        """Whoever can only take a smaller window is sent plain messages: all are compressed once."""
        client = await self.client(Sec_WebSocket_Extensions="permessage-deflate; server_max_window_bits=9")
        self.assertNotIn("permessage-deflate", client.head)
        await until(lambda: client.payloads(TEXT))
        self.assertEqual(client.frames[0][1], 0)

    async def test_taken(self) -> None:
        """Compressed messages are taken, and a compressed control frame is a violation."""
        client = await self.client(Sec_WebSocket_Extensions=DEFLATE)
        client.say(frame(TEXT, deflated(b"hello"), rsv=4) + frame(PING, b"there"))
        await until(lambda: client.payloads(PONG))
        client.say(frame(PING, b"x", rsv=4))
        self.assertEqual(await client.closed(), 1002)
