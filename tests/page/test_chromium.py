"""The status page in a real Chromium: what a reader sees, types and presses, with and without scripts."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from exporter.views import Verdict
from exporter.web.application import Site, create_app
from exporter.web.pagequery import PAGE_SIZE
from tests.page import sample
from tests.page.browser import ORIGIN, Browser, browser
from tests.programs import require_program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from exporter.negotiation import Format
    from exporter.views import Overview

pytestmark = [pytest.mark.real, pytest.mark.asyncio(loop_scope="module")]

CONTRAST = Path(__file__).with_name("contrast.js").read_text(encoding="utf-8")
NAMES = "[...document.querySelectorAll('.tasks .name')].map(node => node.textContent)"
# The refresh comes when the test says so, not after half a minute.
TICK = "window.setInterval = (callback) => { window.tick = callback; return 0; };"


@dataclass
class Stage:
    """What the application shows."""

    shown: Overview = sample.OVERVIEW
    gone: bool = False

    async def overview(self) -> Overview:
        """Return what is shown, or be gone."""
        if self.gone:
            raise ConnectionResetError
        return self.shown


@dataclass
class Window:
    """A browser, and the application behind it."""

    browser: Browser
    stage: Stage

    async def open(self, path: str = "/", *, width: int = 1400, dark: bool = False) -> Browser:
        """Load a page of the sample in a viewport, with nothing noted so far."""
        self.stage.shown, self.stage.gone = sample.OVERVIEW, False
        await self.browser.script_enabled(enabled=True)
        await self.browser.emulate(width=width, dark=dark)
        self.browser.console.clear()
        self.browser.requests.clear()
        await self.browser.goto(path)
        return self.browser


async def _nothing(*_: Any) -> None:
    pytest.fail("the page neither scrapes nor reloads")


async def _no_metrics(_form: Format, _gzip: bool) -> tuple[bytes, ...]:  # noqa: FBT001 - the contract of Site
    return (b"",)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def window(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Window]:
    """Return one browser for all tests of the module."""
    program = require_program("chromium")
    stage = Stage()
    site = Site(_no_metrics, stage.overview, lambda: None, _nothing)
    async with browser(program, create_app(site), tmp_path_factory.mktemp("profile")) as page:
        await page.call("Page.addScriptToEvaluateOnNewDocument", source=TICK)
        yield Window(page, stage)


async def test_the_page_loads_without_a_word_on_the_console_and_from_here_only(window: Window) -> None:
    """No error, no warning, no request to any other host; the policy blocks nothing that is ours."""
    page = await window.open()
    await page.wait_for("document.querySelector('time.viewer[title]')")
    assert page.console == []
    assert page.requests
    assert {url.split("?")[0] for url in page.requests} <= {
        f"{ORIGIN}/",
        f"{ORIGIN}/static/page.css",
        f"{ORIGIN}/static/page.js",
        f"{ORIGIN}/static/icon.svg",
    }


async def test_hostile_text_is_only_text(window: Window) -> None:
    """A task named like a script is shown letter by letter, wherever it stands, and runs nothing."""
    hostile = replace(sample.TASKS[0], name=sample.HOSTILE, id=sample.HOSTILE, reasons=(sample.HOSTILE,))
    page = await window.open()
    window.stage.shown = replace(sample.OVERVIEW, tasks=(hostile,), reload_error=sample.HOSTILE)
    await page.goto(f"/?q={'%3Cscript%3E'}")
    assert await page.evaluate(NAMES) == [sample.HOSTILE]
    assert await page.evaluate("document.querySelector('.why li').textContent") == sample.HOSTILE
    assert await page.evaluate("document.querySelector('#q').value") == "<script>"
    assert await page.evaluate("typeof window.pwned") == "undefined"
    assert await page.evaluate("document.querySelectorAll('main script, main img').length") == 0
    assert page.console == []


async def test_the_policy_stops_what_would_get_through(window: Window) -> None:
    """Were markup to get in after all, its scripts would not run, and nothing would be sent elsewhere."""
    page = await window.open()
    await page.evaluate(
        """new Promise(done => {
          document.addEventListener("securitypolicyviolation", event => done(event.violatedDirective));
          const script = document.createElement("script");
          script.textContent = "window.pwned = 1";
          document.body.append(script);
        })"""
    )
    assert await page.evaluate("typeof window.pwned") == "undefined"
    await page.evaluate("fetch('http://elsewhere.test/').catch(() => 0)")
    assert not [url for url in page.requests if not url.startswith(ORIGIN)]
    page.console.clear()


async def test_typing_filters_at_once(window: Window) -> None:
    """The list follows the words, the address too, so that it can be sent to a colleague."""
    page = await window.open()
    await page.evaluate("document.querySelector('#q').focus()")
    await page.type("evening beijing")
    await page.wait_for(f"{NAMES}.length === 1")
    assert await page.evaluate(NAMES) == ["evening stop, Beijing"]
    assert await page.evaluate("location.search") == "?q=evening+beijing"
    assert await page.evaluate("document.activeElement.id") == "q"
    assert await page.evaluate("document.querySelector('[role=status]').textContent.trim()") == "1 task"
    assert page.console == []


async def test_a_state_is_chosen_by_keyboard_and_undone_by_back(window: Window) -> None:
    """Enter on a chip filters, keeps the focus there, and the browser's back button undoes it."""
    page = await window.open()
    await page.evaluate("document.querySelector('#chip-trouble').focus()")
    await page.press("Enter", text="\r")
    await page.wait_for(f"{NAMES}.length === 9")
    assert await page.evaluate("document.activeElement.id") == "chip-trouble"
    assert await page.evaluate("document.activeElement.getAttribute('aria-current')") == "true"
    await page.evaluate("history.back()")
    await page.wait_for(f"{NAMES}.length === {len(sample.TASKS)}")
    assert page.console == []


