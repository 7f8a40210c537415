"""The feed of calls: what it tells of each, in which order, and what can be taken out of it."""

import csv
import json

from tests.browser.base import BrowserTestCase


class FeedTests(BrowserTestCase):
    """The calls as they end."""

    def test_calls_export(self) -> None:
        """The feed is saved as it is filtered; what a spreadsheet would calculate is text to it."""
        self.gateway.call("coder", "=SUM(A1)")
        self.gateway.call("scribe", "gpt-4o")
        self.open("calls")
        self.choose("Outcome", "ok")
        self.fill("input[type=search]", "coder")
        self.until(lambda: "1 of the last 2" in self.text(".found"))
        self.click("CSV")
        (row,) = csv.DictReader(self.downloaded("calls.csv").splitlines())
        self.assertEqual((row["agent"], row["requested_model"]), ("coder", "'=SUM(A1)"))

    def test_hold(self) -> None:
        """A feed that is held stands still until it may go on."""
        self.gateway.call("coder")
        self.open("calls")
        self.until(lambda: "coder" in self.text("table.records tbody"))
        self.click("Hold")
        self.gateway.call("scribe")
        self.until(lambda: self.text(".t-calls .sub") == "2 this hour")
        self.assertNotIn("scribe", self.text("table.records tbody"))
        self.click("Go on")
        self.until(lambda: "scribe" in self.text("table.records tbody"))

    def test_filters(self) -> None:
        """The feed is narrowed by outcome and by provider, also both at once."""
        self.gateway.call("scribe", "gpt-4o")
        self.gateway.call("scribe", "gpt-4o")
        self.gateway.call("scribe", "o1")
        self.gateway.call("coder", "gpt-4o")
        self.open("calls")
        self.until(lambda: "4 of the last 4" in self.text(".found"))
        self.choose("Outcome", "refused")
        self.until(lambda: "1 of the last 4" in self.text(".found") and "policy_denied" in self.text("tbody"))
        self.choose("Outcome", "all")
        self.choose("Provider", "anthropic")
        self.until(lambda: "1 of the last 4" in self.text(".found") and "coder" in self.text("tbody"))
        self.choose("Outcome", "refused")
        self.until(lambda: "No call matches" in self.text("main"))

    def test_streams(self) -> None:
        """A stream that opens shows by itself, and is saved as it is shown."""
        self.open("streams")
        self.until(lambda: "No stream is open" in self.text("main"))
        stream = self.gateway.stream("scribe")
        self.addCleanup(stream.close)
        self.until(lambda: "1 open" in self.text(".found"))
        self.click("JSON")
        (saved,) = json.loads(self.downloaded("streams.json"))
        self.assertEqual((saved["agent"], saved["model"]), ("scribe", "gpt-4o"))

    def test_order(self) -> None:
        """What ended last stands first, whenever it began and came; a row that is there stays the same as others come."""
        self.open("calls")
        found = self.browser.execute_async_script(ORDER)
        self.assertEqual(found, {"first": ["quick"], "then": ["slow", "quick"], "kept": True})

    def test_left_out(self) -> None:
        """How many calls came too fast to be told is said, so that nobody takes the feed for all there was."""
        self.gateway.call("coder")
        self.open("calls")
        self.until(lambda: "1 of the last 1" in self.text(".found"))
        self.browser.execute_script(
            "import('/state.js').then(({ state, changed }) => { state.omitted = 7; changed({ records: true }); })"
        )
        self.until(lambda: "7 came too fast to be told" in self.text(".found"))

    def test_record(self) -> None:
        """One record is told in words and with units, and saved as it is in the audit log."""
        self.gateway.call("coder", "gpt-4o")
        self.open("calls")
        self.until(lambda: "coder" in self.text("table.records tbody"))
        self.one("table.records tbody .c-outcome").click()
        self.until(lambda: "A call of coder" in self.text("dialog.record"))
        told = self.text("dialog.record")
        for words in (r"Outcome\n200 ok", r"Model\ngpt-4o", r"Request\nPOST /v1/", r"First byte\nafter \d+ ms"):
            self.assertRegex(told, words)
        self.assertRegex(told, r"Dollars\n\$0\.\d{4,}\n")
        self.assertNotIn("Reason\n", told)
        (record,) = json.loads(self.json("data/calls"))
        self.click("Save as JSON", "dialog")
        self.assertEqual(json.loads(self.downloaded(f"{record['id']}.json")), record)

    def json(self, path: str) -> str:
        """What the page's own requests are answered."""
        script = f"fetch({path!r}).then((answer) => answer.text()).then(arguments[0])"
        return str(self.browser.execute_async_script(script))


ORDER = """
const done = arguments[0];
const record = (agent, ts, latency_ms) => ({ id: agent, agent, ts, latency_ms, provider: "p", model: "m", outcome: "ok",
  status: 200, reason: null, stream: false, usage: "exact", input_tokens: 1, output_tokens: 1, cost_usd: 1, ttfb_ms: 1 });
import("/records.js").then(({ recordTable }) => {
  const table = recordTable("", 10);
  const names = () => [...table.element.querySelectorAll("tbody .c-who")].map((one) => one.textContent);
  const quick = record("quick", "2026-01-01T10:00:02Z", 100);
  table.set([quick]);
  const first = names();
  const row = table.element.querySelector("tbody tr");
  table.set([record("slow", "2026-01-01T10:00:00Z", 5000), quick]);
  done({ first, then: names(), kept: table.element.querySelectorAll("tbody tr")[1] === row });
});
"""
