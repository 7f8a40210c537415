"""What a release is made of: every version pinned, every file known by its hash."""

import configparser
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from twisted.trial.unittest import SynchronousTestCase

ROOT = Path(__file__).resolve().parents[2]
LOCK = ROOT / "packaging" / "requirements.txt"


def wanted() -> list[Requirement]:
    """What `setup.cfg` says is needed at run time, with what the image has besides: the stores that are shared."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    texts = config["options"]["install_requires"] + config["options.extras_require"]["shared"]
    return [Requirement(line) for line in texts.split("\n") if line]


def locked() -> dict[str, list[str]]:
    """The requirements by name: each line of one, the hashes behind it."""
    text = "\n".join(line for line in LOCK.read_text().splitlines() if not line.lstrip().startswith("#"))
    found: dict[str, list[str]] = {}
    for entry in re.split(r"\n(?=\S)", text):
        lines = [line.rstrip(" \\") for line in entry.splitlines()]
        found.setdefault(canonicalize_name(Requirement(lines[0]).name), []).extend(lines)
    return found


def needed(requirement: Requirement, seen: set[str]) -> Iterator[str]:
    """The names of a requirement and of all it needs here, as those that are installed say it."""
    name = canonicalize_name(requirement.name)
    key = f"{name}{sorted(requirement.extras)}"
    if key in seen:
        return
    seen.add(key)
    yield name
    try:
        further = [Requirement(text) for text in requires(requirement.name) or ()]
    except PackageNotFoundError:
        return
    for one in further:
        extras = requirement.extras or {""}
        if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras):
            yield from needed(one, seen)


class RequirementsTests(SynchronousTestCase):
    """`packaging/requirements.txt`, which `packaging/lock.sh` writes."""

    def test_versions(self) -> None:
        """All that `setup.cfg` wants is there, in a version that it takes."""
        lock = locked()
        for requirement in wanted():
            pinned = Requirement(lock[canonicalize_name(requirement.name)][0])
            [version] = [one.version for one in pinned.specifier if one.operator == "=="]
            self.assertTrue(requirement.specifier.contains(version), f"{requirement}: {version}")

    def test_complete(self) -> None:
        """So is what that needs in turn."""
        seen: set[str] = set()
        names = {name for requirement in wanted() for name in needed(requirement, seen)}
        self.assertGreater(len(names), len(wanted()))
        self.assertEqual(names - locked().keys(), set())

    def test_hashes(self) -> None:
        """Each is one version with the hashes of its files, and from wherever the reader gets packages."""
        for name, lines in locked().items():
            for line in lines:
                self.assertRegex(
                    line, rf"(?i)^({name.replace('-', '[-_.]')}==[^ ]+( ;.*)?|    --hash=sha256:[0-9a-f]{{64}})$"
                )
            self.assertGreater(len([line for line in lines if "--hash" in line]), 0, name)
        self.assertNotIn("://", LOCK.read_text())

    def test_used(self) -> None:
        """The image is made of these and of nothing else."""
        text = (ROOT / "packaging" / "Dockerfile").read_text()
        installs = re.findall(r"pip install(.*?)(?= \\\n|\n)", text)
        self.assertEqual(len(installs), 2)
        self.assertIn("--require-hashes --only-binary :all: -r /source/packaging/requirements.txt", installs[0])
        self.assertIn("--no-deps --no-build-isolation", installs[1])
