"""The report's page in a real browser: it draws, responds, sorts and requests nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from paths import ROOT
from run_folders import write_run
from selenium import webdriver
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from small import small

from netbuilder.config.loader import load
from netbuilder.network.analysis import analyse
from netbuilder.render.drawing import draw
from netbuilder.render.report.model import report_on
from netbuilder.render.report.write import write_report
from netbuilder.runs.selection import Selection

BROWSER, DRIVER = (
    next(filter(None, map(shutil.which, names)), None)
    for names in (("chromium", "chromium-browser", "google-chrome"), ("chromedriver",))
)
pytestmark = pytest.mark.skipif(
    not (BROWSER and DRIVER),
    reason="no browser; on Debian: apt-get install chromium chromium-driver",
)
HOSTILE = "</script><img src=https://example.invalid/x onerror=alert(1)> שלום \u202eabc"


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of two networks, the first of two seeds."""
    folder = tmp_path_factory.mktemp("browser")
    first = small("train.epochs=4", f"title={json.dumps(HOSTILE)}")
    accuracies = [(40.0, 45.0), (50.0, 49.0), (60.0, 55.0), (70.0, 60.0)]
    for seed in (0, 1):
        better = [(train + seed, test + seed) for train, test in accuracies]
        write_run(folder / "runs", first, better, seed=seed, confused=[(5, 3, 7), (2, 7, 4)])
    second = small("train.epochs=4", "name=wider", "layers[0].Conv2d.out_channels=8")
    write_run(folder / "runs", second, [(train, test + 5) for train, test in accuracies])
    report = report_on(Selection.open_all([folder / "runs"]))
    _, page = write_report(report, folder / "out")
    return page.as_uri()


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    """A browser without a window, with its logs."""
    options = webdriver.ChromeOptions()
    for argument in (
        "headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu", "no-first-run",
        "disable-background-networking", "disable-component-update", "disable-sync",
    ):  # fmt: skip
        options.add_argument(f"--{argument}")
    options.binary_location = str(BROWSER)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = webdriver.Chrome(options=options, service=Service(str(DRIVER)))
    yield chrome
    chrome.quit()


@pytest.fixture
def browser(driver: webdriver.Chrome, address: str) -> webdriver.Chrome:
    """The page, freshly loaded, on a wide light screen."""
    emulate(driver, "light", 1300)
    driver.get_log("performance")  # type: ignore[no-untyped-call]
    driver.get(address)
    return driver


