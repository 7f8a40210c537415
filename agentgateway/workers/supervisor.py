"""The parent of a gateway's workers: it holds the sockets and sees to it that every worker runs.

It lets no caller in itself. A socket lasts as long as the parent does, so that callers who come while a worker is
replaced are let in by the others, or wait for a moment where there are none.
"""

import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any, Final

from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, DeferredLock, ensureDeferred, gatherResults, maybeDeferred
from twisted.internet.interfaces import ILoggingContext
from twisted.internet.protocol import ServerFactory
from twisted.logger import Logger
from zope.interface import implementer

from agentgateway.admin import admin_token
from agentgateway.config.changes import changes
from agentgateway.config.load import load
from agentgateway.config.schema import Config
from agentgateway.errors import ConfigError, GatewayError
from agentgateway.ops.listening import Listening, listening
from agentgateway.ops.signals import Signals
from agentgateway.ops.systemd import Notifier
from agentgateway.ops.timers import timer
from agentgateway.stores.files import lock, make_folder
from agentgateway.workers.child import Worker
from agentgateway.workers.place import control_of, endpoints

LONGEST_PATH: Final = 107
"""Bytes of a UNIX socket's name (unix(7): `sun_path` and its end)."""


class SupervisorError(GatewayError):
    """Workers cannot be started here; the message says why."""


@implementer(ILoggingContext)
class Nobody(ServerFactory):
    """Whom the parent lets in."""

    noisy = False

    def logPrefix(self) -> str:
        """What is said to start on a port."""
        return "agentgateway"


