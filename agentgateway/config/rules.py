"""The fields of one policy: its condition, and the parameters its action takes."""

from collections.abc import Callable, Mapping

from agentgateway.config.addresses import webhook
from agentgateway.config.scalars import attempt, raise_all, rate, raw, seconds, shown
from agentgateway.config.secret import SecretReader
from agentgateway.config.tree import Node, Scalar, Table, Wrong
from agentgateway.domain.expression import ExpressionError, compile_condition

Readers = Mapping[str, Callable[[Node], object]]


def condition(node: Node) -> str:
    """The text of an expression that compiles; the error names the column in that text."""
    value = raw(node, "a condition").replace("\n", " ").strip()
    try:
        compile_condition(value)
    except ExpressionError as error:
        raise Wrong(node, "a condition", f"{shown(node)} ({error})")
    return value


def params(node: Node, secrets: SecretReader) -> Mapping[str, object]:
    """What the action of the policy around `node` takes, already read.

    throttle: `rate` (`Rate`, needed); alert: `webhook` (str, may be env:NAME) and `cooldown` (float seconds).
    """
    action = _action(node)
    readers: dict[str, Readers] = {
        "throttle": {"rate": rate},
        "alert": {"webhook": lambda n: webhook(n, secrets.secret(n).value), "cooldown": _cooldown},
        "pause": {},
        "deny": {},
    }
    if action not in readers:
        return {}
    if not isinstance(node, Table):
        raise Wrong(node, "a mapping", shown(node))
    known = readers[action]
    problems: list[Exception] = []
    found: dict[str, object] = {}
    for name, child in node.entries.items():
        if name not in known:
            problems.append(Wrong(child, f"a parameter of {action}", f'"{name}"', name, tuple(known)))
        elif not (isinstance(child, Scalar) and child.is_null):
            found[name] = attempt(problems, lambda: known[name](child))  # noqa: B023 - called at once
    if action == "throttle" and "rate" not in node.entries:
        problems.append(Wrong(Scalar(node.line, node, "rate", ""), 'the "<count>/<unit>" to throttle to', "nothing"))
    raise_all(problems)
    return found


def _action(node: Node) -> str:
    siblings = node.parent.entries if isinstance(node.parent, Table) else {}
    action = siblings.get("action")
    return action.text if isinstance(action, Scalar) else ""


def _cooldown(node: Node) -> float:
    if isinstance(node, Scalar) and node.plain and node.text == "0":
        return 0.0
    try:
        return seconds(node)
    except Wrong as error:
        raise Wrong(node, "a number of seconds, 0 or more", error.got)
