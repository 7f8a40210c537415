"""Alerts: the latest ones kept for those who look, all of them logged, and posted where a policy names a webhook."""

from collections import deque
from collections.abc import Callable

from twisted.logger import Logger

from agentgateway.domain.alert import Alert

KEPT = 500


class Alerts:
    """`recent` holds the latest alerts, newest last; `post` takes those that name a webhook."""

    _log = Logger()

    def __init__(self, post: Callable[[Alert], None] = lambda _: None) -> None:
        self.recent: deque[Alert] = deque(maxlen=KEPT)
        self._post = post

    def add(self, alert: Alert) -> None:
        """One more."""
        self.recent.append(alert)
        self._log.warn("{text}", text=alert.text)
        if alert.webhook is not None:
            self._post(alert)
