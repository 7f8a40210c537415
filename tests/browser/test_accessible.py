"""The dashboard before an accessibility checker."""

import hashlib
import subprocess
from pathlib import Path
from unittest import SkipTest

from tests.browser.base import ROOT, BrowserTestCase
from tests.browser.gateway import TOKEN

AXE = "axe-core@4.14.1"
AXE_SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"


def axe() -> str:
    """The accessibility checker, from the npm registry into a folder that git ignores."""
    folder = ROOT / ".cache" / "axe"
    script = folder / "node_modules" / "axe-core" / "axe.min.js"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        try:
            command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), AXE]
            subprocess.run(command, check=True, capture_output=True, timeout=120)
        except (OSError, subprocess.SubprocessError) as error:
            raise SkipTest(f"{AXE} could not be installed with npm: {error}")
    text = Path(script).read_text(encoding="utf-8")
    if hashlib.sha256(text.encode()).hexdigest() != AXE_SHA256:
        raise AssertionError(f"{script} is not what it was when this test was written")
    return text


class AccessibleTests(BrowserTestCase):
    """What a screen reader and weak eyes meet."""

    def test_accessible(self) -> None:
        """The accessibility checker has nothing serious to say, of any view, wide or narrow."""
        self.gateway.call("coder", "gpt-4o")
        stream = self.gateway.stream("scribe")
        self.addCleanup(stream.close)
        found = []
        for width in (1280, 390):
            self.size(width, 800)
            for view in ("agents", "agents/coder", "calls", "streams", "alerts", "providers"):
                self.open(view)
                self.until(lambda: not self.all(".spinner"))
                found += [(width, view, *problem) for problem in self.problems()]
        self.assertEqual(found, [])

    def problems(self) -> list[tuple[str, list[str]]]:
        """What is seriously wrong with what is shown now, and where."""
        self.browser.execute_script(axe())
        result = self.browser.execute_async_script("axe.run().then(arguments[arguments.length - 1])")
        return [
            (violation["id"], [node["target"] for node in violation["nodes"]][:3])
            for violation in result["violations"]
            if violation["impact"] in ("serious", "critical")
        ]

    def test_dialogs(self) -> None:
        """Nor has it of a record's details, of what asks for the token, and of the question that follows."""
        self.gateway.call("coder", "gpt-4o")
        self.open("calls")
        self.until(lambda: self.one("table.records tbody button")).click()
        self.until(lambda: self.all("dialog.record"))
        self.assertEqual(self.problems(), [])
        self.click("Close", "dialog")
        self.browser.execute_script("location.hash = '#/agents/coder'")
        self.click("Change budget")
        self.until(lambda: self.all("dialog input[name=token]"))
        self.assertEqual(self.problems(), [])
        self.fill("dialog input[name=token]", TOKEN)
        self.click("Log in", "dialog")
        self.until(lambda: self.all("dialog input[name=max_cost_total]"))
        self.assertEqual(self.problems(), [])

    def test_quiet(self) -> None:
        """A filter's outcome is announced; what goes by in a feed by itself is not."""
        self.gateway.call("coder")
        self.open("calls")
        self.until(lambda: "1 of the last 1" in self.text(".found"))
        self.gateway.call("scribe")
        self.until(lambda: "2 of the last 2" in self.text(".found"))
        self.assertIsNone(self.one(".found").get_attribute("role"))
        self.assertEqual(self.one("#said").get_attribute("textContent"), "")
        self.fill("input[type=search]", "scribe")
        self.until(lambda: self.one("#said").get_attribute("textContent") == "1 of the last 2")

    def test_announced(self) -> None:
        """What happens by itself is announced: how the connection stands, that it is lost, what an action led to."""
        self.open("agents/coder")
        roles = {name: self.one(name).get_attribute("role") for name in ("#connection", "#banner", "#toasts", "#said")}
        self.assertEqual(roles, {"#connection": "status", "#banner": "alert", "#toasts": "status", "#said": "status"})
