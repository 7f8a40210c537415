"""What each view of the dashboard shows, and what can be taken out of it."""

import csv
import json

from tests.browser.base import BrowserTestCase
from tests.browser.gateway import TOKEN


class AgentsTests(BrowserTestCase):
    """The table of agents."""

    more = ("history",)

    def cells(self, agent: str) -> dict[str, str]:
        """The texts of an agent's row, by column."""
        for row in self.all("table.agents tbody tr"):
            if row.text.startswith(agent):
                cells = row.find_elements("css selector", "th, td")
                return {cell.get_attribute("class").split()[0]: cell.text for cell in cells}
        return {}

    def names(self) -> set[str]:
        """Who is shown."""
        return {name.text for name in self.all("table.agents .name")}

    def test_row(self) -> None:
        """A row tells who an agent is, what it costs of each cap, its pace, errors, times, limits and circuit."""
        for _ in range(3):
            self.gateway.call("lookout", "claude-haiku-4-5", **{"x-standin-fault": "status-503"})
        self.open("agents")
        cells = self.until(lambda: self.cells("lookout"))
        self.assertRegex(cells["c-agent"], r"lookout\nclaude-haiku-4-5 · anthropic$")
        self.assertRegex(cells["c-hour"], r"^≈?\$[\d.]+\s+of \$15$")
        self.assertRegex(cells["c-day"], r"^\$[\d.]+\s+of \$60$")
        self.assertRegex(cells["c-total"], r"^\$[\d.]+$")
        self.assertRegex(cells["c-latency"], r"^[\d.]+ m?s\np95 [\d.]+ m?s$")
        self.assertRegex(cells["c-first"], r"^[\d.]+ m?s\np95 [\d.]+ m?s$")
        self.assertRegex(cells["c-errors"], r"^[\d.]+%$")
        told = [cells[name] for name in ("c-status", "c-flight", "c-rate", "c-circuit")]
        self.assertEqual(told, ["active", "0", "no limit", "open"])
        row = next(row for row in self.all("table.agents tbody tr") if row.text.startswith("lookout"))
        self.assertEqual(len(row.find_elements("css selector", ".bar:not([hidden]) .spent")), 2)
        points = row.find_element("css selector", ".spark polyline").get_attribute("points").split()
        self.assertEqual(len(points), 30)

    def test_nothing_cut_off(self) -> None:
        """At the width of a small laptop no number, name or word of the table is cut off."""
        self.gateway.pause("archivist", "why")
        for _ in range(3):
            self.gateway.call("lookout", **{"x-standin-fault": "status-503"})
        self.open("agents")
        self.until(lambda: "open" in self.cells("lookout")["c-circuit"])
        self.assertEqual(self.browser.execute_script(CUT_OFF), [])
        self.browser.execute_script(WIDEST)
        self.assertEqual(self.browser.execute_script(CUT_OFF), [])

    def test_forecast(self) -> None:
        """An agent that spends too fast for its cap has a time at which the money ends; others are safe."""
        self.open("agents")
        self.until(lambda: self.cells("scribe"))
        self.browser.execute_script(FORECAST)
        found = self.until(lambda: self.browser.execute_script("return window.found"))
        self.assertEqual(found, ["30 min", "safe", "spent", "no cap", "10 s", "5 h"])

    def test_filters(self) -> None:
        """The table is narrowed by name, tag, status and provider; all of it together, and back."""
        self.gateway.pause("archivist", "why")
        self.open("agents")
        self.until(lambda: len(self.names()) == 8)
        self.choose("Tag", "research")
        research = {"researcher", "reviewer", "scribe", "translator"}
        self.until(lambda: self.names() == research)
        self.choose("Provider", "anthropic")
        self.until(lambda: self.names() == {"researcher"})
        self.choose("Provider", "all")
        self.choose("Tag", "all")
        self.choose("Status", "paused")
        self.until(lambda: self.names() == {"archivist"})
        self.fill("input[type=search]", "coder")
        self.until(lambda: "No agent matches" in self.text("main"))
        self.choose("Status", "all")
        self.until(lambda: self.names() == {"coder"})
        self.fill("input[type=search]", "engineering")
        self.until(lambda: self.names() == {"coder", "planner", "lookout", "archivist"})

    def test_export(self) -> None:
        """What is shown, and no more, is saved as JSON and as CSV."""
        self.open("agents")
        self.fill("input[type=search]", "re")
        self.until(lambda: self.names() == {"researcher", "reviewer", "scribe", "translator"})
        self.click("JSON")
        found = json.loads(self.downloaded("agents.json"))
        self.assertEqual({agent["id"] for agent in found}, self.names())
        self.click("CSV")
        rows = list(csv.DictReader(self.downloaded("agents.csv").splitlines()))
        self.assertEqual([row["id"] for row in rows], [agent["id"] for agent in found])
        self.assertEqual(float(rows[0]["cost_today"]), found[0]["cost_today"])

    def test_one(self) -> None:
        """An agent's page has charts of the last hour and day, its calls, its budget, its limits and its policies."""
        self.gateway.call("coder", "gpt-4o")
        self.open("agents/coder")
        self.until(lambda: len(self.all(".uplot")) == 6)
        headings = [one.text for one in self.all("figcaption span:first-child")]
        self.assertEqual(headings, ["Cost", "Calls", "Tokens", "Errors", "Latency", "First byte"])
        hour = self.text(".charts")
        self.click("Last day")
        self.until(lambda: self.text(".charts") != hour)
        self.until(lambda: "in the last day" in self.one(".plot").get_attribute("aria-label"))
        self.assertIn("of $3 per hour", self.text(".three"))
        self.assertIn("many errors: alert", self.text(".three"))
        self.assertIn("no limit", self.text(".three"))
        self.assertIn("gpt-4o", self.text("table.records tbody"))


