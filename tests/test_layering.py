"""The shape of the package: what may import what, what the pure parts must not touch, and a test file for each file."""

import ast
from collections.abc import Iterator
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "agentgateway"
PURE = ("domain/", "providers/", "pipeline/", "config/schema.py")
WORLD = frozenset(
    {
        *("twisted", "treq", "autobahn", "socket", "ssl", "select", "selectors", "asyncio", "threading", "subprocess"),
        *("multiprocessing", "os", "io", "pathlib", "shutil", "tempfile", "sqlite3", "signal", "sys", "logging"),
        *("random", "secrets", "uuid", "http", "urllib.request"),
    }
)
"""Modules through which a pure file could reach the world: the reactor, the clock, files, chance."""
CLOCKS = frozenset({"time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "localtime", "sleep"})
"""Names of the module `time` that read the clock or the machine's time zone; strftime and gmtime only reckon."""
NOWS = frozenset({"now", "today", "utcnow"})
BUILTINS = frozenset({"open", "print", "input", "breakpoint", "__import__"})
LAYERS = {
    "domain": {"domain", "config.schema", "errors"},
    "providers": {"providers", "domain", "config.schema", "errors"},
    "pipeline": {"pipeline", "providers", "domain", "config.schema", "errors"},
    "config": {"config", "domain", "errors"},
    "wire": {"wire"},
    "web": {
        "web",
        "config.tree",
        "wire",
        "pipeline",
        "providers",
        "domain",
        "config.schema",
        "errors",
        "interfaces",
        "admin",
        "",
    },
    "ops": {"ops", "wire", "pipeline", "providers", "domain", "config.schema", "errors", "interfaces", "admin", ""},
    "stores": {"stores", "pipeline", "providers", "domain", "config.schema", "errors", "interfaces"},
    "workers": {"workers", "ops", "config", "stores.files", "errors", "admin"},
    "demo": {"demo", "wire", "errors"},
}
"""Who may import whom, below the files that know everything (service, tap, plugin, cli). "" is the package itself."""
COMPOSING = ("cli/", "service.py", "tap.py", "__main__.py", "workers/worker.py")
MOST_MISSING = 7
"""So many files may be tested by others' tests alone."""
UNTESTED = frozenset({"__init__.py", "__main__.py"})
UNDER_ANOTHER_NAME = {
    "service.py": "web/test_call.py",
    "tap.py": "reality/test_start.py",
    "workers/worker.py": "workers/test_running.py",
    "cli/start.py": "reality/test_start.py",
    "interfaces.py": "stores/contract.py",
    "errors.py": "config/test_load.py",
    "wire/errors.py": "wire/test_pool.py",
}
"""Files whose behaviour is seen elsewhere."""


def sources() -> Iterator[tuple[str, ast.Module]]:
    """(path inside the package, its syntax tree) of every file."""
    for path in sorted(PACKAGE.rglob("*.py")):
        yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(), str(path))


def imports(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    """(module, name or None) of every import, those inside functions too, but not those for the type checker alone."""
    skipped: set[ast.AST] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            skipped.update(inner for part in node.body for inner in ast.walk(part))
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, None) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            yield from ((node.module or "", alias.name) for alias in node.names)


def is_pure(path: str) -> bool:
    """Whether a file belongs to the core."""
    return path.startswith(PURE)


class LayeringTests(SynchronousTestCase):
    """Rules that a review would otherwise have to remember."""

    def test_pure(self) -> None:
        """Domain, providers and pipeline reach neither Twisted nor the clock nor a file."""
        wrong = [
            f"{path}: {module}"
            for path, tree in sources()
            if is_pure(path)
            for module, name in imports(tree)
            if module.split(".")[0] in WORLD or module in WORLD or (module == "time" and name in CLOCKS)
        ]
        self.assertEqual(wrong, [])

    def test_no_clock(self) -> None:
        """Nor do they read the time through an attribute, or the outside through a built-in."""
        wrong = []
        for path, tree in sources():
            if not is_pure(path):
                continue
            for node in ast.walk(tree):
                if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    clock = node.value.id == "time" and node.attr in CLOCKS
                    if clock or (node.value.id in ("datetime", "date") and node.attr in NOWS):
                        wrong.append(f"{path}:{node.lineno}: {ast.unparse(node)}")
                elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BUILTINS:
                    wrong.append(f"{path}:{node.lineno}: {node.func.id}")
        self.assertEqual(wrong, [])

    def test_arrows(self) -> None:
        """Imports point one way: domain <- providers <- pipeline <- web, ops, stores <- the files that compose."""
        wrong = []
        for path, tree in sources():
            if path.startswith(COMPOSING) or "/" not in path:
                continue
            allowed = LAYERS[path.split("/")[0]]
            for module, name in imports(tree):
                if module.split(".")[0] != "agentgateway":
                    continue
                inside = module.removeprefix("agentgateway").removeprefix(".")
                if inside not in allowed and inside.split(".")[0] not in allowed - {""}:
                    wrong.append(f"{path}: {module} ({name})")
        self.assertEqual(wrong, [])

    def test_reactor(self) -> None:
        """The reactor is imported only where everything is put together, and there inside a function."""
        wrong = []
        for path, tree in sources():
            top = {id(node) for node in tree.body}
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module == "twisted.internet":
                    names = [alias.name for alias in node.names]
                    if "reactor" in names and (id(node) in top or not path.startswith(COMPOSING)):
                        wrong.append(f"{path}:{node.lineno}")
        self.assertEqual(wrong, [])

    def test_init_files(self) -> None:
        """An `__init__.py` holds a docstring, and the package's the version besides."""
        for path, tree in sources():
            if path.endswith("__init__.py"):
                rest = [node for node in tree.body[1:] if not isinstance(node, ast.Assign)]
                self.assertEqual(rest, [], path)

    def test_plugin(self) -> None:
        """The plugin is a ServiceMaker and nothing else, and `twisted/` stays a namespace of Twisted's own."""
        folder = ROOT / "twisted"
        self.assertEqual([path for path in folder.rglob("*.py") if path.name == "__init__.py"], [])
        tree = ast.parse((folder / "plugins" / "agentgateway_plugin.py").read_text())
        kinds = [type(node).__name__ for node in tree.body]
        self.assertEqual(kinds, ["Expr", "ImportFrom", "Assign"])

    def test_every_file_has_its_tests(self) -> None:
        """`agentgateway/x/y.py` is tested by `tests/x/test_y.py`, if it does anything."""
        missing = []
        for path, tree in sources():
            folder, _, name = path.rpartition("/")
            does = any(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in ast.walk(tree))
            test = UNDER_ANOTHER_NAME.get(path) or f"{folder}/test_{name}".lstrip("/")
            if does and name not in UNTESTED and not (ROOT / "tests" / test).is_file():
                missing.append(test)
        print("without a test file of their own: " + (", ".join(missing) or "none"))
        self.assertLessEqual(len(missing), MOST_MISSING, "\n" + "\n".join(missing))
