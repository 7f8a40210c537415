"""Pages of the audit log, out of memory and out of the store."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Config, Secret, Shared
from agentgateway.domain.audit import encode, iso
from agentgateway.domain.logquery import LogQuery
from agentgateway.domain.moment import Moment
from agentgateway.interfaces import StoreBusy
from agentgateway.web.management.logs import matcher, records
from tests.web.management.doubles import CONFIG, Api, record

START = 1_800_000_000
ALONE = Config()


class Stored:
    """A store that has these records and was asked `queries`."""

    def __init__(self, *found):
        self.found = found
        self.queries = []

    def logs(self, query):
        """All that match."""
        self.queries.append(query)
        return succeed([encode(one) for one in self.found if query.matches(one)][-query.count :])


class Kept:
    """What `records` needs of a gateway."""

    def __init__(self, tail, store, config=ALONE, started=START):
        self.started = Moment(0.0, started)
        self.tail = tail
        self.store = store
        self.config = config


def at(second, **fields):
    """A record of that second."""
    return record(id=f"agw_{second}", ts=iso(START + second), **fields)


class RecordsTests(SynchronousTestCase):
    """The newest ones that match, oldest first."""

    def ask(self, kept, **query):
        """The ids of what is found."""
        asked = Deferred.fromCoroutine(records(kept, LogQuery(**query), lambda: succeed(None)))
        return [msgspec.json.decode(line)["id"] for line in self.successResultOf(asked)]

    def test_one_instant(self):
        """Records of one millisecond stay in the order in which their calls ended, which is the file's."""
        tail = [record(id=f"agw_{number}", ts=iso(START)) for number in range(9)]
        self.assertEqual(self.ask(Kept(tail, Stored()), limit=9), [f"agw_{number}" for number in range(9)])
        self.assertEqual(self.ask(Kept(tail[6:], Stored(*tail[:8])), limit=9), [f"agw_{number}" for number in range(9)])

    def test_memory(self):
        """What memory has is not asked of the store."""
        store = Stored()
        kept = Kept([at(second) for second in range(10)], store)
        self.assertEqual(self.ask(kept, limit=3), ["agw_7", "agw_8", "agw_9"])
        self.assertEqual(self.ask(kept, limit=0), [])
        self.assertFalse(store.queries)

    def test_earlier_process(self):
        """Where memory has records of before the start, read back from a log with a gap, the store fills it, each once."""
        every = [at(second) for second in range(10)]
        store = Stored(*every)
        kept = Kept([*every[:3], *every[5:]], store, started=START + 7)
        self.assertEqual(self.ask(kept, limit=6), [f"agw_{second}" for second in range(4, 10)])
        store.queries.clear()
        self.assertEqual(self.ask(kept, limit=3), ["agw_7", "agw_8", "agw_9"])
        self.assertFalse(store.queries)

    def test_shared(self):
        """A store that others write to is asked whatever memory has: theirs may be newer."""
        store = Stored(at(11))
        shared = Config(shared=Shared(Secret("redis://h"), Secret("postgresql://h/d")))
        kept = Kept([at(second) for second in range(10)], store, shared)
        self.assertEqual(self.ask(kept, limit=2), ["agw_9", "agw_11"])
        store.logs = lambda query: fail(StoreBusy("away"))
        self.assertEqual(self.ask(kept, limit=2), ["agw_8", "agw_9"])

    def test_older(self):
        """Where memory does not reach, the store's records come before it, each once."""
        every = [at(second) for second in range(10)]
        kept = Kept(every[6:], Stored(*every[:8]))
        self.assertEqual(self.ask(kept, limit=100), [f"agw_{second}" for second in range(10)])
        self.assertEqual(self.ask(kept, limit=6), [f"agw_{second}" for second in range(4, 10)])

    def test_filters(self):
        """Filters hold for both."""
        mine = [at(second, agent="coder" if second % 2 else "writer") for second in range(10)]
        kept = Kept(mine[5:], Stored(*mine[:5]))
        since, until = START + 2, START + 8
        self.assertEqual(self.ask(kept, agent="coder", since=since, until=until), ["agw_3", "agw_5", "agw_7"])

    def test_busy(self):
        """A store that cannot answer now is a 503, to be tried again."""

        class Busy:
            def logs(self, query):
                return fail(StoreBusy("too many queries"))

        asked = Deferred.fromCoroutine(records(Kept([], Busy()), LogQuery(), lambda: succeed(None)))
        problem = self.failureResultOf(asked).value
        self.assertEqual((problem.status, problem.code), (503, "unavailable"))

    def test_turns(self):
        """A long search lets others have their turn."""
        turns = []
        kept = Kept([at(0)] * 10_000, Stored())
        asked = records(kept, LogQuery(agent="nobody"), lambda: succeed(turns.append(1)))
        self.assertEqual(self.successResultOf(Deferred.fromCoroutine(asked)), [])
        self.assertEqual(len(turns), 4)

    @given(
        st.builds(
            LogQuery,
            agent=st.sampled_from([None, "writer", "coder"]),
            status=st.sampled_from([None, 200, 429]),
            outcome=st.sampled_from([None, "ok", "refused"]),
            since=st.none() | st.floats(START - 5, START + 5),
            until=st.none() | st.floats(START - 5, START + 5),
        ),
        st.floats(START - 5, START + 5),
        st.sampled_from(["writer", "coder"]),
        st.sampled_from([200, 429]),
    )
    def test_matcher(self, query, when, agent, status):
        """The quick comparison of times as text says what the slow one says, but for fractions of a millisecond."""
        one = record(ts=iso(when), agent=agent, status=status)
        near = any(edge is not None and abs(when - edge) < 0.002 for edge in (query.since, query.until))
        if not near:
            self.assertEqual(matcher(query)(one), query.matches(one))


class EndpointTests(SynchronousTestCase):
    """Through the API."""

    def test_page(self):
        """The latest calls, as JSON or as lines."""
        api = Api(self)
        for second in range(5):
            api.happened(id=f"agw_{second}", ts=iso(START + second))
        reply = api.get("/api/logs?limit=2")
        self.assertEqual([one["id"] for one in reply.json], ["agw_3", "agw_4"])
        self.assertEqual(reply.header("content-type"), "application/json")
        reply = api.get("/api/logs?limit=2&format=jsonl")
        self.assertEqual((reply.header("content-type"), reply.body.count(b"\n")), ("application/x-ndjson", 2))
        self.assertEqual(api.get("/api/logs?agent=nobody").json, [])

    def test_short_memory(self):
        """A gateway that keeps few records in memory has the others from its store."""
        api = Api(self, CONFIG.replace("max_entries: 1000", "max_entries: 3"))
        for second in range(600):
            api.happened(id=f"agw_{second}", ts=iso(START + second))
        self.assertEqual(len(api.get("/api/logs?limit=1000").json), 600)
        self.assertEqual(api.get("/api/logs?limit=1000&format=csv").body.count(b"\n"), 601)
        self.assertEqual(len(api.get(f"/api/logs?until={START + 5}").json), 5)

    def test_mistake(self):
        """A question that makes no sense is a 400."""
        reply = Api(self).get("/api/logs?limit=lots")
        self.assertEqual((reply.status, reply.code), (400, "bad_request"))
