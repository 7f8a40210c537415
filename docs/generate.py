"""Writes the parts of the documentation that the code knows best into its pages: `python docs/generate.py`.

A part stands between `<!-- generated: NAME -->` and `<!-- end -->`, in any page here or in README.md, and is replaced
as a whole. `--check` changes nothing and exits 1 where a page is not as it would be written. Figures are written from
`benchmarks/results.json` where that exists, pictures from `docs/images`; these are not checked, since neither says
whether the page is right; nor are the commands' helps, whose layout is click's.
"""

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from reference import commands, configuration, names, providers, reasons

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results.json"
PAGES = (*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md")
UNCHECKED = frozenset({"commands", "performance", "performance-short", "screenshots"})

_BLOCK = re.compile(r"(<!-- generated: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

COLUMNS: tuple[tuple[str, str, str], ...] = (
    ("cpu_us", "CPU per call, µs", "{:.0f}"),
    ("calls_per_s", "calls/s", "{:,.0f}"),
    ("p50_ms", "p50, ms", "{:.2f}"),
    ("p99_ms", "p99, ms", "{:.1f}"),
    ("chunk_cpu_us", "CPU per chunk, µs", "{:.0f}"),
    ("first_byte_p50_ms", "first byte p50, ms", "{:.1f}"),
    ("stream_kb", "per open stream, KB", "{:.0f}"),
    ("idle_mb", "idle, MB", "{:.0f}"),
    ("start_s", "start, s", "{:.2f}"),
)
SHORT_COLUMNS = ("cpu_us", "calls_per_s", "chunk_cpu_us", "first_byte_p50_ms", "stream_kb")


def performance(wanted: tuple[str, ...] = tuple(name for name, _, _ in COLUMNS)) -> str:
    """The latest results of `make bench`, or how to get some."""
    if not RESULTS.exists():
        return "`make bench` measures it on your machine and prints a table."
    results = json.loads(RESULTS.read_text())
    columns = [column for column in COLUMNS if column[0] in wanted]
    lines = ["| | " + " | ".join(head for _, head, _ in columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for name, figures in results["subjects"].items():
        cells = [style.format(figures[key]) if key in figures else "" for key, _, style in columns]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    machine = results.get("machine", {})
    where = f"{machine.get('cores')} cores, Python {machine.get('python')}, {machine.get('system')}"
    return "\n".join([*lines, "", f"Measured by `make bench` on {where}."])


def screenshots() -> str:
    """The pictures there are, for README.md."""
    pictures = sorted((ROOT / "docs" / "images").glob("*.png"))
    shown = [f"![{picture.stem.replace('-', ' ')}](docs/images/{picture.name})" for picture in pictures]
    return "\n\n".join(["The dashboard:", *shown]) if shown else ""


PARTS: Mapping[str, Callable[[], str]] = {
    "configuration": configuration,
    "providers": providers,
    "names": names,
    "reasons": reasons,
    "commands": commands,
    "performance": performance,
    "screenshots": screenshots,
    "performance-short": lambda: performance(SHORT_COLUMNS),
}


def renewed(text: str, checking: bool = False) -> str:
    """A page with its generated parts as they should be; while checking, figures stay as they are."""

    def part(match: re.Match[str]) -> str:
        if checking and match[2] in UNCHECKED:
            return match[0]
        return match[1] + PARTS[match[2]]().rstrip() + "\n" + match[3]

    return _BLOCK.sub(part, text)


def stale() -> list[Path]:
    """The pages whose generated parts are out of date."""
    return [page for page in PAGES if renewed(page.read_text(), checking=True) != page.read_text()]


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit("\n".join(f"{page.relative_to(ROOT)}: run python docs/generate.py" for page in stale()) or 0)
    for page in PAGES:
        page.write_text(renewed(page.read_text()))
