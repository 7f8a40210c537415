"""The dashboard as somebody uses it, in a real browser."""

import time

from tests.browser.base import BrowserTestCase
from tests.browser.gateway import TOKEN

HOSTILE = '<img src=x onerror="document.title=1"><script>document.title=1</script>'
SOON = 1500
"""Milliseconds from the end of a call until the page shows it: a limit that users are told."""
WATCH = """
window.seen = null;
const watch = new MutationObserver(() => {
  if (document.querySelector("main").textContent.includes(arguments[0])) window.seen ??= Date.now();
});
watch.observe(document.querySelector("main"), { childList: true, characterData: true, subtree: true });
"""


class DashboardTests(BrowserTestCase):
    """One gateway with eight agents."""

    def row(self, agent: str) -> str:
        """What the table shows of an agent."""
        for row in self.all("table.agents tbody tr"):
            if agent in row.text:
                return str(row.text)
        return ""

    def test_live(self) -> None:
        """A call shows in the table, the totals and the feed by itself, within a second and a half."""
        self.open("agents")
        self.until(lambda: self.row("reviewer"))
        before = len(self.all("table.agents tbody tr"))
        self.browser.execute_script(WATCH, "newcomer")
        self.gateway.call("newcomer")
        ended = time.time() * 1000
        late = self.until(lambda: self.browser.execute_script("return window.seen")) - ended
        self.assertLess(late, SOON)
        self.until(lambda: "active" in self.row("newcomer"))
        self.assertEqual(len(self.all("table.agents tbody tr")), before + 1)
        self.assertEqual(self.text(".t-calls .big"), "1")
        self.browser.execute_script("location.hash = '#/calls'")
        self.until(lambda: "newcomer" in self.text("table.records tbody"))
        self.assertEqual(self.complaints(), [])

    def test_log_in(self) -> None:
        """Acting asks for the token once; a wrong one is told so, and the cookie is out of a script's reach."""
        self.open("agents/coder")
        self.click("Pause")
        self.fill("dialog input[name=token]", "wrong")
        self.click("Log in", "dialog")
        self.until(lambda: "not the admin token" in self.text("dialog .problem"))
        self.fill("dialog input[name=token]", TOKEN)
        self.click("Log in", "dialog")
        self.until(lambda: self.text("dialog h2") == "Pause coder?")
        self.click("Cancel", "dialog")
        cookie = self.browser.get_cookie("agentgateway_dashboard")
        self.assertEqual((cookie["httpOnly"], cookie["sameSite"]), (True, "Strict"))
        self.assertNotIn(TOKEN, cookie["value"])
        self.assertEqual(self.browser.execute_script("return document.cookie"), "")
        self.click("Log out")
        self.until(lambda: self.text("#session") == "Log in to act")

    def test_pause_and_resume(self) -> None:
        """Pausing asks for a reason, refuses the agent's calls, and is undone by resuming; both outcomes are told."""
        self.open("agents/researcher")
        self.log_in()
        self.click("Pause")
        self.fill("dialog input[name=reason]", "on fire")
        self.shoot("pause")
        self.click("Pause", "dialog")
        self.until(lambda: "researcher is paused." in self.text("#toasts"))
        self.until(lambda: "on fire" in self.text(".why"))
        self.assertEqual(self.gateway.call("researcher"), 403)
        self.click("Resume")
        self.until(lambda: self.all("dialog"))
        self.click("Resume", "dialog")
        self.until(lambda: self.text(".title .status") in ("active", "idle"))
        self.assertEqual(self.gateway.call("researcher"), 200)
        self.click("Pause")
        self.until(lambda: self.all("dialog"))
        self.click("Pause", "dialog")
        self.until(lambda: "from the dashboard at 127.0.0.1" in self.text(".why"))
        self.assertRegex(self.text(".why"), "^Paused by an operator since [0-9:]+: from the dashboard at 127.0.0.1$")

    def test_budget(self) -> None:
        """A cap is changed, and what is no amount is told in the dialog, which stays."""
        self.open("agents/planner")
        self.log_in()
        self.click("Change budget")
        self.fill("dialog input[name=max_cost_total]", "123.5")
        self.fill("dialog input[name=max_cost_per_hour]", "99999999999999")
        self.click("Change", "dialog")
        self.until(lambda: "below a billion" in self.text("dialog .problem"))
        self.fill("dialog input[name=max_cost_per_hour]", "7")
        self.click("Change", "dialog")
        self.until(lambda: "of $123.50 in total" in self.text(".three"))
        self.assertIn("of $7 per hour", self.text(".three"))

    def test_budget_of_operator(self) -> None:
        """A cap that is not the configuration's is told to be an operator's; one that is passed, by how much."""
        self.gateway.call("planner", "gpt-4o")
        self.open("agents/planner")
        self.until(lambda: "of $12 per hour" in self.text(".three"))
        self.assertNotIn("operator", self.text(".three"))
        self.log_in()
        self.click("Change budget")
        expected = self.one("dialog input[name=max_cost_total]").get_attribute("title")
        self.assertEqual(expected, "Dollars, such as 2.50; empty for no cap")
        for amount, fits in (("-3", False), (".", False), ("2,5", False), ("2.50", True), (".5", True), ("", True)):
            self.fill("dialog input[name=max_cost_total]", amount)
            self.assertEqual(len(self.all("dialog input[name=max_cost_total]:valid")), fits, amount)
        self.fill("dialog input[name=max_cost_per_hour]", "0.000001")
        self.fill("dialog input[name=max_cost_per_day]", "")
        self.click("Change", "dialog")
        self.until(lambda: "No cap per day\nSet by an operator; the configuration says $60" in self.text(".caps"))
        self.assertRegex(self.text(".caps"), r"\$[\d.]+ over the cap\nSet by an operator; the configuration says \$12")
        self.assertNotIn("%", self.text(".caps"))

    def test_breaker(self) -> None:
        """An open circuit shows, and closes when an operator says so."""
        for _ in range(3):
            self.gateway.call("lookout", **{"x-standin-fault": "status-503"})
        self.open("agents/lookout")
        self.until(lambda: "open" in self.text(".three"))
        self.log_in()
        self.click("Reset breaker")
        self.click("Close them", "dialog")
        self.until(lambda: "closed, 0 recent errors" in self.text(".three"))

    def test_feed_filter(self) -> None:
        """The feed is narrowed by words and by outcome, and shows all of one record."""
        self.gateway.call("translator", "gpt-4o-mini")
        self.gateway.call("archivist", "gpt-4o")
        self.open("calls")
        self.fill("input[type=search]", "translator")
        self.until(lambda: {row.text.split()[1] for row in self.all("table.records tbody tr")} == {"translator"})
        self.one("table.records tbody button").click()
        self.until(lambda: "gpt-4o-mini" in self.text("dialog.record dl"))
        self.shoot("record")
        self.click("Close", "dialog")
        self.fill("input[type=search]", "no such thing")
        self.until(lambda: "No call matches" in self.text("main"))

    def test_streams(self) -> None:
        """An open stream is listed and can be ended, and its caller is told."""
        answer = self.gateway.stream("scribe")
        self.open("streams")
        self.until(lambda: "scribe" in self.text("table.records tbody"))
        self.log_in()
        self.shoot("streams")
        self.click("End", "table")
        self.click("End it", "dialog")
        self.until(lambda: "No stream is open" in self.text("main"))
        try:
            rest = answer.read()
        except Exception as error:  # a stream that was cut does not end cleanly
            rest = getattr(error, "partial", b"")
        answer.close()
        self.assertIn(b"an operator has ended this answer", rest)

    def test_hostile_names(self) -> None:
        """Markup in a model's name, and in an agent's address, is shown as text and runs nothing."""
        self.assertEqual(self.gateway.call("hostile", HOSTILE), 200)
        for view in ("agents", "calls", "agents/hostile", "agents/%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E"):
            self.open(view)
            self.until(lambda: "<img src=x" in self.text("main"))
            self.assertEqual(self.all("main img, main script"), [])
        self.assertNotEqual(self.browser.title, "1")

    def test_skip(self) -> None:
        """The first stop of the keyboard leads to the content, of whichever view."""
        self.open("calls")
        self.until(lambda: "No calls yet" in self.text("main"))
        self.one("body").send_keys("\ue004")
        skip = self.browser.switch_to.active_element
        self.assertEqual(skip.text, "Skip to content")
        skip.send_keys("\n")
        self.assertEqual(self.browser.switch_to.active_element.get_attribute("id"), "main")
        self.assertIn("No calls yet", self.text("main"))

    def test_keyboard(self) -> None:
        """`/` leads to the filter, and columns sort from the keyboard."""
        self.open("agents")
        self.until(lambda: self.row("reviewer"))
        body = self.one("body")
        body.send_keys("/")
        self.assertEqual(self.browser.switch_to.active_element.get_attribute("type"), "search")
        self.one("thead .c-agent button").send_keys("\n")
        self.until(lambda: self.one("thead .c-agent").get_attribute("aria-sort") == "ascending")
        names = [name.text for name in self.all("table.agents .name")]
        self.assertEqual(names, sorted(names))


