"""A Python prompt inside the running gateway: on a UNIX socket, or by ssh for those whose keys are authorized.

On the socket it is a terminal in raw mode: `socat -,raw,echo=0 UNIX-CONNECT:.agentgateway/manhole.sock`. Whoever reaches
the prompt can do all that the gateway can; the configuration refuses a TCP endpoint without `authorized_keys`.
"""

import os
from collections.abc import Callable
from typing import Any

from twisted.application.service import IService
from twisted.application.strports import service as listen
from twisted.internet.protocol import Factory
from zope.interface import implementer

from agentgateway.config.schema import Admin
from agentgateway.errors import GatewayError

Names = Callable[[], dict[str, Any]]
"""What the prompt knows by name, as of when somebody comes."""

BANNER = """agentgateway manhole: whatever you change here is changed in the running gateway.
  fleet    the agents: fleet.get("writer"), for agent in fleet, agent.account, agent.pause, agent.breakers
  config   the configuration in force
  store    where spend, pauses and the audit index survive
  reactor  Twisted's reactor
Control-D leaves.
"""


class ManholeError(GatewayError):
    """The manhole cannot be opened; the message says why."""


def manhole(admin: Admin, state_dir: str, names: Names, reactor: Any) -> IService:
    """The service that listens at `admin.manhole`. Raises ManholeError where the authorized keys cannot be read."""
    assert admin.manhole is not None
    factory = _ssh(admin.authorized_keys, state_dir, names) if admin.authorized_keys else _plain(names)
    return listen(admin.manhole, factory, reactor=reactor)


def _terminal(names: Names) -> Any:
    """A maker of prompts that know `names` and say what it is. conch imports the reactor, hence not at the top."""
    from twisted.conch.manhole import ColoredManhole

    class Prompt(ColoredManhole):
        """A prompt that introduces itself."""

        def initializeScreen(self) -> None:
            self.terminal.reset()
            self.terminal.write(BANNER.encode())
            self.terminal.write(self.ps[self.pn])
            self.setInsertMode()  # type: ignore[no-untyped-call]

        def terminalSize(self, width: int, height: int) -> None:
            """By ssh the size comes after the first screen, and clears it."""
            self.width, self.height = width, height
            self.terminal.eraseDisplay()
            self.terminal.cursorHome()
            self.terminal.write(BANNER.encode())
            self.drawInputLine()  # type: ignore[no-untyped-call]

    return lambda: Prompt(names())  # type: ignore[no-untyped-call]


def _plain(names: Names) -> Any:
    from twisted.conch.insults.insults import ServerProtocol

    terminal = _terminal(names)
    factory: Any = Factory()
    factory.protocol = lambda: ServerProtocol(terminal)
    factory.noisy = False
    return factory


def _ssh(authorized_keys: str, state_dir: str, names: Names) -> Any:
    from twisted.conch.checkers import SSHPublicKeyChecker, readAuthorizedKeyFile
    from twisted.conch.manhole_ssh import ConchFactory, TerminalRealm, TerminalSession
    from twisted.cred.portal import Portal

    try:
        with open(authorized_keys, "rb") as file:
            keys = list(readAuthorizedKeyFile(file))
    except OSError as error:
        raise ManholeError(f"admin.authorized_keys: cannot read {authorized_keys}: {error.strerror}")
    if not keys:
        raise ManholeError(f"admin.authorized_keys: no key in {authorized_keys}")

    class Session(TerminalSession):
        """conch leaves this open: a client that has said all it had to say is told what came of it, then left."""

        def eofReceived(self) -> None:
            """Nothing to do."""

    realm: Any = TerminalRealm()
    realm.sessionFactory = Session
    realm.chainedProtocolFactory.protocolFactory = lambda _: _terminal(names)()
    portal = Portal(realm, [SSHPublicKeyChecker(_for_anybody(keys))])
    factory = ConchFactory(portal)
    host_key = _host_key(os.path.join(state_dir, "manhole-host-key"))
    factory.publicKeys = {b"ssh-ed25519": host_key.public()}
    factory.privateKeys = {b"ssh-ed25519": host_key}
    return factory


def _for_anybody(keys: list[Any]) -> Any:
    """The same keys whatever the user calls himself: there is one prompt, and keys say who may use it."""
    from twisted.conch.checkers import IAuthorizedKeysDB

    @implementer(IAuthorizedKeysDB)
    class Keys:
        def getAuthorizedKeys(self, username: bytes) -> list[Any]:
            return keys

    return Keys()


def _host_key(path: str) -> Any:
    """The host's key, made at the first start and kept: a client that knows it notices another host in its place."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from twisted.conch.ssh.keys import Key

    try:
        return Key.fromFile(path)
    except FileNotFoundError:
        key = Key(Ed25519PrivateKey.generate())
        os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(fd, "wb") as file:
            file.write(key.toString("openssh"))
        return key
