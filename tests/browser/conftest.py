"""A headless Chromium, and a page that is open in it.

Needs Debian's ``chromium`` and ``chromium-driver``. Where they are missing the tests are skipped; in CI they fail.
"""

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)


@pytest.fixture(scope="session")
def browser(tmp_path_factory) -> Iterator[Any]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        missing = "chromium and chromium-driver are not installed (apt-get install chromium chromium-driver)"
        pytest.fail(missing) if os.environ.get("CI") else pytest.skip(missing)
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    options.set_capability("unhandledPromptBehavior", "ignore")
    started = webdriver.Chrome(options=options, service=Service(driver))
    yield started
    started.quit()


class Page:
    """A report that is open in the browser."""

    def __init__(self, driver: Any, path: Path):
        self.driver = driver
        # From an empty page, so that it is loaded anew whatever was open.
        driver.get("about:blank")
        driver.get_log("browser")
        driver.get(path.as_uri())

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def open(self, tab: str) -> None:
        self.run("document.getElementById(`tab-${arguments[0]}`).click()", tab)

    def every(self, selector: str, expression: str) -> list[Any]:
        """What an expression in ``e`` says of each element."""
        return self.run(f"return [...document.querySelectorAll(arguments[0])].map(e => {expression})", selector)

    def texts(self, selector: str) -> list[str]:
        return self.every(selector, "e.textContent")

    def click(self, selector: str, number: int = 0) -> None:
        self.run("document.querySelectorAll(arguments[0])[arguments[1]].click()", selector, number)

    def choose(self, tab: str, label: str, value: str) -> None:
        """Sets a filter by its label and an option's text."""
        self.run(
            """const label = [...document.querySelectorAll(`#page-${arguments[0]} .filters label`)]
                 .find(l => l.firstChild.textContent === arguments[1]);
               const select = label.querySelector('select');
               select.value = [...select.options].find(o => o.textContent === arguments[2]).value;
               select.dispatchEvent(new Event('change'))""",
            tab,
            label,
            value,
        )

    def search(self, tab: str, words: str) -> None:
        box = self.driver.find_element("css selector", f"#page-{tab} input[type=search]")
        box.clear()
        box.send_keys(words)
        time.sleep(0.4)  # the page waits 0.15 s for further letters

    def found(self, tab: str) -> str:
        return self.texts(f"#page-{tab} [role=status]")[0]

    def has_dialog(self) -> bool:
        from selenium.common.exceptions import NoAlertPresentException

        try:
            return bool(self.driver.switch_to.alert)
        except NoAlertPresentException:
            return False

    def errors(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture
def open_page(browser):
    return lambda path: Page(browser, path)