class Supervisor(MultiService):
    """As many workers as `config` says, for as long as it runs. Raises ListenError, AdminTokenError, SupervisorError."""

    _log = Logger("agentgateway")

    def __init__(self, config: Config, reactor: Any) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._config = config
        self._held: dict[str, Listening] = {}
        self.workers: list[Worker] = []
        self.systemd = Notifier(os.environ)
        self._one_by_one = DeferredLock()
        self._ending: Deferred[None] | None = None
        self._lock: int | None = None
        if len(os.fsencode(control_of(config.gateway.state_dir, config.workers - 1))) > LONGEST_PATH:
            raise SupervisorError(f"gateway.state_dir: too long a path for sockets in it: {config.gateway.state_dir}")
        admin_token(config.gateway)
        for endpoint in endpoints(config):
            self._held[endpoint] = listening(endpoint, Nobody(), reactor)
        timer(reactor, 1.0, self._watch).setServiceParent(self)
        if self.systemd.watchdog is not None:
            timer(reactor, self.systemd.watchdog, self.systemd.alive).setServiceParent(self)
        acts: dict[int, Callable[[], object]] = {}
        acts |= {signal.SIGHUP: self.reload, signal.SIGUSR1: self._reopen, signal.SIGUSR2: self.renew}
        Signals(reactor, acts).setServiceParent(self)  # type: ignore[no-untyped-call]

    def open(self) -> None:
        """Have the state folder to itself, once. Raises StoreError. The books in it are the workers' to open."""
        if self._lock is None:
            make_folder(self._config.gateway.state_dir, "gateway.state_dir")
            self._lock = lock(os.path.join(self._config.gateway.state_dir, "lock"))

    def privilegedStartService(self) -> None:
        """Open the sockets."""
        self.open()
        for held in self._held.values():
            held.hold()
        super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """Start the workers."""
        self.privilegedStartService()
        super().startService()  # type: ignore[no-untyped-call]
        gatherResults([worker.start() for worker in self._grown(self._config.workers)]).addCallback(self._started)

    def _started(self, _: object) -> None:
        if self._ending is None:
            self.systemd.ready()

    def _grown(self, count: int) -> list[Worker]:
        """New workers, so that there are `count`."""
        config = self._config
        new = [
            Worker(number, config.path, config.gateway.state_dir, self._descriptors, self._reactor)
            for number in range(len(self.workers), count)
        ]
        self.workers += new
        return new

    def _descriptors(self) -> dict[str, int]:
        return {endpoint: self._held[endpoint].descriptor for endpoint in endpoints(self._config)}

    def _watch(self) -> None:
        for worker in self.workers:
            worker.watch()

    def _reopen(self) -> None:
        for worker in self.workers:
            worker.reopen()

    # one worker after the other

    def reload(self) -> "Deferred[None]":
        """Take the file over: in place where that is possible, else by replacing the workers. A broken one changes nothing."""
        return self._in_turn(self._reload)

    def renew(self) -> "Deferred[None]":
        """Replace every worker by a new process, which runs the code that is installed now."""
        return self._in_turn(self._renew)

    def _in_turn(self, work: Callable[[], Awaitable[None]]) -> "Deferred[None]":
        done: Deferred[None] = self._one_by_one.run(lambda: ensureDeferred(self._told(work)))
        return done

    async def _told(self, work: Callable[[], Awaitable[None]]) -> None:
        """`work`, with systemd told of its begin and its end, and people of its mistakes."""
        if self._ending is not None:
            return
        self.systemd.reloading()
        try:
            await work()
        except ConfigError as error:
            self._log.error("nothing has changed:\n{error}", error=str(error))
        except GatewayError as error:
            self._log.error("{error}", error=str(error))
        except Exception:
            self._log.failure("the workers were not told")
        finally:
            if self._ending is None:
                self.systemd.ready()

    async def _reload(self) -> None:
        new = load(self._config.path, os.environ)
        anew = changes(self._config, new)["needs_restart"]
        if "gateway.state_dir" in anew:
            raise SupervisorError("not reloaded, nothing has changed: another gateway.state_dir needs a restart")
        if not anew:
            self._config = new
            for worker in self.workers:
                await worker.reload()
            self._log.info("reloaded {path} in every worker", path=new.path)
            return
        self._hold_also(new)
        self._config = new
        self._log.info("replacing the workers, for {what}", what=", ".join(anew))
        staying, leaving = self.workers[: new.workers], self.workers[new.workers :]
        try:
            await self._roll(staying)
        finally:
            await self._stop(leaving)
            self.workers = staying
        await self._complete()

    async def _complete(self) -> None:
        """All workers are new: start those that are missing, close the sockets that none of them has any more."""
        if self._ending is not None:
            return
        await gatherResults([worker.start() for worker in self._grown(self._config.workers)])
        for endpoint in self._held.keys() - set(endpoints(self._config)):
            await self._held.pop(endpoint).stopService()

    def _hold_also(self, config: Config) -> None:
        """Open the sockets that are new. Raises ListenError, and then none of them is open."""
        new: dict[str, Listening] = {}
        try:
            for endpoint in endpoints(config):
                if endpoint not in self._held:
                    new[endpoint] = listening(endpoint, Nobody(), self._reactor)
                    new[endpoint].hold()
        except Exception as error:
            for held in new.values():
                held.stopService()
            raise SupervisorError(f"not reloaded, nothing has changed: {error}")
        self._held |= new

    async def _renew(self) -> None:
        load(self._config.path, os.environ)  # no worker would come back with a broken file
        await self._roll(self.workers)
        await self._complete()  # where a reload did not come so far

    async def _roll(self, workers: list[Worker]) -> None:
        """Each of them ends its calls and comes back, while the others serve; where one does not, the rest is left alone."""
        for worker in workers:
            await worker.stop(self._patience())
            if self._ending is not None:
                return
            if not await worker.start():
                raise SupervisorError(f"worker {worker.number} does not come back; the others are not replaced")

    # the end

    def stopService(self) -> "Deferred[None]":
        """Close the sockets, which are the workers' alone then, and let all workers end at once."""
        if self._ending is None:
            self._ending = ensureDeferred(self._end())
        return self._ending

    async def _end(self) -> None:
        if self.running:
            self.systemd.stopping()
        await gatherResults([held.stopService() for held in self._held.values()])
        await self._stop(self.workers)
        await maybeDeferred(super().stopService)
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def _stop(self, workers: list[Worker]) -> None:
        patience = self._patience()
        await gatherResults([worker.stop(patience) for worker in workers])

    def _patience(self) -> float:
        """Seconds that open calls have: those of the file as it is now, too, which the workers may have been told of."""
        try:
            now = load(self._config.path, os.environ).gateway.drain_timeout
        except ConfigError:
            now = 0.0
        return max(now, self._config.gateway.drain_timeout)