async def test_columns_sort_both_ways_and_say_so(window: Window) -> None:
    """The direction is told by an arrow and to assistive technology."""
    page = await window.open()
    forward = sorted((task.name for task in sample.TASKS), key=str.casefold)
    for direction, expected in (("ascending", forward), ("descending", forward[::-1])):
        await page.evaluate("document.querySelector('#sort-task').click()")
        await page.wait_for(f"document.querySelector('th[aria-sort={direction}] #sort-task')")
        assert [name[:20] for name in await page.evaluate(NAMES)] == [name[:20] for name in expected]
    arrow = "getComputedStyle(document.querySelector('#sort-task .arrow'), '::before').content"
    assert await page.evaluate(arrow) == '"↓"'


async def test_times_are_in_the_viewers_zone_and_the_tasks(window: Window) -> None:
    """The viewer sits in Madrid, the task in Shanghai."""
    page = await window.open("/?q=nightly")
    clocks = "[...document.querySelectorAll('.clock')].map(node => node.textContent.trim())"
    assert await page.evaluate(clocks) == ["Thu 12 Mar, 19:00 your time", "Fri 13 Mar, 02:00 Asia/Shanghai"]
    title = await page.evaluate("document.querySelector('.clock time').title")
    assert title.endswith("19:00 Central European Standard Time = Thu 12 Mar, 18:00 UTC")


async def test_a_refresh_brings_news_and_disturbs_nobody(window: Window) -> None:
    """Open details stay open, the focus and the filter stay where they are; the news are there."""
    page = await window.open("/?state=trouble")
    key = await page.evaluate(
        "(() => { const d = document.querySelector('.task details'); d.open = true;"
        " d.querySelector('summary').focus(); return d.dataset.key; })()"
    )
    recovered = replace(sample.TASKS[1], verdict=Verdict.OK, reasons=())
    window.stage.shown = replace(sample.OVERVIEW, tasks=(sample.TASKS[0], recovered, *sample.TASKS[2:]))
    await page.evaluate("window.tick()")
    await page.wait_for("document.title.startsWith('8 in trouble')")
    assert sample.TASKS[1].name not in await page.evaluate(NAMES)
    assert await page.evaluate("document.activeElement.parentElement.dataset.key") == key
    assert await page.evaluate("[...document.querySelectorAll('details[open]')].map(d => d.dataset.key)") == [
        key
    ]


async def test_a_refresh_can_be_paused(window: Window) -> None:
    """WCAG 2.2.2: what updates by itself can be stopped."""
    page = await window.open()
    await page.evaluate("document.querySelector('#pause').click()")
    assert await page.evaluate("document.querySelector('#pause').textContent") == "Refresh again"
    before = len(page.requests)
    await page.evaluate("window.tick()")
    await page.evaluate("document.querySelector('#pause').click()")
    await page.evaluate("window.tick()")
    await page.wait_for("document.querySelector('#pause').textContent === 'Pause refresh'")
    await page.wait_for("!document.querySelector('[aria-busy]')")
    assert len([url for url in page.requests[before:] if url == f"{ORIGIN}/?"]) == 1


async def test_a_failed_refresh_says_how_old_the_page_is(window: Window) -> None:
    """The exporter has gone: the page stays and says so, and is well again with the next refresh."""
    page = await window.open()
    window.stage.gone = True
    await page.evaluate("window.tick()")
    await page.wait_for("document.querySelector('.asof').textContent.includes('Not refreshed')")
    assert "02:45 UTC" in await page.evaluate("document.querySelector('.asof').textContent")
    assert len(await page.evaluate(NAMES)) == len(sample.TASKS)
    window.stage.gone = False
    await page.evaluate("window.tick()")
    await page.wait_for("!document.querySelector('.asof').textContent.includes('Not refreshed')")
    page.console.clear()


