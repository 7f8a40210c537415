"""What an operator sees in the first seconds, also on a phone: what happened just now, and how bad it is."""

from selenium.webdriver.support.ui import Select

from tests.browser.base import BrowserTestCase


class GlanceTests(BrowserTestCase):
    """The first view."""

    def test_just_now(self) -> None:
        """The latest alerts stand below the agents, newest first, and lead to whom they are about."""
        self.open("agents")
        self.until(lambda: "No alert in the" in self.text(".now"))
        self.gateway.pause("coder", "on fire")
        self.until(lambda: "coder is paused: on fire" in self.text(".now"))
        self.gateway.call("scribe", "o1")
        self.gateway.call("scribe", "o1")
        self.until(lambda: "denies the calls of scribe" in self.all(".now li")[0].text)
        self.until(lambda: " ago" in self.text(".now"))
        self.all(".now li a")[1].click()
        self.until(lambda: "coder" in self.text("main h1"))

    def test_good_news(self) -> None:
        """What says that trouble has ended looks other than trouble."""
        for _ in range(3):
            self.gateway.call("lookout", **{"x-standin-fault": "status-503"})
        self.open("alerts")
        self.until(lambda: "keeps failing" in self.text(".timeline"))
        self.browser.execute_script("location.hash = '#/agents/lookout'")
        self.log_in()
        self.click("Reset breaker")
        self.click("Close them", "dialog")
        self.browser.execute_script("location.hash = '#/alerts'")
        self.until(lambda: "circuits of lookout were closed" in self.text(".timeline"))
        kinds = {one.text.split("\n")[-1]: one.get_attribute("data-kind") for one in self.all(".timeline li")}
        self.assertEqual({kind for text, kind in kinds.items() if "were closed" in text}, {"ok"})
        self.assertEqual({kind for text, kind in kinds.items() if "keeps failing" in text}, {"bad"})

    def test_refused(self) -> None:
        """That calls are being refused shows at the top, whatever the view."""
        self.gateway.call("scribe", "gpt-4o")
        self.open("providers")
        self.until(lambda: "this hour" in self.text(".t-calls .sub"))
        self.assertEqual([self.gateway.call("scribe", "gpt-4o"), self.gateway.call("scribe", "o1")], [200, 403])
        self.until(lambda: self.text(".t-calls .sub") == "1 more refused")
        self.assertEqual(self.text(".t-calls .big"), "2")

    def test_gone(self) -> None:
        """An agent that the configuration no longer names leaves the page."""
        self.open("agents")
        self.until(lambda: "8 agents" in self.text(".found"))
        self.browser.execute_script(GONE)
        self.until(lambda: "7 agents" in self.text(".found"))
        self.assertNotIn("coder", [name.text for name in self.all("table.agents .name")])

    def test_limits(self) -> None:
        """Of an agent's limits the one that is nearest to refusing a call is shown; only who has none is without limit."""
        for _ in range(2):
            self.gateway.call("planner", "gpt-4o")
        stream = self.gateway.stream("reviewer")
        self.addCleanup(stream.close)
        self.gateway.call("scribe", "gpt-4o")
        self.open("agents")
        self.until(lambda: self.left("reviewer") == "4 free\nof 5")
        self.assertRegex(self.left("planner"), r"^1[89]\nof 20/min$")
        self.assertRegex(self.left("scribe"), r"^\d+K tok\nof 100K/min$")
        self.assertEqual(self.left("coder"), "no limit")
        found = self.browser.execute_async_script(TIGHTEST)
        self.assertEqual(found[:3], [None, ["0 tok", "of 1K/min", True], ["0 free", "of 2", True]])
        self.assertEqual(found[3], ["5", "of 20/min", False])
        self.assertEqual(found[4], "5 calls left of 20/min, 900 tokens left of 1000/min, 1 call of 2 at once")

    def left(self, agent: str) -> str:
        """What the table says is left of an agent's limits."""
        rows = [row for row in self.all("table.agents tbody tr") if row.text.startswith(f"{agent}\n")]
        return str(rows[0].find_element("css selector", "td.c-rate").text)

    def test_sort(self) -> None:
        """A column's head sorts by what it counts, the worst or most first; pressed again it turns the order round."""
        for _ in range(3):
            self.gateway.call("lookout", **{"x-standin-fault": "status-503"})
        for agent in ("scribe", "scribe", "coder"):
            self.gateway.call(agent, "gpt-4o")
        self.gateway.pause("archivist", "why")
        self.open("agents")
        self.until(lambda: self.first("Circuit") == "lookout")
        self.until(lambda: self.first("Errors") == "lookout")
        self.until(lambda: self.first("Tokens/h") == "scribe")
        self.until(lambda: self.first("Status") == "archivist")
        self.until(lambda: self.first("Status", 2) == "planner")

    def first(self, heading: str, presses: int = 1) -> str:
        """Who stands first after so many presses of a column's head, coming from another column."""
        for one in ("Agent", *[heading] * presses):
            self.click(one, "thead")
        return str(self.all("table.agents .name")[0].text)

    def test_phone_sort(self) -> None:
        """On a phone, where no column has a head, agents are sorted all the same."""
        self.size(390, 844)
        self.open("agents")
        field = self.until(lambda: [one for one in self.all("label.field") if one.text.startswith("Sort")])[0]
        Select(field.find_element("css selector", "select")).select_by_visible_text("Agent")
        names = self.until(lambda: [name.text for name in self.all("table.agents .name")])
        self.until(lambda: [name.text for name in self.all("table.agents .name")] == sorted(names))
        self.size(1280, 800)
        self.assertEqual(self.one("thead .c-agent").get_attribute("aria-sort"), "ascending")
        self.assertFalse(field.is_displayed())

    def test_times(self) -> None:
        """A time that is not today's has its day, and no duration is told as sixty minutes or twenty-four hours."""
        self.open("agents")
        found = self.browser.execute_async_script(TIMES)
        self.assertRegex(found["today"], r"^\d\d:\d\d:\d\d$")
        self.assertRegex(found["before"], r"^\d+ [A-Z][a-z]+ \d\d:\d\d:\d\d$")
        self.assertEqual(found["durations"], ["59 s", "1 min", "59 min", "1 h 0 min", "1 h 1 min", "1 d", "2 d"])


GONE = """
import("/state.js").then(({ apply, state: { gateway, providers } }) => {
  const news = { agents: [], gone: ["coder"], recent: [], alerts: [], omitted: 0 };
  apply({ type: "update", ts: new Date().toISOString(), gateway, providers, ...news });
});
"""
TIGHTEST = """
const done = arguments[0];
import("/format.js").then(({ allowance, tightest }) => {
  const of = (limit, available) => ({ limit, available });
  const one = (rate_limit, token_limit, max_concurrency, in_flight) => (
    { rate_limit, token_limit, max_concurrency, in_flight });
  const calls = of("20/min", 5);
  const all = one(calls, of("1000/min", 900), 2, 1);
  const cases = [one(null, null, null, 1), one(calls, of("1000/min", 0), null, 1), one(calls, null, 2, 2), all];
  done([...cases.map(tightest).map((found) => found && [found.left, found.of, found.none]), allowance(all)]);
});
"""
TIMES = """
const done = arguments[0];
import("/format.js").then(({ clock, duration }) => {
  const durations = [59, 59.9, 3540, 3599, 3640, 86399, 172800].map(duration);
  done({ today: clock(Date.now()), before: clock(Date.now() - 3 * 86400000), durations });
});
"""
