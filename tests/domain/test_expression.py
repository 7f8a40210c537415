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

HOSTILE = """
__import__('os').system('true')
open('/etc/passwd')
eval("1")
exec("1")
len(tags) > 1
model.upper() == "X"
model.__class__ == 1
tags.clear()
().__class__.__bases__[0]
tags[0] == "prod"
model[0] == "c"
[1, 2, 3]
[x for x in tags]
{1: 2}
{"a"}
{x for x in tags}
(x for x in tags)
lambda: 1
lambda x: x
(x := 1)
x := 1
error_rate = 1
error_rate == 1; error_rate == 2
2 ** 100 > 1
10**10**10 > 1
error_rate // 2 > 1
error_rate % 2 > 1
"a" * 1000000000 == "a"
'a' * 999999999
1000000000 * "a" == model
"a" + "b" == model
model + model == "x"
"%1000000000d" % 1 == "x"
f"{model}" == "x"
r"x" == model
b"x" == model
u"x" == model
"x" "y" == model
"x\\x41" == model
"unfinished
'unfinished
"no good'
error_rate > 1e999
error_rate > 1e16
error_rate > 99999999999999999999
error_rate > 0.00000000000000000000000000000000000000001
error_rate > 0x10
error_rate > 1j
error_rate > 1_000
error_rate > 1.2.3
error_rate > ..5
error_rate > 1e
error_rate & 1
error_rate | 1
error_rate ^ 1
~error_rate > 1
error_rate << 9
error_rate >> 9
error_rate <> 1
error_rate && calls_this_hour
error_rate > 1 || true
!true
error_rate === 1
error_rate is None
None
True
error_rate if true else 1
1 if error_rate > 1 else 2
error_rate > 1 if true
yield
await error_rate
import os
del tags
assert true
global x
print
__builtins__
__name__ == "x"
facts
facts.error_rate > 1
self.error_rate > 1
eror_rate > 0.5
cost > 5
hour > 3
error_rate
error_rate and true
calls_this_hour or true
not error_rate
not model
tags
"prod"
1
1 + 1
-1
error_rate > 1 and
and error_rate > 1
error_rate >
> 1
error_rate > 1 error_rate > 2
error_rate error_rate
(error_rate > 1
error_rate > 1)
()
(()) > 1
((error_rate > 1)
(1, 2) == (1, 2)
("a", "b") == model
model in ()
model in ("a", 1)
model in (1, 2)
model in ("a", model)
model in ("a" "b")
model in ("a",,)
error_rate in (("a",), 1)
1 in tags
error_rate in tags
tags in tags
tags in model
model in 5
model in error_rate
"a" in ("b" in tags)
model > 5
model == 5
5 == model
error_rate == "high"
error_rate > "0.5"
tags == "prod"
tags > 1
-model == "x"
-tags
- true
true == true
true + 1 > 1
(error_rate > 1) == (error_rate > 2)
(error_rate > 1) + 1 > 1
(error_rate > 1) < 2
error_rate > 1 > "x"
not
not not
error_rate not > 1
error_rate not
error_rate in not tags
error_rate > not true
@x
$x
`x`
error_rate > 1 # comment
error_rate > 1 \\
error_rate ? 1 : 2
error_rate > 1, error_rate > 2
error_rate > \u0665
\u0435rror_rate > 1
error_rate\u00a0> 1
error_rate > 1\u0000
\ud800
*tags
**tags
...
""".strip().splitlines()

DEEP = ["(" * 1000 + "1" + ")" * 1000, "not " * 490 + "true", "-" * 1990 + "1 > 0", "(" * 33 + "true" + ")" * 33]
DEEP += ["1+" * 999 + "1", "9e14*" * 390 + "1 > 0", "(" * 100_000, "x" * 3000, " or ".join(["true"] * 200), "[" * 1999]
DEEP += ["not " * 33 + "true", "-" * 33 + "1 > 0", "", "   ", "\n"]


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


class RefusalTests(SynchronousTestCase):
    """What a condition may not say: found at start, with its place."""

    def refused(self, text):
        error = self.assertRaises(ExpressionError, compile_condition, text)
        self.assertTrue(1 <= error.column <= len(text) + 1, (text[:80], error.column))
        self.assertTrue(error.message and len(str(error)) < 600, text[:80])
        return error

    def test_hostile(self):
        """Calls, attributes, subscripts, growth, wrong kinds and nonsense are refused with a column."""
        self.assertGreater(len(HOSTILE), 100)
        for text in HOSTILE:
            self.refused(text.encode().decode("unicode_escape") if "\\u" in text else text)

    def test_deep_and_long(self):
        """Length and nesting are limited before anything is parsed."""
        for text in DEEP:
            self.refused(text)

    def test_columns(self):
        """The column is that of the mistake, and the message says what was expected."""
        for text, column, said in [
            ("model > 5", 7, "string and a number"),
            ("error_rate > 0.5 and open('x')", 22, "unknown name 'open'"),
            ("eror_rate > 1", 1, "did you mean 'error_rate'"),
            ("model.x == 1", 6, "unexpected '.'"),
            ("error_rate > 1 && true", 16, "write 'and'"),
            ("error_rate = 1", 12, "compare with =="),
            ("(error_rate > 1", 16, "'(' of column 1"),
            ("true and error_rate", 10, "joins comparisons"),
            ("cost_today + 'x' > 1", 12, "needs numbers"),
            ("error_rate > 1e99", 14, "at most 1e+15"),
            ("error_rate", 1, "must compare something"),
            ("model == 'x", 10, "does not end"),
            ("error_rate > ", 14, "the end"),
        ]:
            error = self.refused(text)
            self.assertEqual(error.column, column, text)
            self.assertIn(said, error.message)

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
