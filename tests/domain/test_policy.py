"""Policies: when they speak, about whom, and what they say."""

from types import SimpleNamespace

import attrs
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.config.schema import Policy, Rate
from agentgateway.domain.expression import ExpressionError
from agentgateway.domain.policy import ACTIONS, NOTHING, Rules

BAD = SimpleNamespace(error_rate=0.9, cost_today=50, model="claude-opus-4")
GOOD = SimpleNamespace(error_rate=0.0, cost_today=0, model="claude-haiku-4-5")

PAUSE = Policy("errors", "error_rate > 0.5", "pause")
DENY = Policy("no-opus", '"opus" in model and cost_today > 20', "deny")
THROTTLE = Policy("slow-down", "error_rate > 0.2", "throttle", {"rate": Rate(2, 60)})
ALERT = Policy("tell", "cost_today > 10", "alert", {"cooldown": 60.0})


def bound(*policies, agent="writer", tags=()):
    """These policies for one agent."""
    return Rules.of(policies).bind(agent, tags)


class VerdictTests(SynchronousTestCase):
    """What each action says."""

    def test_nothing(self):
        """Policies whose conditions do not hold say nothing; so do none at all."""
        self.assertEqual(bound(PAUSE, DENY, THROTTLE, ALERT).evaluate(GOOD, 0), NOTHING)
        self.assertIs(bound().evaluate(BAD, 0), NOTHING)

    def test_all_at_once(self):
        """All policies whose conditions hold are heard, each in its own way."""
        verdict = bound(PAUSE, DENY, THROTTLE, ALERT).evaluate(BAD, 0)
        self.assertEqual((verdict.pause, verdict.deny, verdict.alerts), (PAUSE, DENY, (DENY, THROTTLE, ALERT)))
        self.assertEqual([throttle.policy for throttle in verdict.throttles], [THROTTLE])

    def test_first_stands(self):
        """Of several that pause or deny, the first in the file is named."""
        second = [attrs.evolve(policy, name="second") for policy in (PAUSE, DENY)]
        verdict = bound(PAUSE, DENY, *second).evaluate(BAD, 0)
        self.assertEqual((verdict.pause, verdict.deny), (PAUSE, DENY))

    def test_every_action(self):
        """Every action that a file can name exists."""
        self.assertEqual(set(ACTIONS), {"pause", "deny", "alert", "throttle"})

    def test_bad_condition(self):
        """A condition outside the language is found when rules are made."""
        self.assertRaises(ExpressionError, Rules.of, [attrs.evolve(PAUSE, condition="open('x')")])


class ThrottleTests(SynchronousTestCase):
    """`throttle`: a slower bucket while the condition holds."""

    def test_bucket(self):
        """The bucket lasts as long as the policy: what was taken is still taken at the next call."""
        rules = bound(THROTTLE)
        [throttle] = rules.evaluate(BAD, 0).throttles
        self.assertEqual([throttle.bucket.take(0) for _ in range(3)], [True, True, False])
        self.assertEqual(rules.evaluate(GOOD, 1).throttles, ())
        self.assertEqual(rules.evaluate(BAD, 1).throttles[0].bucket.wait(1), 29)

    def test_each_agent_its_own(self):
        """One agent's calls do not slow down another's."""
        rules = Rules.of([THROTTLE])
        buckets = [rules.bind(agent, ()).evaluate(BAD, 0).throttles[0].bucket for agent in ("writer", "reader")]
        buckets[0].take(0, 2)
        self.assertEqual([bucket.available(0) for bucket in buckets], [0, 2])


