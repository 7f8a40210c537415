"""Telling once that something fails, and once that it works again."""

from collections.abc import Callable

import attrs


@attrs.define
class Health:
    """The state of one thing that may fail for a while; `what` opens each message."""

    what: str
    alert: Callable[[str], None]
    failing: bool = False

    def failed(self, why: str) -> None:
        """It failed; tells only if it worked before."""
        if not self.failing:
            self.failing = True
            self.alert(f"{self.what}: {why}")

    def works(self, but: str = "") -> None:
        """It worked; tells only if it failed before, with what is lost for good."""
        if self.failing:
            self.failing = False
            self.alert(f"{self.what}: works again{but}")
