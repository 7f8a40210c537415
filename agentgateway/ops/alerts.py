"""Alerts: the latest ones kept for those who look, all of them logged."""

from collections import deque

from twisted.logger import Logger

from agentgateway.domain.alert import Alert

KEPT = 500


class Alerts:
    """`recent` holds the latest alerts, newest last."""

    _log = Logger()

    def __init__(self) -> None:
        self.recent: deque[Alert] = deque(maxlen=KEPT)

    def add(self, alert: Alert) -> None:
        """One more."""
        self.recent.append(alert)
        self._log.warn("{text}", text=alert.text)