class RestartTests(BrowserTestCase):
    """A gateway that comes and goes."""

    def test_reconnect(self) -> None:
        """When the gateway goes the page says so and keeps what it knows; when it is back the page is live by itself."""
        self.gateway.call("coder", "gpt-4o")
        self.open("agents")
        self.until(lambda: "coder" in self.text("table.agents"))
        self.gateway.stop()
        self.until(lambda: "does not answer" in self.text("#banner"))
        self.assertIn("coder", self.text("table.agents"))
        self.shoot("disconnected")
        self.gateway.start()
        self.until(lambda: self.text("#connection") == "Live")
        self.until(lambda: not self.one("#banner").is_displayed())
        self.browser.execute_script("location.hash = '#/agents/coder'")
        self.until(lambda: "1 answered" in self.text(".charts"))

    def test_what_was(self) -> None:
        """Who opens the page after a restart finds the calls of before; what is not known of them is said so."""
        self.gateway.call("coder", "gpt-4o")
        self.gateway.stop()
        self.gateway.start()
        self.open("calls")
        self.until(lambda: "1 of the last 1" in self.text(".found") and "coder" in self.text("tbody"))
        self.open("providers")
        self.assertRegex(self.text(".cards"), r"speaks anthropic; no answer timed since the start \d+ s ago")
        self.assertRegex(self.text(".cards"), r"openai\nno call since the start \d+ s ago")
        self.shoot("restarted")
        self.open("agents/coder")
        self.until(lambda: "gpt-4o" in self.text("table.records tbody"))
        self.assertIn("Latency p50, p95\nnone since the start", self.text(".facts"))
        self.open("agents/reviewer")
        self.until(lambda: "highest p50 –, p95 –" in self.text(".charts"))


