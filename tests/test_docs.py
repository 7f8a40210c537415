"""Tests of the documentation: what it shows works, what it names is there, and what it generates is up to date."""

import ast
import importlib
import json
import re
import shlex
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from twisted.trial.unittest import SynchronousTestCase

from agentgateway.cli.main import COMMANDS, main
from agentgateway.config.load import parse
from agentgateway.config.secret import SecretReader
from agentgateway.config.structure import Structure
from agentgateway.domain.refusal import STATUS

ROOT = Path(__file__).resolve().parents[1]
PAGES = (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def script(name: str) -> Any:
    """A script of the documentation's own, as a module."""
    sys.path.insert(0, str(ROOT / "docs"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(ROOT / "docs"))


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """(where it stands, its text) of each block in that language."""
    for page in PAGES:
        text = page.read_text()
        for match in FENCE.finditer(text):
            if match[1] == language:
                yield f"{page.name}:{text.count(chr(10), 0, match.start()) + 1}", match[2]


def commands() -> Iterator[tuple[str, list[str]]]:
    """(where, words) of each command in a shell block, continued lines joined."""
    for where, text in blocks("sh"):
        for line in text.replace("\\\n", " ").splitlines():
            if line.strip():
                yield where, shlex.split(line, comments=True)


def anchor(heading: str) -> str:
    """The anchor of a heading, as MyST and GitHub make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    """All anchors of a page."""
    text = FENCE.sub("", page.read_text())
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}


class GeneratedTests(SynchronousTestCase):
    """What the code knows best."""

    def test_up_to_date(self) -> None:
        """Tables of keys, names, reasons and commands say what the code says; if not: `python docs/generate.py`."""
        self.assertEqual([page.name for page in script("generate").stale()], [], "run python docs/generate.py")

    def test_every_key(self) -> None:
        """Every key that the file may have is in the reference, with a meaning, and no other."""
        reference, structure = script("reference"), Structure(SecretReader({}), {})
        comments = reference.commented((ROOT / "gateway.yaml").read_text())
        sections = {cls: list(reference.keys(cls, where, comments)) for _, cls, where in reference.SECTIONS}
        self.assertEqual(set(sections), set(structure._readers()))
        for cls, rows in sections.items():
            self.assertEqual({row[0] for row in rows}, set(structure._record(cls).known), cls)
            self.assertEqual([row[0] for row in rows if not row[3]], [], cls)

    def test_every_command(self) -> None:
        """Every command is there with all its options."""
        text = (ROOT / "docs" / "command-line.md").read_text()
        for name in COMMANDS:
            section = text.partition(f"## agentgateway {name}\n")[2].partition("\n## ")[0]
            command = main.get_command(click.Context(main), name)
            assert command is not None
            options = [option for parameter in command.params for option in parameter.opts if option.startswith("-")]
            self.assertEqual([option for option in options if option not in section], [], name)

    def test_figures(self) -> None:
        """Results of a benchmark become a table with a row for each subject."""
        generate = script("generate")
        self.patch(generate, "RESULTS", Path(self.mktemp()))
        self.assertIn("make bench", generate.performance())
        found = {"subjects": {"gateway": {"cpu_us": 41.6, "stream_kb": 9.6}}, "machine": {"cores": 2}}
        generate.RESULTS.write_text(json.dumps(found))
        self.assertIn("| gateway | 42 |  |", generate.performance())


class ShownTests(SynchronousTestCase):
    """What a reader would copy."""

    def test_configurations(self) -> None:
        """Each YAML block is a configuration that the gateway takes."""
        shown = list(blocks("yaml"))
        self.assertGreater(len(shown), 10)
        for where, text in shown:
            environ = defaultdict(lambda: "some-value")
            environ.update(ALERT_WEBHOOK="https://alerts.example.com/hook", STATE_DIRECTORY="/var/lib/agentgateway")
            environ.update(
                REDIS_URL="redis://redis:6379", DATABASE_URL="postgresql://agentgateway@postgres/agentgateway"
            )
            parse(text, where, _Everything(environ))

    def test_commands(self) -> None:
        """Each `agentgateway` line has a command, options and arguments that exist."""
        seen = set()
        for where, words in commands():
            for at, word in enumerate(words):
                if word == "agentgateway" and at + 1 < len(words) and words[at + 1] in COMMANDS:
                    rest = words[at + 2 :]
                    rest = rest[: next((i for i, each in enumerate(rest) if each in ("|", "&&", ";")), len(rest))]
                    command = main.get_command(click.Context(main), words[at + 1])
                    assert command is not None
                    try:
                        command.make_context(words[at + 1], rest)
                    except click.UsageError as error:
                        self.fail(f"{where}: {shlex.join(words)}: {error.format_message()}")
                    seen.add(words[at + 1])
        self.assertLessEqual({"status", "logs", "budget", "pause", "check", "reload"}, seen)

    def test_targets(self) -> None:
        """Each `make` line names a target of the Makefile."""
        targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
        named = {words[1] for _, words in commands() if words[0] == "make"}
        self.assertLessEqual(named, targets)
        self.assertLessEqual({"run", "demo"}, named)

    def test_programs(self) -> None:
        """Python parses, JSON too."""
        for where, text in blocks("python"):
            ast.parse(text, where)
        for _, text in blocks("json"):
            json.loads(text)


class NamedTests(SynchronousTestCase):
    """What the pages point at."""

    def test_reasons(self) -> None:
        """Every reason for which a call is refused has a section of its own."""
        self.assertEqual(set(STATUS) - anchors(ROOT / "docs" / "troubleshooting.md"), set())

    def test_links(self) -> None:
        """Every link to a page, a heading or a file leads there."""
        broken = []
        for page in PAGES:
            for target in LINK.findall(FENCE.sub("", page.read_text())):
                if re.match(r"[a-z]+:", target):
                    continue
                path, _, heading = target.partition("#")
                file = (page.parent / path).resolve() if path else page
                if not file.exists() or (heading and heading not in anchors(file)):
                    broken.append(f"{page.name}: {target}")
        self.assertEqual(broken, [])

    def test_files(self) -> None:
        """Every file of the project that is named is there."""
        missing = []
        for page in PAGES:
            for path in re.findall(r"`((?:tests|packaging|benchmarks|docs|agentgateway)/[\w./-]+)`", page.read_text()):
                if not (ROOT / path).exists() and path != "benchmarks/results.json":
                    missing.append(f"{page.name}: {path}")
        self.assertEqual(missing, [])

    def test_every_page(self) -> None:
        """Every page is in the table of contents."""
        listed = set(re.findall(r"^([a-z-]+)$", (ROOT / "docs" / "index.md").read_text(), re.MULTILINE))
        self.assertEqual(listed, {page.stem for page in (ROOT / "docs").glob("*.md")} - {"index"})


class _Everything(dict[str, str]):
    """An environment in which every variable is set."""

    def __init__(self, known: "defaultdict[str, str]") -> None:
        self._known = known

    def get(self, name: str, default: Any = None) -> Any:
        """Whatever is asked for."""
        return self._known[name]