class AlertTests(SynchronousTestCase):
    """`alert`: once per cooldown."""

    def heard(self, policy, times):
        rules = bound(policy)
        return [len(rules.evaluate(BAD, now).alerts) for now in times]

    def test_cooldown(self):
        """While its condition holds an alert speaks once per cooldown, five minutes where none is given."""
        self.assertEqual(self.heard(ALERT, (0, 1, 59.9, 60, 61, 200)), [1, 0, 0, 1, 0, 1])
        self.assertEqual(self.heard(attrs.evolve(ALERT, params={}), (5, 304.9, 305)), [1, 0, 1])

    def test_what_is_done_is_told(self):
        """A policy that denies or slows down says so when it begins, and not at every call."""
        for policy in (DENY, THROTTLE):
            self.assertEqual(self.heard(policy, (0, 1, 299, 300)), [1, 0, 0, 1])

    def test_no_cooldown(self):
        """A cooldown of 0 lets it speak at every look."""
        self.assertEqual(self.heard(attrs.evolve(ALERT, params={"cooldown": 0.0}), (0, 0, 1)), [1, 1, 1])


class PauseTests(SynchronousTestCase):
    """`pause`, and an operator who knows better."""

    def test_until_resumed(self):
        """A pause is said as long as its condition holds."""
        rules = bound(PAUSE)
        self.assertEqual([rules.evaluate(facts, 0).pause for facts in (BAD, BAD, GOOD)], [PAUSE, PAUSE, None])

    def test_overruled(self):
        """After an operator's resume the same trouble pauses no more; new trouble does."""
        rules = bound(PAUSE, DENY)
        rules.overrule(BAD)
        self.assertEqual((rules.evaluate(BAD, 0).pause, rules.evaluate(BAD, 0).deny), (None, DENY))
        self.assertEqual([rules.evaluate(facts, 1).pause for facts in (GOOD, BAD)], [None, PAUSE])

    def test_overruled_and_well_at_once(self):
        """New trouble pauses also where the old one ceased before anybody asked; a reload does not forget an overruling."""
        rules = bound(PAUSE)
        rules.overrule(BAD)
        self.assertEqual([rules.evaluate(facts, 1).pause for facts in (GOOD, BAD)], [None, PAUSE])
        rules.overrule(BAD)
        again = Rules.of([PAUSE]).bind("writer", (), rules)
        self.assertEqual([again.evaluate(facts, 1).pause for facts in (BAD, GOOD, BAD)], [None, None, PAUSE])
        again.overrule(BAD)
        again = Rules.of([PAUSE]).bind("writer", (), again)
        self.assertEqual([again.evaluate(facts, 1).pause for facts in (GOOD, BAD)], [None, PAUSE])

    def test_resumed_without_trouble(self):
        """An operator's resume while all is well takes nothing from a policy."""
        rules = bound(PAUSE)
        rules.overrule(GOOD)
        self.assertEqual(rules.evaluate(BAD, 0).pause, PAUSE)


class NarrowingTests(SynchronousTestCase):
    """`agents:`: whom a policy is about."""

    def test_by_id_or_tag(self):
        """A policy narrowed to ids or tags is about these agents only; one without is about all."""
        narrow = attrs.evolve(PAUSE, agents=("writer", "prod"))
        about = [("writer", ()), ("reader", ("prod", "eu")), ("reader", ("dev",)), ("prod-2", ())]
        found = [bound(narrow, agent=agent, tags=tags).evaluate(BAD, 0).pause for agent, tags in about]
        self.assertEqual(found, [narrow, narrow, None, None])
        self.assertEqual(bound(PAUSE, agent="anyone").evaluate(BAD, 0).pause, PAUSE)


class ReloadTests(SynchronousTestCase):
    """New policies for an agent that runs."""

    def test_memory_is_kept(self):
        """A policy that did not change keeps its bucket and its cooldown; one that did begins anew."""
        before = bound(THROTTLE, ALERT)
        before.evaluate(BAD, 0).throttles[0].bucket.take(0, 2)
        same = Rules.of([ALERT, THROTTLE, DENY]).bind("writer", (), before).evaluate(BAD, 1)
        self.assertEqual((same.alerts, same.throttles[0].bucket.available(1), same.deny), ((DENY,), 0, DENY))
        faster = attrs.evolve(THROTTLE, params={"rate": Rate(5, 60)})
        changed = Rules.of([faster]).bind("writer", (), before).evaluate(BAD, 1)
        self.assertEqual(changed.throttles[0].bucket.available(1), 5)