async def test_without_scripts_everything_is_there(window: Window) -> None:
    """Filter, states, sorting and pages are links and a form; times are in UTC and the task's zone."""
    page = await window.open()
    await page.script_enabled(enabled=False)
    await page.goto("/")
    assert await page.evaluate("document.querySelector('#pause')") is None
    assert "UTC" in await page.evaluate("document.querySelector('.clock').textContent")
    await page.evaluate("document.querySelector('#q').focus()")
    await page.type("frankfurt")
    async with page.navigation():
        await page.press("Enter", text="\r")
    assert await page.evaluate(NAMES) == ["hibernate, Frankfurt"]
    async with page.navigation():
        await page.evaluate("document.querySelector('#sort-task').click()")
    assert await page.evaluate("location.search") == "?q=frankfurt&sort=name"


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
async def test_contrast_is_enough_in_every_scheme(window: Window, width: int, *, dark: bool) -> None:
    """4.5 for text, 3 for large text, controls, icons and cells, measured on what the browser drew."""
    page = await window.open(width=width, dark=dark)
    window.stage.shown = replace(sample.OVERVIEW, reload_error="config.yml: projects: required")
    await page.goto("/")
    await page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true; })")
    result = await page.evaluate(CONTRAST)
    assert result["faults"] == []
    assert result["measured"]["text"] > 500
    assert result["measured"]["drawn"] > 150


async def test_the_schemes_differ(window: Window) -> None:
    """Dark is dark, light is light."""
    background = "getComputedStyle(document.body).backgroundColor"
    light = await (await window.open()).evaluate(background)
    dark = await (await window.open(dark=True)).evaluate(background)
    assert (light, dark) == ("rgb(245, 246, 248)", "rgb(15, 20, 27)")


@pytest.mark.parametrize("width", [320, 390, 700, 701, 900, 1200, 1201, 1400, 2200])
async def test_no_width_scrolls_sideways(window: Window, width: int) -> None:
    """WCAG 1.4.10: from 320 pixels on, with everything opened, nothing sticks out."""
    page = await window.open(width=width)
    await page.evaluate("document.querySelectorAll('details').forEach(node => { node.open = true; })")
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    inside = (
        "[...document.querySelectorAll('td, li, dd')].filter(node => node.scrollWidth > node.clientWidth + 1)"
    )
    assert await page.evaluate(f"{inside}.map(node => node.outerHTML.slice(0, 99))") == []


async def test_the_keyboard_reaches_everything_visibly(window: Window) -> None:
    """Tab visits every link, field and summary once, each with a visible ring; the first is a way past."""
    page = await window.open("/?q=evening")
    wanted = await page.evaluate(
        "[...document.querySelectorAll('a, button, select, input:not([type=hidden]), summary')]"
        ".filter(node => node.checkVisibility()).length"
    )
    seen: list[str] = []
    for _ in range(wanted):
        await page.press("Tab")
        name, ring = await page.evaluate(
            "(node => [node.outerHTML.slice(0, 90), getComputedStyle(node).outlineStyle])"
            "(document.activeElement)"
        )
        assert ring != "none", name
        seen.append(name)
    assert "Skip to the tasks" in seen[0]
    assert len(seen) == wanted > 15
    await page.press("Tab")
    assert await page.evaluate("document.activeElement === document.body")


async def test_assistive_technology_is_told_names_and_rows(window: Window) -> None:
    """Every control has a name, every strip its runs in words, and cards are still a table."""
    page = await window.open(width=390)
    nodes = (await page.call("Accessibility.getFullAXTree"))["nodes"]
    told: dict[str, list[str]] = {}
    for node in nodes:
        if not node["ignored"]:
            told.setdefault(node["role"]["value"], []).append(node.get("name", {}).get("value", ""))
    for role in ("link", "button", "searchbox", "combobox", "DisclosureTriangle"):
        assert told[role], role
        assert all(name.strip() for name in told[role]), role
    assert len(told["row"]) == 1 + len(sample.TASKS)
    strips = told["image"]
    assert (
        "Last 10 runs, oldest first: success, success, success, success, success, partial, success, "
        "failed, failed, failed" in strips
    )
    assert "No runs" in strips
    assert len(strips) == len(sample.TASKS)


async def test_ten_thousand_tasks_are_fifty_on_a_page_with_the_worst_first(window: Window) -> None:
    """The page stays small; its last page is a link away."""
    page = await window.open()
    window.stage.shown = sample.many(10_000)
    await page.goto("/")
    assert len(await page.evaluate(NAMES)) == PAGE_SIZE
    badges = "[...new Set([...document.querySelectorAll('.badge')].map(node => node.textContent))]"
    assert await page.evaluate(badges) == ["Failed"]
    await page.evaluate("document.querySelector('#page-200').click()")
    await page.wait_for("document.querySelector('#page-200[aria-current=page]')")
    assert await page.evaluate(f"{NAMES}.at(-1)") == "task 09999"
    assert await page.evaluate("document.querySelectorAll('*').length") < 12_000
    assert page.console == []
