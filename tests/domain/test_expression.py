"""Policy conditions: what they can say, and what they refuse to."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.expression import NAMES, ExpressionError, compile_condition


def facts(**changes):
    """A plausible agent, with `changes`."""
    values = {name: 0 for name, kind in NAMES.items() if kind == "number"}
    values |= {"id": "writer", "status": "active", "model": "claude-opus-4", "provider": "anthropic"}
    values |= {"tags": ("prod", "team-a"), "error_rate": 0.6, "calls_this_hour": 40, "cost_this_hour": 2.5}
    return SimpleNamespace(**(values | changes))


TRUE = """
error_rate > 0.5
error_rate >= .6
error_rate > 0.5 and calls_this_hour > 10
0.5 < error_rate < 0.7
error_rate == 0.6
calls_this_hour != 41
calls_this_hour == 4e1
-error_rate < -0.5
- -error_rate > 0
cost_this_hour + 1 * 2 == 4.5
(cost_this_hour + 1) * 2 == 7
10 - 4 - 3 == 3
16 / 4 / 2 == 2
cost_this_hour / calls_this_hour < 0.1
"prod" in tags
"canary" not in tags
not "canary" in tags
"opus" in model
'haiku' not in model
status == 'active'
status != "paused"
status in ("active", "idle")
status in ("active",)
status in ("active")
status not in ("inactive")
calls_this_hour in (20, 40)
"opus" in (model)
id == "writer" and provider == "anthropic"
true
not false
false or true
true or false and false
not (error_rate < 0.5 or status == "paused")
(error_rate > 0.5)
((error_rate)) > (0.5)
error_rate > 0.5 and (status == "active" or status == "idle") and not "canary" in tags
id != "it's"
id != '"'
id < "x"
""".strip().splitlines()

FALSE = """
error_rate > 0.6
error_rate > 0.5 and calls_this_hour > 40
0.5 < error_rate < 0.6
"pro" in tags
status in ("paused", "idle")
status in ("inactive")
not true
false
not not false
""".strip().splitlines()

UNKNOWN = """
cost_today / call_count > 1
not cost_today / call_count > 1
1 / 0 == 1
1 / 0 != 1
call_count / 0 > 1 and true
true and 1 / call_count > 0
model == "x"
model != "x"
not model == "x"
model not in ("x", "y")
model in ("x", "y")
(model) != "x"
"a" in model
"a" not in model
tokens_this_hour > 1
tokens_this_hour < 1
not tokens_this_hour > 1
tokens_this_hour == 0
tokens_this_hour != 0
tokens_this_hour + 1 > 0
-tokens_this_hour < 0
0 <= tokens_this_hour != 5
tokens_this_hour not in (1, 2)
tokens_this_hour > 1 or error_rate > 0.9
""".strip().splitlines()


class LanguageTests(SynchronousTestCase):
    """What a condition may say."""

    def test_true(self):
        """Comparisons, arithmetic, membership and logic mean what they mean in Python."""
        for text in TRUE:
            self.assertIs(compile_condition(text)(facts()), True, text)

    def test_false(self):
        """And they are false where that is so."""
        for text in FALSE:
            self.assertIs(compile_condition(text)(facts()), False, text)

    def test_unknown(self):
        """What rests on a missing value or a division by zero is false, negated or not, and never raises."""
        for text in UNKNOWN:
            self.assertIs(compile_condition(text)(facts(model=None, tokens_this_hour=None)), False, text)

    def test_unknown_does_not_hide_the_rest(self):
        """One missing value leaves the other side of an `or` to decide, whichever comes first."""
        for text in ("model == 'x' or error_rate > 0.5", "error_rate > 0.5 or model == 'x'", "1 / 0 > 1 or not false"):
            self.assertIs(compile_condition(text)(facts(model=None)), True, text)
        self.assertIs(compile_condition("not (model == 'x' and error_rate > 0.9)")(facts(model=None)), True)

    def test_absent_attribute(self):
        """Facts that lack a name altogether count as a missing value."""
        self.assertIs(compile_condition("error_rate > 0")(object()), False)

    def test_several_lines(self):
        """A condition may be folded over lines, as YAML folds it."""
        self.assertTrue(compile_condition("error_rate > 0.5\n  and calls_this_hour\t> 10\n")(facts()))

    def test_keeps_text_and_names(self):
        """The text is kept for messages, and only the names used are ever read."""
        condition = compile_condition("cost_today > 3 or not error_rate < 1")
        self.assertEqual(condition.text, "cost_today > 3 or not error_rate < 1")
        self.assertEqual(condition.names, {"cost_today", "error_rate"})
        self.assertTrue(condition(SimpleNamespace(cost_today=4, error_rate=0)))

    def test_every_name(self):
        """Every documented name can be used with its own kind."""
        example = {"number": "{} == 1", "string": "{} == 'x'", "set of tags": "'x' in {}"}
        for name, kind in NAMES.items():
            compile_condition(example[kind].format(name))

    def test_huge_products(self):
        """The largest numbers the language can make stay small and harmless."""
        self.assertFalse(compile_condition("*".join(["1e15"] * 120) + " < 0")(facts()))
        self.assertFalse(compile_condition("error_rate * " + "*".join(["999999999999999"] * 100) + " < 0")(facts()))


class AnyTextTests(SynchronousTestCase):
    """What nobody thought of."""

    @given(st.text(max_size=60))
    def test_any_text(self, text):
        """Any text at all compiles or is refused with a column; nothing else can happen."""
        self.compiles_or_refuses(text)

    @given(st.lists(st.sampled_from([*NAMES, *"+-*/(),<>\"'", "==", "and", "or", "not", "in", "1", "'a'", "true"])))
    def test_any_words(self, words):
        """Any row of the language's own words compiles or is refused, and what compiles never raises."""
        self.compiles_or_refuses(" ".join(words))

    def compiles_or_refuses(self, text):
        try:
            condition = compile_condition(text)
        except ExpressionError as error:
            self.assertTrue(1 <= error.column <= len(text) + 1)
        else:
            self.assertIsInstance(condition(facts()), bool)
            self.assertIsInstance(condition(facts(model=None, error_rate=None)), bool)
