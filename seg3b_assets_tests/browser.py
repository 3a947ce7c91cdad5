"""A real browser for the tests that look at pages: Debian's Chromium, headless, driven by Playwright.

A page that a test opens is watched: what it asked the network for, and every error it raised or wrote to its
console. Only ``make e2e`` installs the driver, so it is imported when a browser is opened, not before.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Page

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
KEPT = os.environ.get("SEG3B_SCREENSHOTS")
"""Where screenshots are kept for a person to look at; None keeps them with the test's other files."""


@dataclass
class Sight:
    """A page, and what it did.

    Attributes:
        page: Playwright's.
        asked: URLs it requested, in order.
        errors: messages it wrote to the console as errors, and exceptions nothing caught.
    """

    page: Page
    asked: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def shoot(self, name: str, folder: Path, full_page: bool = False) -> Path:
        """Write ``name.png`` of what the page shows now, to SEG3B_SCREENSHOTS or else to the folder."""
        path = Path(KEPT or folder) / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=full_page, animations="disabled")
        return path

    def external(self) -> list[str]:
        """What it asked for over the network from anywhere but this machine."""
        local = (
            "file:",
            "data:",
            "blob:",
            "about:",
            "http://127.0.0.1",
            "http://localhost",
            "ws://127.0.0.1",
        )
        return [url for url in self.asked if not url.startswith(local)]


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Chromium until the block ends, in a profile of its own."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - only `make e2e` installs it

    program = shutil.which("chromium")
    assert program, "no chromium here: `make e2e` installs it"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=program, args=QUIET)
        try:
            yield chromium
        finally:
            chromium.close()


@contextmanager
def watched_page(browser: Browser, width: int = 1600, height: int = 1000, **context: Any) -> Iterator[Sight]:
    """A page in a context of its own.

    Args:
        context: of Playwright's ``new_context``: ``color_scheme="dark"``, ``java_script_enabled`` ….
    """
    own = browser.new_context(viewport={"width": width, "height": height}, **context)
    sight = Sight(own.new_page())

    def said(message: ConsoleMessage) -> None:
        if message.type == "error":
            sight.errors.append(message.text)

    sight.page.on("request", lambda request: sight.asked.append(request.url))
    sight.page.on("console", said)
    sight.page.on("pageerror", lambda error: sight.errors.append(str(error)))
    try:
        yield sight
    finally:
        own.close()
