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


HEIGHTS = """
return [document.querySelector(".view").scrollHeight, document.scrollingElement.scrollHeight];
"""
