"""Chromium as the tests use it: open a page at some width and look at what a reader would see."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from types import TracebackType
from typing import Any

from selenium import webdriver
from selenium.webdriver.support.ui import WebDriverWait

QUIET = ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
         "disable-component-update", "disable-sync", "hide-scrollbars", "force-color-profile=srgb")  # fmt: skip

# On a busy machine a page is handed over before it is whole, and before a telephone's width is that of its layout.
WHOLE = """return document.readyState === "complete" && location.href === arguments[0]
    && document.documentElement.clientWidth === arguments[1]"""


class Browser:
    """A browser for the length of a block."""

    def __init__(self, binary: str, driver: str, profile: Path) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = binary
        for argument in (*QUIET, f"user-data-dir={profile}"):
            options.add_argument(f"--{argument}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))

    def __enter__(self) -> Browser:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.driver.quit()

    def open(
        self, page: Path, width: int = 1280, *, dark: bool = False, media: str = "screen", js: bool = True
    ) -> None:
        """Load a page from disk, as a reader with this screen would."""
        self.driver.get("about:blank")  # leave the browser's own first tab, which asks for addresses of its own
        for log in ("browser", "performance"):
            self.driver.get_log(log)  # forget what earlier pages said
        self._tell("Emulation.setScriptExecutionDisabled", value=not js)
        self._tell(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._tell("Emulation.setEmulatedMedia", media=media, features=[scheme])
        self.driver.get(page.as_uri())
        if js:
            WebDriverWait(self.driver, 60, 0.05).until(lambda it: it.execute_script(WHOLE, page.as_uri(), width))

    def ask(self, script: str) -> Any:
        """The value of a JavaScript expression in the page."""
        return self.driver.execute_script(f"return {script}")

    def console(self) -> list[str]:
        """What the page complained about."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """Every address the page asked for; what the browser asks for on behalf of its own pages is not the page's."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        sent = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
        return [one["request"]["url"] for one in sent if not one["documentURL"].startswith("chrome")]

    def picture(self, path: Path | None = None) -> bytes:
        """The whole page as PNG, also written to `path`."""
        shot = base64.b64decode(self._tell("Page.captureScreenshot", format="png", captureBeyondViewport=True)["data"])
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(shot)
        return shot

    def outline(self) -> list[tuple[str, str]]:
        """What a screen reader is told, in order: (role, name)."""
        nodes = self._tell("Accessibility.getFullAXTree")["nodes"]
        return [
            (node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node.get("ignored")
        ]

    def printed(self) -> bytes:
        """The page on paper, as PDF."""
        return base64.b64decode(self._tell("Page.printToPDF", printBackground=False)["data"])

    def _tell(self, command: str, **arguments: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self.driver.execute_cdp_cmd(command, arguments)
        return answer
