"""The page in a real browser: the slider, the turning skeleton and the scrubber work, nothing is fetched."""

import shutil

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="module")
def browser():
    """A headless Chromium; skips, saying what it needs, where there is none."""
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="needs playwright (pip install playwright) and a Chromium"
    )
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    with playwright.sync_playwright() as driver:
        try:
            started = driver.chromium.launch(executable_path=found, args=["--no-sandbox"])
        except playwright.Error as error:
            pytest.skip(f"needs a Chromium (playwright install chromium): {str(error).splitlines()[0]}")
        yield started
        started.close()


@pytest.fixture
def opened(browser):
    """(file, width) → the page, and everything that it complained of or asked the network for."""
    pages = []

    def open_page(path, width=1200):
        page = browser.new_page(viewport={"width": width, "height": 900}, has_touch=True)
        pages.append(page)
        trouble = []
        page.on("console", lambda said: trouble.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith(("data:", "file:")) else trouble.append(asked.url),
        )
        page.goto(path.as_uri())
        return page, trouble

    yield open_page
    for page in pages:
        page.close()


def test_slider_skeleton_and_scrubber(whole, opened):
    page, trouble = opened(whole / "report.html")
    page.locator("#compare").scroll_into_view_if_needed()
    box = page.locator("#compare").bounding_box()
    page.mouse.click(box["x"] + box["width"] * 0.2, box["y"] + box["height"] / 2)
    cut = page.evaluate("getComputedStyle(document.getElementById('compare')).getPropertyValue('--cut')")
    assert abs(float(cut.strip("% ")) - 20) < 6

    canvas = page.locator("#skeleton")
    picture = "document.getElementById('skeleton').toDataURL()"
    before, yaw = page.evaluate(picture), float(canvas.get_attribute("data-yaw"))
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 100)
    page.mouse.up()
    assert float(canvas.get_attribute("data-yaw")) == pytest.approx(yaw - 1.0, abs=0.05)
    assert page.evaluate(picture) != before
    canvas.dblclick()
    assert float(canvas.get_attribute("data-yaw")) == pytest.approx(yaw)

    assert page.locator("#reading").inner_text() == "iteration 3: 181 mm"
    last = page.locator("#compare-after").get_attribute("src")
    page.locator("#step").fill("1")
    assert page.locator("#reading").inner_text() == "iteration 1: 90 mm"
    assert page.locator("#compare-after").get_attribute("src") != last
    page.locator("#viewer-networks button").nth(1).click()
    assert page.locator("#reading").inner_text() == "iteration 3: 181 mm"
    assert trouble == []


@pytest.mark.parametrize("width", [390, 901])
def test_no_table_scrolls_sideways_with_seven_networks(seven, opened, width):
    page, trouble = opened(seven / "report.html", width=width)
    wide = page.evaluate(
        "[...document.querySelectorAll('figure.table .scroll')].filter(e => e.scrollWidth > e.clientWidth)"
        ".map(e => e.parentElement.id)"
    )
    assert wide == [] and trouble == []
    summary = page.locator("#summary")
    assert summary.locator("td[data-figure]").count() == 7 * 15
    card = summary.locator("td[data-figure=dc][data-network=silhouette]")
    before = card.evaluate("e => getComputedStyle(e, '::before').content")
    assert before == ('"silhouette"' if width <= 900 else "none")


def test_the_page_fits_a_phone(whole, opened):
    page, trouble = opened(whole / "report.html", width=390)
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    small = page.evaluate(
        "[...document.querySelectorAll('p, td, th')].filter(e => e.offsetParent"
        " && parseFloat(getComputedStyle(e).fontSize) < 11.5).length"
    )
    assert small == 0 and trouble == []


def test_without_frames_the_viewer_still_turns(without_frames, opened):
    page, trouble = opened(without_frames / "report.html")
    assert page.locator("#compare").count() == 0
    assert page.locator("#reading").inner_text() == "iteration 3: 181 mm"
    assert page.evaluate("[...document.images].every(one => !one.src.startsWith('data:image/webp'))")
    assert trouble == []
