"""Claude Code's command line for tests: installed by npm at first use, into a cache outside the checkout."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

VERSION = "2.1.197"
"""The last one whose package takes Node 20."""
_INSTALL_SECONDS, _RUN_SECONDS = 300, 60


def cached() -> Path:
    """Where this version is, or will be."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "agentgateway-tests" / f"claude-code-{VERSION}"


def program() -> Path | None:
    """The program, installed if need be (235 MB on disk); None where there is neither it nor npm.

    The package's own install script only copies the program from one folder to another, so none is run.
    Raises RuntimeError with npm's words where it cannot install.
    """
    home = cached()
    npm = shutil.which("npm")
    if not home.exists() and npm is not None:
        _install(npm, home)
    return next(home.glob("node_modules/@anthropic-ai/claude-code-*/claude"), None)


def _install(npm: str, home: Path) -> None:
    """Into a folder beside `home`, which then takes its place: half an installation is never found there."""
    home.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(dir=home.parent))
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(fresh)]
    command.append(f"@anthropic-ai/claude-code@{VERSION}")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_INSTALL_SECONDS, check=False)
        if done.returncode:
            raise RuntimeError(f"npm could not install Claude Code: {done.stderr[-2000:]}")
        if not home.exists():
            fresh.rename(home)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def run(claude: Path, home: str, prompt: str, **environment: str) -> tuple[int, str]:
    """(exit status, standard output) of one prompt, in an environment of nothing but `environment` and a bare home."""
    usual = {"PATH": os.defpath, "HOME": home, "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1"}
    done = subprocess.run(
        [str(claude), "-p", prompt, "--output-format", "json"],
        env=usual | environment,
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_RUN_SECONDS,
        check=False,
    )
    return done.returncode, done.stdout