class OthersTests(BrowserTestCase):
    """The other views."""

    def test_totals(self) -> None:
        """Above everything stand spend, calls, tokens, errors, streams and how the gateway is."""
        for fault in ({}, {"x-standin-fault": "status-503"}):
            self.gateway.call("coder", "gpt-4o", **fault)
        stream = self.gateway.stream("scribe")
        self.addCleanup(stream.close)
        self.open("agents")
        self.until(lambda: self.text(".t-streams .big") == "1")
        shown = {name: self.text(f".t-{name} .big") for name in ("hour", "today", "errors", "health")}
        self.assertRegex(shown.pop("hour"), r"^\$0\.\d+$")
        self.assertRegex(shown.pop("today"), r"^\$0\.\d+$")
        self.assertEqual(shown, {"errors": "1", "health": "Healthy"})
        self.assertGreater(int(self.text(".t-tokens .big")), 0)

    def test_loading(self) -> None:
        """Until the gateway has answered for the first time, the page says that it asks, and how it goes."""
        self.browser.execute_cdp_cmd("Network.enable", {})
        self.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/session"]})
        self.open("calls", "Disconnected")
        self.assertIn("Asking the gateway", self.text("main"))
        self.assertIn("Trying again in", self.text("#banner"))
        self.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
        self.click("Try now")
        self.until(lambda: "No calls yet" in self.text("main"))

    def test_empty(self) -> None:
        """Where there is nothing yet, each view says what will be there."""
        for view, words in (
            ("calls", "No calls yet"),
            ("streams", "No stream is open"),
            ("alerts", "All is calm"),
            ("agents/coder", "No calls yet"),
            ("agents/nobody", "There is no such agent"),
        ):
            self.open(view)
            self.until(lambda words=words: words in self.text("main"))
        self.assertEqual([self.one(name).is_displayed() for name in (".title .status", ".why", ".facts")], [False] * 3)

    def test_alerts(self) -> None:
        """Pauses, resumptions and what policies do stand on a timeline, newest first, that can be narrowed."""
        self.open("alerts")
        self.gateway.pause("coder", "on fire")
        self.until(lambda: "coder is paused: on fire" in self.text(".timeline"))
        self.gateway.call("scribe", "o1")
        self.gateway.call("scribe", "o1")
        self.until(lambda: "policy 'no o1' denies the calls of scribe" in self.text(".timeline"))
        self.assertEqual([one.text for one in self.all(".timeline .kind")], ["Policy", "Pause"])
        self.until(lambda: " ago" in self.text(".timeline"))
        self.choose("Kind", "pause")
        self.until(lambda: [one.text for one in self.all(".timeline .kind")] == ["Pause"])
        self.click("JSON")
        self.assertEqual(
            [one["text"] for one in json.loads(self.downloaded("alerts.json"))], ["coder is paused: on fire"]
        )
        self.choose("Agent", "scribe")
        self.until(lambda: "No alert matches" in self.text("main"))

    def test_providers(self) -> None:
        """Each provider has its health, error rate, circuits and latencies; charts are of all, or of the one chosen."""
        for _ in range(3):
            self.gateway.call("lookout", **{"x-standin-fault": "status-503"})
        self.gateway.call("scribe")
        self.open("providers")
        failing = self.until(lambda: [one.text for one in self.all(".provider") if "circuits open" in one.text])[0]
        self.assertIn("Errors, last hour\n3 (100%)", failing)
        self.assertIn("Circuits open\n1", failing)
        self.assertRegex(failing, r"Latency p95\n\d+ ms")
        self.assertIn("healthy", " ".join(one.text for one in self.all(".provider")))
        self.until(lambda: len(self.all(".uplot")) == 6)
        self.assertIn("Calls to all providers", self.text("main"))
        self.until(lambda: "4 answered" in self.text(".charts"))
        self.click("Charts", ".provider:first-child")
        self.until(lambda: "Calls to openai" in self.text("main") or "Calls to anthropic" in self.text("main"))
        self.until(lambda: len(self.all(".uplot")) == 6 and "4 answered" not in self.text(".charts"))
        self.click("Charts", ".provider:first-child")
        self.until(lambda: "4 answered" in self.text(".charts"))

    def test_data_fails(self) -> None:
        """A view whose data cannot be had says so, and keeps trying."""
        for view, words in (("streams", "No stream is open"), ("agents/coder", "No calls yet")):
            self.open(view)
            self.until(lambda words=words: words in self.text("main"))
            self.browser.execute_script("window.really = fetch; window.fetch = () => Promise.reject(Error('cut'))")
            self.until(lambda: "cut" in self.text("main .problem"))
            self.browser.execute_script("window.fetch = window.really")
            self.until(lambda: not self.one("main .problem").is_displayed())