def emulate(driver: webdriver.Chrome, scheme: str, width: int) -> None:
    """Emulate a screen of this width, light or dark."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    screen = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)


def script(driver: webdriver.Chrome, code: str, *arguments: object) -> Any:
    """Return the value of a script in the page."""
    return driver.execute_script(code, *arguments)


def test_the_page_requests_nothing_and_logs_no_error(browser: webdriver.Chrome) -> None:
    """The page is the only request, and hostile text is not an element."""
    messages = [
        json.loads(entry["message"])["message"]
        for entry in browser.get_log("performance")  # type: ignore[no-untyped-call]
    ]
    requested = {
        message["params"]["request"]["url"]
        for message in messages
        if message["method"] == "Network.requestWillBeSent"
    }
    assert {url for url in requested if not url.startswith("data:")} == {browser.current_url}
    assert browser.get_log("browser") == []  # type: ignore[no-untyped-call]
    assert script(browser, "return document.images.length") == 0
    assert browser.find_element(By.CSS_SELECTOR, "h2 bdi").text == HOSTILE


def test_the_policy_of_the_page_blocks_a_request(browser: webdriver.Chrome) -> None:
    """The check above can fail: a request is blocked and logged."""
    code = "const i = new Image(); i.src = 'https://example.invalid/'; document.body.append(i)"
    script(browser, code)
    [entry] = browser.get_log("browser")  # type: ignore[no-untyped-call]
    assert "Content Security Policy" in entry["message"]


def test_curves_are_drawn(browser: webdriver.Chrome) -> None:
    """Each figure has lines with a length: a mean, and one line per seed of two."""
    lengths = script(
        browser,
        "return [...document.querySelectorAll('figure.curves')].map(f =>"
        " [...f.querySelectorAll('polyline')].map(p => p.getTotalLength()))",
    )
    assert [len(figure) for figure in lengths] == [12, 4]
    assert all(length > 50 for figure in lengths for length in figure)


def test_the_curves_follow_the_mouse(browser: webdriver.Chrome) -> None:
    """The tip shows the first epoch at the left, the last at the right, and is hidden elsewhere."""
    panel = browser.find_element(By.CSS_SELECTOR, "[data-panel=accuracy]")
    script(browser, "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", panel)
    tip = panel.find_element(By.CLASS_NAME, "tip")
    half = panel.size["width"] // 2
    mouse = ActionChains(browser, duration=0)
    mouse.move_to_element_with_offset(panel, 20 - half, 0).perform()
    assert tip.text.splitlines()[0] == "epoch 1"
    assert "test  45.50  (45.00–46.00)" in tip.text
    mouse.move_to_element_with_offset(panel, half - 20, 0).perform()
    assert tip.text.splitlines()[0] == "epoch 4"
    mouse.move_to_element(browser.find_element(By.TAG_NAME, "h1")).perform()
    assert not tip.is_displayed()


def test_the_curves_respond_to_the_keyboard(browser: webdriver.Chrome) -> None:
    """The arrow keys step through epochs, and a live region reports the values."""
    slider = browser.find_element(By.CSS_SELECTOR, ".scrub input")
    live_region = browser.find_element(By.CSS_SELECTOR, ".scrub output")
    slider.send_keys(Keys.HOME, Keys.ARROW_RIGHT)
    assert live_region.get_attribute("aria-live") == "polite"
    assert slider.get_attribute("aria-valuetext") == "epoch 2"
    assert "accuracy: training 50.50" in live_region.text


@pytest.mark.parametrize("method", ["click", "keyboard"])
def test_a_table_sorts(browser: webdriver.Chrome, method: str) -> None:
    """A button sorts ascending, then descending, then restores the order of the page."""
    table = browser.find_element(By.CSS_SELECTOR, "table.overview")
    head = table.find_elements(By.CSS_SELECTOR, "thead th")[1]
    button = head.find_element(By.TAG_NAME, "button")
    orders = []
    for _ in range(3):
        if method == "click":
            button.click()
        else:
            button.send_keys(Keys.ENTER)
        names = [
            row.text.split("\n")[0] for row in table.find_elements(By.CSS_SELECTOR, "tbody th")
        ]
        orders.append((head.get_attribute("aria-sort"), names))
    assert orders == [
        ("ascending", ["small", "wider"]),
        ("descending", ["wider", "small"]),
        ("none", ["small", "wider"]),
    ]


def test_the_theme_follows_the_system_and_the_button(browser: webdriver.Chrome) -> None:
    """The background is dark with a dark system, until the button changes it."""
    background = "return getComputedStyle(document.body).backgroundColor"
    assert script(browser, background) == "rgb(255, 255, 255)"
    emulate(browser, "dark", 1300)
    browser.refresh()
    assert script(browser, background) == "rgb(20, 24, 27)"
    button = browser.find_element(By.ID, "theme")
    assert button.text == "Light"
    button.click()
    assert script(browser, background) == "rgb(255, 255, 255)"


def test_a_phone_scrolls_vertically_only(browser: webdriver.Chrome) -> None:
    """The page is not wider than a screen of 360 pixels."""
    emulate(browser, "light", 360)
    assert script(browser, "return document.documentElement.scrollWidth") == 360
    browser.find_element(By.CSS_SELECTOR, "table.overview a").click()
    assert browser.current_url.endswith("#iteration-small")


def test_text_in_figures_is_readable_on_a_phone(browser: webdriver.Chrome) -> None:
    """Text in figures is more than 10 pixels high."""
    emulate(browser, "light", 360)
    code = (
        "return [...document.querySelectorAll('figure.sizes svg text, figure.curves svg text')]"
        ".map(text => text.getBoundingClientRect().height)"
    )
    assert min(script(browser, code)) > 10


def test_controls_have_accessible_names(browser: webdriver.Chrome) -> None:
    """A heading's name has no arrow, and a slider's name has its network."""
    head = browser.find_element(By.CSS_SELECTOR, "table.overview thead th:nth-child(2)")
    assert head.find_element(By.TAG_NAME, "button").accessible_name == "parameters"
    sliders = browser.find_elements(By.CSS_SELECTOR, ".scrub input")
    assert [slider.accessible_name for slider in sliders] == ["Epoch of small", "Epoch of wider"]


@pytest.mark.parametrize("selector", ["table.overview", ".iteration table.dense"])
def test_a_table_fits_a_wide_screen(browser: webdriver.Chrome, selector: str) -> None:
    """No column is cut off at 1280 pixels."""
    emulate(browser, "light", 1280)
    code = (
        "const around = document.querySelector(arguments[0]).closest('.scrolled');"
        "return around.scrollWidth - around.clientWidth"
    )
    assert script(browser, code, selector) == 0


def test_headings_descend_by_single_levels(browser: webdriver.Chrome) -> None:
    """The page has one h1, no skipped level, and each landmark once."""
    levels = [
        int(heading.tag_name[1]) for heading in browser.find_elements(By.CSS_SELECTOR, "h1, h2, h3")
    ]
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    for landmark in ("header", "nav", "main", "footer"):
        assert len(browser.find_elements(By.TAG_NAME, landmark)) == 1


def test_the_page_works_without_scripts(browser: webdriver.Chrome, address: str) -> None:
    """Curves are displayed; controls that need a script are hidden."""
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(address)
        assert browser.find_element(By.CSS_SELECTOR, "polyline").is_displayed()
        assert not browser.find_element(By.CSS_SELECTOR, ".scrub").is_displayed()
        assert not browser.find_element(By.ID, "theme").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


# --- pictures of networks ------------------------------------------------------------------------

OVERLAPS = """
const svg = document.documentElement, page = svg.viewBox.baseVal, faults = [];
const texts = [...svg.querySelectorAll("text")].map(text => [text.textContent, text.getBBox()]);
texts.forEach(([text, a], i) => {
  if (a.x < 0 || a.y < 0 || a.x + a.width > page.width || a.y + a.height > page.height)
    faults.push(text);
  for (const [other, b] of texts.slice(i + 1)) {
    const across = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
    const down = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
    if (across > 0.5 && down > 2.5) faults.push(text + " | " + other);
  }
});
return [texts.length, faults];
"""
"""The number of texts of a picture, and those that overlap, spacing of lines aside, or are cut."""


@pytest.mark.parametrize("name", ["iter10", "zoo/resnet18", "zoo/googlenet", "zoo/convnext_tiny"])
def test_texts_of_a_picture_are_apart(name: str, driver: webdriver.Chrome, tmp_path: Path) -> None:
    """With the fonts of a browser, no text overlaps another one or leaves the picture."""
    picture = tmp_path / "net.svg"
    picture.write_text(draw(analyse(load(ROOT / f"archs/{name}.yaml"))))
    emulate(driver, "light", 1300)
    driver.get(picture.as_uri())
    count, faults = driver.execute_script(OVERLAPS)
    assert count > 40
    assert faults == []


def test_a_picture_has_the_colors_of_the_reader(driver: webdriver.Chrome, tmp_path: Path) -> None:
    """A picture alone is light or dark by the preference."""
    picture = tmp_path / "net.svg"
    picture.write_text(draw(analyse(small())))
    color = "return getComputedStyle(document.querySelector('.n-title')).fill"
    colors = []
    for scheme in ("light", "dark"):
        emulate(driver, scheme, 1300)
        driver.get(picture.as_uri())
        colors.append(driver.execute_script(color))
    assert colors == ["rgb(27, 33, 38)", "rgb(230, 234, 237)"]


def test_a_picture_in_a_page_follows_its_theme(browser: webdriver.Chrome) -> None:
    """The button changes its colors, too; it is not wider than the page."""
    color = "return getComputedStyle(document.querySelector('.n-title')).fill"
    light = browser.execute_script(color)
    browser.find_element(By.ID, "theme").click()
    assert browser.execute_script(color) != light
    browser.find_element(By.ID, "theme").click()
    assert browser.execute_script(color) == light
    width = "return document.querySelector('.net-drawing').getBoundingClientRect().width"
    assert browser.execute_script(width) < 1100
