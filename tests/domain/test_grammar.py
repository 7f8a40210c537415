"""What a condition may not say: found at start, with its place."""

from twisted.trial.unittest import SynchronousTestCase

from agentgateway.domain.grammar import parse
from agentgateway.domain.lexicon import ExpressionError

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


class RefusalTests(SynchronousTestCase):
    """Conditions that stop the start."""

    def refused(self, text):
        error = self.assertRaises(ExpressionError, parse, text)
        self.assertTrue(1 <= error.column <= len(text) + 1, (text[:80], error.column))
        self.assertTrue(error.message and len(str(error)) < 600, text[:80])
        return error

    def test_hostile(self):
        """Calls, attributes, subscripts, growth, wrong kinds and nonsense are refused with a column."""
        self.assertGreater(len(HOSTILE), 100)
        for text in HOSTILE:
            self.refused(text.encode().decode("unicode_escape") if "\\u" in text else text)

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