class ClosedTests(BrowserTestCase):
    """A gateway that shows nothing without the token."""

    more = ("closed",)

    def test_locked(self) -> None:
        """The page asks for the token and shows nothing before; a wrong one is told so, the right one opens it."""
        self.open("agents", "Locked")
        self.until(lambda: "wants the admin token" in self.text("main"))
        self.assertNotIn("coder", self.text("body"))
        self.assertFalse(self.one("#totals").is_displayed())
        self.shoot("login")
        self.fill("input[name=token]", "wrong")
        self.click("Log in")
        self.until(lambda: "not the admin token" in self.text("main .problem"))
        self.fill("input[name=token]", TOKEN)
        self.click("Log in")
        self.until(lambda: "coder" in self.text("main"))
        self.click("Log out")
        self.until(lambda: "wants the admin token" in self.text("main"))
        self.assertNotIn("coder", self.text("body"))


CUT_OFF = """
const shown = [...document.querySelectorAll("table.agents :is(th, td, a, span)")];
return shown.filter((one) => one.clientWidth && one.scrollWidth > one.clientWidth).map((one) => one.textContent);
"""
WIDEST = """
const small = [["hour .value", "$0.002"], ["hour .of", "of $0.0055"], ["day .value", "$999.99"], ["day .of", "of $12,345"]];
const widest = [["circuit .value", "half open"], ["rate .sub", "of 100K/min"], ["forecast .value", "59 min"]];
for (const [where, words] of [...widest, ["total .value", "$0.084"], ["total .of", "of $50"], ...small]) {
  for (const one of document.querySelectorAll(`td.c-${where}`)) one.textContent = words;
}
"""
FORECAST = """
import("/format.js").then(({ forecast }) => {
  const cap = (spent, limit, name = "total") => ({ name, spent, limit, resets_at: null });
  const soon = { name: "hour", spent: 1, limit: 2, resets_at: new Date(Date.now() + 60000).toISOString() };
  const two = [cap(1, 4), cap(1, 2, "day")];
  const cases = [[0.1, [cap(1, 4)]], [0.1, [soon]], [0, [cap(4, 4)]], [0.1, []], [6, two], [0.01, [cap(1, 4)]]];
  window.found = cases.map(([pace, caps]) => forecast({ cost_per_minute: pace, caps }).words);
});
"""
