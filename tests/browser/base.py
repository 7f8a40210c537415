"""What the browser's tests share: a gateway in a process of its own, Chromium in front of it, and calls behind it.

They need Debian's packages `chromium` and `chromium-driver` (or others of that kind: set CHROMIUM and CHROMEDRIVER to
their paths) and Python's `selenium`. Without them they are skipped and say so.
"""

import atexit
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from unittest import SkipTest

from twisted.trial.unittest import SynchronousTestCase

from tests.browser.gateway import TOKEN

try:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
    from selenium.webdriver.common.by import By
    from selenium.webdriver.support.ui import Select
except ImportError:
    webdriver = None

ROOT = Path(__file__).resolve().parents[2]
SCREENSHOTS = ROOT / "screenshots"
"""Written by each run, ignored by git."""
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or ""
CHROMEDRIVER = os.environ.get("CHROMEDRIVER") or shutil.which("chromedriver") or ""
_FLAGS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
)
PATIENCE = 15.0
"""Seconds that anything may take before a test gives up; none of them says how long it should."""


def free_port() -> int:
    """A port that nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Gateway:
    """The process; it can be killed and started again on the same ports."""

    def __init__(self, state: str, agents: int = 0, *more: str) -> None:
        self.port, self.dashboard = free_port(), free_port()
        self._arguments = [str(self.port), str(self.dashboard), state, str(agents), *more]
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it, and wait until it is there."""
        command = [sys.executable, "-m", "tests.browser.gateway", *self._arguments]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        self._process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def stop(self) -> None:
        """End it and wait for its end."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def call(self, agent: str, model: str = "gpt-4o", **headers: str) -> int:
        """One call of an agent, to its end; gives the status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hello"}]})
        fields = {"content-type": "application/json", "authorization": "Bearer x", "x-agent-id": agent, **headers}
        connection.request("POST", "/v1/chat/completions", body, fields)
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status

    def pause(self, agent: str, reason: str) -> None:
        """What an operator does from elsewhere."""
        connection = http.client.HTTPConnection("127.0.0.1", self.dashboard, timeout=PATIENCE)
        fields = {"content-type": "application/json", "authorization": f"Bearer {TOKEN}"}
        connection.request("POST", f"/act/agents/{agent}/pause", json.dumps({"reason": reason}), fields)
        assert connection.getresponse().status == 200
        connection.close()

    def stream(self, agent: str) -> http.client.HTTPResponse:
        """A streamed answer that has begun and takes a minute."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        body = json.dumps({"model": "gpt-4o", "stream": True, "messages": [{"role": "user", "content": "hello"}]})
        slow = {"x-standin-chunks": "600", "x-standin-interval": "0.1"}
        fields = {"content-type": "application/json", "authorization": "Bearer x", "x-agent-id": agent, **slow}
        connection.request("POST", "/v1/chat/completions", body, fields)
        return connection.getresponse()


@cache
def chromium() -> Any:
    """The browser of this process, ended with it. Raises SkipTest where there is none."""
    if webdriver is None or not CHROMIUM or not CHROMEDRIVER:
        raise SkipTest("the browser's tests need chromium and chromium-driver (apt-get), and selenium (pip)")
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tempfile.mkdtemp(prefix="agentgateway-browser-")
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options=options, service=Service(CHROMEDRIVER))
    atexit.register(shutil.rmtree, profile, ignore_errors=True)
    atexit.register(browser.quit)
    return browser


class BrowserTestCase(SynchronousTestCase):
    """A test with a gateway of its own (`gateway`) and a browser (`browser`), 1280 pixels wide and not logged in."""

    agents = 0
    more: tuple[str, ...] = ()

    def setUp(self) -> None:
        """Start the gateway."""
        self.browser = chromium()
        SCREENSHOTS.mkdir(exist_ok=True)
        state = self.mktemp()
        os.makedirs(state)
        self.gateway = Gateway(os.path.abspath(state), self.agents, *self.more)
        self.addCleanup(self.gateway.stop)
        self.gateway.start()
        self.size(1280, 800)
        self.browser.get(f"http://127.0.0.1:{self.gateway.dashboard}/session")
        self.browser.delete_all_cookies()
        self._downloads = os.path.abspath(self.mktemp())
        os.makedirs(self._downloads)
        wanted = {"behavior": "allow", "downloadPath": self._downloads}
        self.browser.execute_cdp_cmd("Browser.setDownloadBehavior", wanted)
        self.complaints()

    def size(self, width: int, height: int) -> None:
        """The size of the page itself; below 700 pixels it is a phone."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 700}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def open(self, view: str, connection: str = "Live") -> None:
        """Load the page anew, at a view, and wait until it lives, or says another thing of its connection."""
        self.browser.get("about:blank")
        self.browser.get(f"http://127.0.0.1:{self.gateway.dashboard}/#/{view}")
        self.until(lambda: self.text("#connection") == connection)

    def until(self, condition: Callable[[], Any]) -> Any:
        """Wait for what `condition` gives once it is true; a page that is just changing counts as not yet."""
        deadline, last = time.monotonic() + PATIENCE, None
        while time.monotonic() < deadline:
            try:
                if found := condition():
                    return found
            except Exception as error:
                last = error
            self.browser.execute_async_script("setTimeout(arguments[0], 40)")
        raise AssertionError(f"this never came about ({last}); the page says: {self.text('main')[:2000]}")

    def one(self, selector: str) -> Any:
        """The first element that `selector` finds. Raises where there is none."""
        return self.browser.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[Any]:
        """All elements."""
        return list(self.browser.find_elements(By.CSS_SELECTOR, selector))

    def text(self, selector: str) -> str:
        """The text that can be seen of an element."""
        return str(self.one(selector).text)

    def click(self, words: str, inside: str = "body") -> None:
        """Press the button with these words."""
        self.until(lambda: [one for one in self.all(f"{inside} button") if one.text == words and one.is_displayed()])[
            0
        ].click()

    def fill(self, selector: str, words: str) -> None:
        """Type into a field in place of what is there."""
        field = self.until(lambda: self.one(selector))
        field.clear()
        field.send_keys(words)

    def choose(self, label: str, option: str) -> None:
        """Pick an option of the field with this label."""
        fields = [one for one in self.all("label.field") if one.text.startswith(label)]
        Select(fields[0].find_element(By.TAG_NAME, "select")).select_by_visible_text(option)

    def downloaded(self, name: str) -> str:
        """The content of a file that the page has saved, once it is whole."""
        path = Path(self._downloads) / name
        self.until(path.exists)
        with path.open(newline="") as file:
            return file.read()

    def log_in(self) -> None:
        """Give the page the admin token."""
        self.click("Log in to act")
        self.fill("dialog input[name=token]", TOKEN)
        self.click("Log in", "dialog")
        self.until(lambda: self.text("#session") == "Log out")

    def shoot(self, name: str) -> None:
        """Write a screenshot for people to look at."""
        self.browser.save_screenshot(str(SCREENSHOTS / f"{name}.png"))

    def complaints(self) -> list[str]:
        """What the browser has logged as wrong since it was last asked: broken scripts, breaches of the page's policy."""
        return [entry["message"] for entry in self.browser.get_log("browser") if entry["level"] == "SEVERE"]