class ThousandTests(BrowserTestCase):
    """A thousand agents."""

    agents = 1000

    def test_scrolling(self) -> None:
        """A thousand rows scroll to the end and filter at once, while only those in sight exist."""
        self.open("agents")
        self.until(lambda: "1,008 agents" in self.text(".found"))
        self.one("thead .c-agent button").click()
        box = self.one(".scroll")
        self.browser.execute_script("arguments[0].scrollTop = arguments[0].scrollHeight", box)
        self.until(lambda: "worker-0999" in self.text("table.agents tbody"))
        self.assertLess(len(self.all("table.agents tbody tr")), 60)
        self.assertEqual(self.one("table.agents").get_attribute("aria-rowcount"), "1009")
        self.shoot("thousand")
        self.fill("input[type=search]", "worker-05")
        self.until(lambda: "100 of 1,008 agents" in self.text(".found"))


class PictureTests(BrowserTestCase):
    """A gateway with a past, for pictures of each view."""

    more = ("history",)

    def test_views(self) -> None:
        """Each view is drawn, wide and on a phone, and nothing sticks out of the page."""
        for agent in (*("reviewer", "scribe", "planner", "archivist", "translator") * 3, "reviewer", "planner"):
            self.gateway.call(agent)
        for _ in range(3):
            self.gateway.call("lookout", "claude-haiku-4-5", **{"x-standin-fault": "status-503"})
        self.gateway.pause("translator", "waits for a review of last night's batch")
        open_streams = [self.gateway.stream(agent) for agent in ("planner", "reviewer", "reviewer")]
        self.addCleanup(lambda: [stream.close() for stream in open_streams])
        self.open("alerts")
        self.until(lambda: "keeps failing" in self.text(".timeline"))
        for width, height, suffix in ((1280, 800, ""), (390, 844, "-phone")):
            self.size(width, height)
            for view in ("agents", "agents/coder", "calls", "alerts", "providers"):
                self.open(view)
                if view == "agents/coder":
                    self.until(lambda: len(self.all(".uplot")) == 6)
                self.shoot(view.replace("/", "-") + suffix)
                wide = self.browser.execute_script("return document.documentElement.scrollWidth")
                self.assertLessEqual(wide, width, view)
        self.assertEqual(self.complaints(), [])
