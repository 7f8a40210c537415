"""Every call that holds money lets go of it exactly once, whatever becomes of it."""

import random
from collections import Counter
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, gatherResults
from twisted.trial.unittest import TestCase

from agentgateway.demo.knobs import FAULTS
from agentgateway.domain.journal import Released, Reserved, Settled
from tests.governance.books import Wish, check_books, config
from tests.harness import Running, reactor, start_gateway, sweep_often, until
from tests.peers import call_in

AGENTS = ["hard", "loose", "tight", "free"]
BUDGETS = """
  hard: {{budget: {{max_cost_total: 5, enforcement: hard}}}}
  loose: {{budget: {{max_cost_total: 5}}}}
  tight: {{budget: {{max_cost_total: 0.02}}}}
  free: {{}}
"""
FATES = [*sorted(FAULTS - {"endless", "big-line", "drip"}), "status-429", "status-400", "status-529", "", "", ""]
SEED = 77


class SettledOnceTests(TestCase):
    """Finished, cut, broken off, left, refused: all at once."""

    async def live(self, running: Running, wish: Wish, leaves_after: float | None) -> None:
        """One call, until its end or until its caller has had enough."""
        caller = await call_in(self, running.port)
        if leaves_after is not None:
            reactor.callLater(leaves_after, caller.leave)
        caller.transport.write(wish.raw)
        over: Deferred[None] = Deferred()
        caller.watch = lambda answer: over.callback(None) if answer.ended and not over.called else None
        caller.closed.addCallback(lambda _: None if over.called else over.callback(None))
        await over

    def wishes(self, dice: random.Random) -> list[tuple[Wish, float | None]]:
        """Every fate, in both dialects, streamed and not, for patient callers and for others."""
        found = []
        for fate in FATES:
            for api in ("anthropic", "openai"):
                for stream in (True, False):
                    fields = ((b"x-standin-fault", fate.encode()), (b"x-standin-interval", b"0.003"))
                    wish = Wish(dice.choice(AGENTS), api, stream, 40, 60, 6, fields)
                    found.append((wish, dice.choice((None, None, dice.uniform(0, 0.05)))))
        return found

    def test_every_fate(self) -> Any:
        """Each reservation has one settlement or release, each call one record, and the books agree."""

        async def scenario() -> None:
            text = config(BUDGETS).replace("base_url", "response_timeout: 0.3, silence_timeout: 0.3, base_url")
            running = await start_gateway(self, text)
            sweep_often(self, running)
            ledger = running.service.live.fleet.ledger
            told: list[Any] = []
            before = ledger.journal
            assert before is not None
            ledger.journal = lambda change: (told.append(change), before(change))[1]  # type: ignore[func-returns-value]
            dice = random.Random(SEED)
            for _ in range(2):
                calls = self.wishes(dice)
                await gatherResults([ensureDeferred(self.live(running, *call)) for call in calls])
            await until(lambda: running.quiet)
            held = Counter(change.id for change in told if isinstance(change, Reserved))
            over = Counter(change.id for change in told if isinstance(change, Settled | Released))
            self.assertEqual(held, over)
            self.assertEqual(set(held.values()), {1})
            records = Counter(record["id"] for record in running.records)
            self.assertEqual(set(records.values()), {1})
            self.assertLessEqual(set(held), set(records))
            outcomes = {record["outcome"] for record in running.records}
            self.assertLessEqual({"ok", "upstream_error", "client_gone", "truncated", "refused"}, outcomes)
            check_books(self, running, AGENTS)

        return ensureDeferred(scenario())
