"""What an operator changes, and the marks it leaves."""

from twisted.trial.unittest import SynchronousTestCase

from tests.web.management.doubles import CONFIG, TOKEN, Api


class ChangeTests(SynchronousTestCase):
    """Every change wants the token, and leaves its mark."""

    def test_token(self):
        """Without the token, or with another, nothing changes, not even from this machine."""
        api = Api(self)
        for token in (None, "wrong", "", TOKEN + "x"):
            for method, path in (
                ("POST", "/api/agents/writer/pause"),
                ("POST", "/api/agents/writer/resume"),
                ("PUT", "/api/budget/writer"),
                ("POST", "/api/reload"),
            ):
                api.reactor.advance(6)
                reply = api.ask(method, path, {}, token=token)
                self.assertEqual(reply.status, 401, (token, path))
        self.assertIsNone(api.live.fleet.get("writer").pause)
        self.assertFalse(api.live.tail)

    def test_pause(self):
        """A pause is in force at once; the audit log says who did it, and what was before and after."""
        api = Api(self)
        reply = api.ask("POST", "/api/agents/writer/pause", {"reason": "too\ndear"})
        self.assertEqual(
            (reply.status, reply.json["status"], reply.json["pause_reason"]), (200, "paused", "too\\ndear")
        )
        [entry] = api.live.tail
        self.assertEqual((entry.agent, entry.method, entry.path), ("writer", "POST", "/api/agents/writer/pause"))
        self.assertEqual(entry.reason, "admin at 127.0.0.1: active -> paused by operator (too\\ndear)")
        self.assertEqual((entry.outcome, entry.status, entry.cost_usd, entry.provider), ("ok", 200, 0, None))
        self.assertIn("writer is paused: too\\ndear", api.alerts)

    def test_resume(self):
        """Resuming ends it; nothing at all is a fine body."""
        api = Api(self)
        api.ask("POST", "/api/agents/writer/pause")
        reply = api.ask("POST", "/api/agents/writer/resume")
        self.assertEqual((reply.status, reply.json["status"]), (200, "idle"))
        self.assertIn("paused by operator (by an operator) -> active", api.live.tail[-1].reason)

    def test_resume_spent(self):
        """An agent whose budget is spent is not resumed but by raising it, and the answer says so."""
        api = Api(self)
        self.assertEqual(api.ask("PUT", "/api/budget/writer", {"max_cost_total": 0}).status, 200)
        self.assertEqual(api.get("/api/agents/writer").json["status"], "paused")
        reply = api.ask("POST", "/api/agents/writer/resume")
        self.assertEqual((reply.status, reply.code), (422, "budget_exceeded"))
        how = "agentgateway budget writer --total N, or PUT /api/budget/writer"
        said = f"the budget of $0 in total is spent: raise it ({how})"
        self.assertEqual(reply.json["error"]["message"], said)
        api.ask("PUT", "/api/budget/writer", {"max_cost_total": None})
        self.assertEqual(api.get("/api/agents/writer").json["status"], "idle")

    def test_resume_spent_window(self):
        """A cap with a window resets by itself, so waiting helps too; but not where the total is spent as well."""
        api = Api(self)
        api.ask("PUT", "/api/budget/writer", {"max_cost_per_hour": 0})
        said = api.ask("POST", "/api/agents/writer/resume").json["error"]["message"]
        self.assertIn("budget writer --hourly N, or PUT", said)
        self.assertTrue(said.endswith("), or wait until its window ends"), said)
        api.ask("PUT", "/api/budget/writer", {"max_cost_total": 0})
        said = api.ask("POST", "/api/agents/writer/resume").json["error"]["message"]
        self.assertIn("budget writer --total N --hourly N, or PUT", said)
        self.assertTrue(said.endswith(")"), said)

    def test_budget(self):
        """Caps are exact; those that are not named stay; the log has both figures."""
        api = Api(self)
        reply = api.ask("PUT", "/api/budget/writer", {"max_cost_per_day": "0.123456789", "max_cost_total": 100})
        self.assertEqual(reply.status, 200)
        budget = api.get("/api/budget/writer").json
        caps = [budget[name] for name in ("max_cost_per_hour", "max_cost_per_day", "max_cost_total")]
        self.assertEqual(caps, [5, 0.123456789, 100])
        said = "admin at 127.0.0.1: max_cost_per_day none -> $0.123456789, max_cost_total none -> $100"
        self.assertEqual(api.live.tail[-1].reason, said)
        self.assertEqual(api.ask("PUT", "/api/budget/writer", {"max_cost_per_hour": None}).status, 200)
        self.assertIsNone(api.get("/api/budget/writer").json["max_cost_per_hour"])
        self.assertTrue([text for text in api.alerts if "max_cost_per_hour $5 -> none" in text])

    def test_reload(self):
        """A reload says what it changed."""
        api = Api(self)
        api.write(CONFIG.replace("coder:", "tester:"))
        reply = api.ask("POST", "/api/reload")
        self.assertEqual((reply.status, reply.json["agents"]["added"]), (200, ["tester"]))
        self.assertEqual(api.live.tail[-1].reason, "admin at 127.0.0.1: agents added tester; agents removed coder")
        self.assertEqual(api.get("/api/agents/tester").status, 200)

    def test_reload_for_a_restart(self):
        """What a restart only puts in force is told by the key that the file has for it."""
        api = Api(self)
        api.write("gateway: {{port: 9, idle_timeout: 3}}\n" + CONFIG[CONFIG.index("agents:") :])
        api.ask("POST", "/api/reload")
        self.assertIn("changed: idle_timeout; in force after a restart only: gateway.port", api.live.tail[-1].reason)

    def test_reload_of_one_mistake(self):
        """One is one."""
        api = Api(self)
        api.write(CONFIG.replace("10/min", "10/fortnight"))
        api.ask("POST", "/api/reload")
        self.assertTrue([text for text in api.alerts if text.endswith("the configuration has 1 mistake")], api.alerts)

    def test_reload_of_mistakes(self):
        """A file with mistakes changes nothing, and the answer names each with its line."""
        api = Api(self)
        api.write(CONFIG.replace("10/min", "10/fortnight").replace("coder: {{", "coder: {{colour: red, "))
        reply = api.ask("POST", "/api/reload")
        self.assertEqual((reply.status, reply.code), (422, "invalid_config"))
        self.assertEqual(reply.phrase, b"Unprocessable Content")
        mistakes = reply.json["error"]["mistakes"]
        self.assertEqual([mistake["path"] for mistake in mistakes], ["agents.writer.rate_limit", "agents.coder.colour"])
        self.assertIn('expected "<count>/<unit>"', mistakes[0]["message"])
        self.assertFalse(api.live.tail)
        self.assertTrue([text for text in api.alerts if "nothing changed" in text])
