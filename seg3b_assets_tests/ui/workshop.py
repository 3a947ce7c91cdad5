"""`make ui` over a coarse world, and the clicks a person makes in it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from seg3b_assets.settings import REPOSITORY

if TYPE_CHECKING:
    from playwright.sync_api import Page

PATIENCE_S = 180.0
"""How long anything may take on a machine that has other work."""


@contextmanager
def served_ui(folder: Path, settings: Mapping[str, str]) -> Iterator[str]:
    """The address of `make ui`, with its home and Dagster's below a folder, until the block ends."""
    port = _free_port()
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("SEG3B_", "DAGSTER_", "MAKE", "MFLAGS"))
    }
    own = {"SEG3B_HOME": str(folder / "home"), "DAGSTER_HOME": str(folder / "dagster"), "PORT": str(port)}
    log = folder / "ui.log"
    with log.open("wb") as told:
        server = subprocess.Popen(
            # A process started in the background ignores interrupts, and Dagster then ignores being stopped.
            [sys.executable, "-c", _MAKE_UI],
            cwd=REPOSITORY,
            env=kept | own | dict(settings),
            stdout=told,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
    try:
        _await(f"http://127.0.0.1:{port}/server_info", server, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        _stop(server)


def select_in_graph(page: Page, address: str, selection: str) -> None:
    """Open the global lineage and type a selection into its filter."""
    page.goto(f"{address}/asset-groups")
    page.get_by_text("S2_edges").first.wait_for()
    page.locator(".CodeMirror").first.click()
    page.keyboard.type(selection)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Materialize all").wait_for()


def launch_partition(page: Page, seed: str) -> None:
    """Materialize what the page shows for one seed, and go to the run's page."""
    page.get_by_role("button", name="Materialize all").click()
    _confirm_if_asked(page, page.get_by_text("Partition selection"))
    page.get_by_text("Select a partition").first.click()
    option = page.locator("label:visible, [role=checkbox]:visible, [role=menuitem]:visible")
    option.filter(has_text=seed).first.click()
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Launch 1 run").click()
    _view_run(page)


def launch_asset(page: Page, address: str, asset: str) -> None:
    """Materialize an asset without partitions from its page, and go to the run's page."""
    page.goto(f"{address}/assets/{asset}")
    page.get_by_role("button", name="Materialize").first.click()
    _confirm_if_asked(page, page.get_by_text("Launched run"))
    _view_run(page)


def watch_run(page: Page) -> str:
    """Stay on a run's page until the run is over; its status as the page says."""
    over = page.get_by_text("Success", exact=True).or_(page.get_by_text("Failure", exact=True))
    over.first.wait_for(timeout=PATIENCE_S * 1000)
    return over.first.inner_text()


def shows(page: Page, url: str, told: str) -> bool:
    """Whether a page, opened anew, shows a text within seconds."""
    page.goto(url)
    page.wait_for_timeout(4000)
    return page.get_by_text(told).count() > 0


def _confirm_if_asked(page: Page, otherwise: object) -> None:
    """Dagster asks whether to go on where earlier states are missing; the segment brings them up to date."""
    confirm = page.get_by_role("button", name="Confirm")
    confirm.or_(otherwise).first.wait_for()  # type: ignore[arg-type]
    if confirm.count():
        confirm.click()


def _view_run(page: Page) -> None:
    page.get_by_text("Launched run").first.wait_for(timeout=PATIENCE_S * 1000)
    page.get_by_text("View", exact=True).last.click()
    page.wait_for_url("**/runs/*")


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _await(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and server.poll() is None:
        with suppress(OSError), urllib.request.urlopen(url, timeout=5):
            return
        time.sleep(0.5)
    raise AssertionError(f"make ui does not answer:\n{log.read_text()[-4000:]}")


def _stop(server: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            server.wait(15)
        os.killpg(server.pid, signal.SIGKILL)


_MAKE_UI = """
import os, signal
signal.signal(signal.SIGINT, signal.default_int_handler)
os.execvp("make", ["make", "ui", "PORT=" + os.environ["PORT"]])
"""
