"""What fits where: nothing hides beside or below what is in sight."""

from tests.browser.base import BrowserTestCase


class RoomTests(BrowserTestCase):
    """A gateway with a past, on a small laptop."""

    more = ("history",)

    def test_one_scrollbar(self) -> None:
        """An agent's page scrolls within itself; the window around it does not, and has no black half below."""
        self.size(1280, 900)
        self.open("agents/coder")
        self.until(lambda: len(self.all("table.records tbody tr")) > 20 and len(self.all(".uplot")) == 6)
        inner, outer = self.browser.execute_script(HEIGHTS)
        self.assertGreater(inner, 900)
        self.assertEqual(outer, 900)

    def test_table_fits(self) -> None:
        """All columns of the agents' table are in sight at once, beside a scrollbar too."""
        self.size(1280 - SCROLLBAR, 800)
        self.open("agents")
        self.until(lambda: len(self.all("table.agents .name")) == 8)
        box = self.one(".scroll")
        wide, room = (box.get_property(name) for name in ("scrollWidth", "clientWidth"))
        self.assertEqual(wide, room)

    def test_scrollbars_alike(self) -> None:
        """Whatever scrolls, its scrollbar is as dark and thin as the others."""
        found = set()
        for view, box in (("agents", ".scroll"), ("agents/coder", ".view.free"), ("alerts", ".timeline")):
            self.open(view)
            self.gateway.pause("coder", "why")
            self.until(lambda box=box: self.all(box))
            found.add(tuple(self.browser.execute_script(SCROLLBARS, self.one(box))))
        self.assertEqual(found, {("rgb(58, 71, 87) rgba(0, 0, 0, 0)", "thin")})


SCROLLBAR = 15
"""Pixels that the widest of the usual scrollbars takes."""
HEIGHTS = """
return [document.querySelector(".view").scrollHeight, document.scrollingElement.scrollHeight];
"""
SCROLLBARS = "const style = getComputedStyle(arguments[0]); return [style.scrollbarColor, style.scrollbarWidth];"
