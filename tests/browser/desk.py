"""A window of the admin, in which a member of staff works."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, Self

from playwright.sync_api import Browser, ConsoleMessage, Page, Request

WIDTHS = (1440, 1024, 390)
Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
# How long a busy machine may take.
PATIENCE = 120
# As npm has put it there (`make browser`).
AXE = Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js"
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}


class Desk:
    """Notes whatever a page complains of, and whatever it asks of other hosts."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._follow)

    @classmethod
    @contextlib.contextmanager
    def opened(cls, browser: Browser, address: str) -> Iterator[Self]:
        """This will open a window, and see to it in the end that nothing complained and no other host was asked."""
        context = browser.new_context(viewport={"width": WIDTHS[0], "height": 1000})
        context.set_default_timeout(PATIENCE * 1000)
        desk = cls(context.new_page(), address)
        yield desk
        context.close()
        assert desk.complaints == []
        assert desk.elsewhere == []

    def log_in(self, username: str, password: str) -> None:
        """This will log in, by the keyboard alone."""
        self.page.goto(f"{self.address}/admin/")
        while self.page.evaluate("document.activeElement.name") != "username":
            self.page.keyboard.press("Tab")
        self.page.keyboard.type(username)
        self.page.keyboard.press("Tab")
        self.page.keyboard.type(password)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{self.address}/admin/")

    def go(self, path: str) -> None:
        """This will open a page of the admin."""
        answer = self.page.goto(f"{self.address}{path}")
        assert answer is not None
        assert answer.status == 200, (path, answer.status)

    def says(self, *texts: str) -> None:
        """This will see that the page shows these texts."""
        shown = " ".join(self.page.locator("#content").inner_text().split())
        for text in texts:
            assert text in shown, (text, shown[:2000])

    def look(self, name: str) -> None:
        """This will look at the page in each scheme at each width: nothing is wider than the window, and axe finds no
        fault."""
        for scheme in SCHEMES:
            self.wear(scheme)
            for width in WIDTHS:
                self.page.set_viewport_size({"width": width, "height": 1000})
                self.page.wait_for_load_state("networkidle")
                self._see(f"{name}-{scheme}-{width}")
        self.page.set_viewport_size({"width": WIDTHS[0], "height": 1000})

    def wear(self, scheme: Scheme) -> None:
        """This will change the scheme by the theme's key: a page that answers a form cannot be loaded again."""
        self.page.emulate_media(color_scheme=scheme)
        if self.page.locator("html[x-data]").count():
            while not self.page.locator(f"html.{scheme}").count():
                self.page.keyboard.press("Control+e")

    def press(self, name: str) -> None:
        """This will press a button, and wait for the page that answers."""
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=name).first.click()

    def tab_to(self, name: str, *, most: int = 80) -> None:
        """This will go by the keyboard alone to a link or a button of that name, and press it."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            focused = self.page.evaluate(
                "(document.activeElement.innerText || document.activeElement.value || '').trim()"
            )
            if re.fullmatch(name, focused):
                self.page.keyboard.press("Enter")
                self.page.wait_for_load_state()
                return
        raise AssertionError(f"the keyboard does not come to {name}")

    def _see(self, name: str) -> None:
        if shots := os.environ.get("BROWSER_SHOTS"):
            self.page.screenshot(path=Path(shots) / f"{name}.png", full_page=True)
        overflow = self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert overflow <= 0, (name, overflow)
        self.page.evaluate(AXE.read_text())
        found = self.page.evaluate("(rules) => axe.run(document, rules)", RULES)
        faults = [
            f"{fault['id']}: {node['html'][:300]} {node['failureSummary']}"
            for fault in found["violations"]
            for node in fault["nodes"]
        ]
        assert not faults, f"{name}: " + "\n".join(faults)

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.text} ({self.page.url})")

    def _follow(self, request: Request) -> None:
        if not request.url.startswith((self.address, "data:", "blob:")):
            self.elsewhere.append(request.url)
