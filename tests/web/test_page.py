"""What the page says in each situation (`web.page`). How it looks and works is the business of tests/page."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.views import ErrorView, Overview, ProjectView, ResultView, RunView, TaskView, Verdict
from exporter.web.assets import load_assets
from exporter.web.page import RUN_LOOKS, VERDICT_LOOKS, StatusPage
from exporter.web.pagequery import PAGE_SIZE, parse_query
from tests.page import sample

PAGE = StatusPage(load_assets(), "/metrics")


def html(overview: Overview, query: str = "") -> str:
    """Return the page as text."""
    return b"".join(PAGE.render(overview, parse_query(query.encode()))).decode()


def said(overview: Overview, query: str = "") -> str:
    """Return the words of the page, its markup taken off and its white space made single."""
    text = re.sub(r"<svg.*?</svg>|<[^>]*>", "", html(overview, query).split("<main>")[1], flags=re.DOTALL)
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("tasks", "headline"),
    [
        (sample.TASKS, "9 of 16 tasks need attention"),
        (sample.TASKS[:1] + sample.TASKS[-1:], "1 of 2 tasks needs attention"),
        (sample.TASKS[-2:], "No task is in trouble"),
        ((), "No tasks yet"),
    ],
)
def test_the_headline_is_the_answer(tasks: tuple[TaskView, ...], headline: str) -> None:
    """One sentence says whether anybody has to look."""
    assert said(replace(sample.OVERVIEW, tasks=tasks)).startswith(headline)


def test_the_title_counts_the_trouble() -> None:
    """A tab in the background tells."""
    assert "<title>9 in trouble · Workspace tasks</title>" in html(sample.OVERVIEW)
    assert "<title>Workspace tasks</title>" in html(Overview(sample.NOW, "1"))


def test_an_empty_page_says_why() -> None:
    """Before the first poll, and when nothing is selected; a filter that finds nothing offers a way back."""
    waiting = Overview(sample.NOW, "1", (ProjectView("prod"),))
    assert "The first poll has not ended." in said(waiting)
    polled = Overview(sample.NOW, "1", (ProjectView("prod", poll_ok=True),))
    assert "No task is selected: see tasks and discovery in the configuration." in said(polled)
    assert "No task matches. Show all" in said(sample.OVERVIEW, "q=nothing")


def test_a_failing_project_tells_error_cause_next_step_code_and_request_id() -> None:
    """All that a reader needs, and what the vendor's support asks for."""
    text = said(sample.OVERVIEW)
    assert "emea-desktops eu-west-101" in text
    assert "polled 44 s ago, every 1 min" in text
    assert "Polling fails; last success 1 d 2 h ago" in text
    assert "Incorrect IAM authentication information: decrypt token fail" in text
    assert "Likely cause: The token has ended, or belongs to another region." in text
    assert "Next step: Renew the token" in text
    assert "Code APIGW.0301" in text
    assert "Request id 7b1f6c0e2d3a4b5c8d9e0f1a2b3c4d5e" in text


def test_a_project_that_never_succeeded_says_so() -> None:
    """And an error without more details is shown without empty lines."""
    project = ProjectView("lab", poll_ok=False, last_poll=sample.NOW, error=ErrorView("no route"))
    text = said(Overview(sample.NOW, "1", (project,)))
    assert "Polling fails; it has not succeeded yet no route" in text
    assert "Likely cause" not in text
    assert "Request id" not in text


def test_many_healthy_projects_are_folded_and_failing_ones_are_not() -> None:
    """Trouble is never behind a click."""
    healthy = tuple(ProjectView(f"p{number}", poll_ok=True, last_poll=sample.NOW) for number in range(40))
    failing = ProjectView("broken", poll_ok=False, last_poll=sample.NOW)
    page = html(Overview(sample.NOW, "1", (*healthy, failing)))
    folded = page.index('<details data-key="projects">')
    assert "40 projects are polled without trouble" in page
    assert page.index("<bdi>broken</bdi>") < folded < page.index("<bdi>p0</bdi>")


def test_a_failed_reload_is_told() -> None:
    """With its reason, as an alert; a good one is not worth a word."""
    assert 'role="alert"' not in html(sample.OVERVIEW)
    overview = replace(sample.OVERVIEW, reload_error="config.yml: polling.interval: <0")
    assert "the one before is in force. config.yml: polling.interval: &lt;0" in said(overview)


def test_a_partial_run_names_its_failed_desktops() -> None:
    """Counts, codes, reasons and a few names are beside the verdict, not behind a click."""
    overview = replace(sample.OVERVIEW, tasks=sample.TASKS[2:3])
    why = html(overview).split('<ul class="why">')[1].split("</ul>")[0]
    text = " ".join(re.sub("<[^>]*>", "", why).split())
    assert text == (
        "The last run failed on 4 of 120 desktops. "
        "3 failed with WKS.00090012: 任务冲突 (dev-pc-017, dev-pc-018, dev-pc-044) "
        "1 failed with WKS.00170001: The desktop agent did not answer within 600 s (dev-pc-102)"
    )


def test_result_codes_that_are_none_have_words() -> None:
    """`other` and `unread` are ours, not upstream's; more desktops than names end in dots."""
    results = (
        ResultView("failed", "other", 7),
        ResultView("failed", "unread", 1_200),
        ResultView("failed", "", 1, "no code"),
        ResultView("failed", "E1", 9, "", ("pc-1",)),
    )
    run = RunView("r", sample.NOW - 60, "failed", failed=1_217, results=results)
    task = TaskView("p", "t", "t", Verdict.OK, runs=(run,), last_run=run)
    text = said(Overview(sample.NOW, "1", (), (task,)))
    assert "7 failed with other codes" in text
    assert "1,200 failed, details not read" in text
    assert "1 failed: no code" in text
    assert "9 failed with E1 (pc-1, …)" in text


def test_counts_that_were_not_given_are_not_shown_as_zero() -> None:
    """A dash in the list of runs, nothing in the row."""
    run = RunView("r", sample.NOW - 60, "unknown", word="HALTED")
    task = TaskView("p", "t", "t", Verdict.UNKNOWN, runs=(run,), last_run=run)
    page = html(Overview(sample.NOW, "1", (), (task,)))
    assert page.count('<td class="number">\N{EN DASH}</td>') == 4
    assert '<span class="unseen"> succeeded</span>' not in page
    assert "unknown <code>HALTED</code>" in page


def test_missed_and_running_are_told_with_their_times() -> None:
    """How long ago it was due, how long it has been going on."""
    assert "was due 1 h 45 min ago" in said(replace(sample.OVERVIEW, tasks=sample.TASKS[1:2]))
    assert "running for 8 h 45 min" in said(replace(sample.OVERVIEW, tasks=sample.TASKS[3:4]))


def test_times_are_machine_readable() -> None:
    """The script finds the moment in `datetime`, in UTC."""
    page = html(replace(sample.OVERVIEW, tasks=sample.TASKS[:1]))
    assert '<time class="viewer" datetime="2026-03-12T18:00:12Z">Thu 12 Mar, 18:00 UTC</time>' in page
    assert "Fri 13 Mar, 02:00 Asia/Shanghai" in page


def test_a_strip_has_ten_cells_and_words() -> None:
    """Empty cells stand for runs there were none of; a status that nobody knows looks unknown."""
    strange = TaskView("p", "t", "t", Verdict.OK, runs=(RunView("r", 0.0, "strange"),))
    page = html(Overview(sample.NOW, "1", (), (strange,)))
    strip = page.split('<span class="strip"')[1].split("</span>")[0]
    assert 'aria-label="Last 1 run: strange"' in strip
    assert strip.count("<i") == 10
    assert strip.count("<i></i>") == 9
    assert "#icon-question" in strip


@pytest.mark.parametrize(
    ("count", "page", "numbers"),
    [
        (1, 1, []),
        (3, 2, ["1", "2", "3"]),
        (9, 1, ["1", "2", "3", "…", "9"]),
        (9, 5, ["1", "…", "3", "4", "5", "6", "7", "…", "9"]),
        (200, 200, ["1", "…", "198", "199", "200"]),
    ],
)
def test_pages_link_the_ends_and_the_neighbours(count: int, page: int, numbers: list[str]) -> None:
    """However many pages: a few links, and no nav for a single one."""
    overview = sample.many((count - 1) * PAGE_SIZE + 1)
    parts = html(overview, f"page={page}").split('<nav class="pages"')
    links = re.findall(r">(\d+|…)<", parts[1]) if len(parts) > 1 else []
    assert links == numbers


def test_links_keep_the_rest_of_the_query() -> None:
    """Another state keeps the words; a new sorting starts on page 1; everything is escaped."""
    page = html(sample.OVERVIEW, "q=%22%27%3E&sort=-next&page=2")
    assert 'value="&#34;&#39;&gt;"' in page
    assert 'href="?state=trouble&amp;q=%22%27%3E&amp;sort=-next#tasks"' in page
    assert 'href="?q=%22%27%3E&amp;sort=next#tasks"' in page
    assert '<input type="hidden" name="sort" value="-next">' in page
    assert 'name="state" value="" disabled' in page


def test_every_verdict_and_status_has_a_look_of_its_own() -> None:
    """Told apart without colour: no two statuses share an icon, no two verdicts share tone, icon and word."""
    assert set(VERDICT_LOOKS) == set(Verdict)
    assert len({look.icon for look in RUN_LOOKS.values()}) == len(RUN_LOOKS)
    page = html(sample.OVERVIEW)
    for look in (*VERDICT_LOOKS.values(), *RUN_LOOKS.values()):
        assert f'<symbol id="icon-{look.icon}"' in page


def test_metrics_are_linked_where_they_are() -> None:
    """Relative to the page, so that a proxy may serve all of it under a prefix."""
    pieces = StatusPage(load_assets(), "/prom/metrics").render(sample.OVERVIEW, parse_query(b""))
    page = b"".join(pieces).decode()
    assert 'href="./prom/metrics"' in page
    assert not re.search(r'(?:href|src|action)="(?:/|https?:)', page)


def test_nothing_is_inline() -> None:
    """The policy allows no inline script, style or handler, and the page has none."""
    page = html(sample.OVERVIEW)
    assert re.findall(r"<script[^>]*>(?=.)", page) == re.findall(r"<script src=[^>]*>", page)
    assert not re.search(r"<style|\sstyle=|<[^>]*\son\w+=", page)


_MARKUP = st.sampled_from(
    ["<script>", "<tr>", "</tr>", "<img src=x>", '"', "'", "&lt;", ">", "{{", "]]>", "-->"]
)
_ANY_TEXT = st.text(st.characters(exclude_categories=()), max_size=400)
_HOSTILE = st.lists(_MARKUP, max_size=12).map("".join) | _ANY_TEXT


@settings(deadline=None, max_examples=60)
@given(_HOSTILE)
@example("\ud800<\udfff")
def test_no_text_of_upstream_breaks_the_page(text: str) -> None:
    """Whatever a name, code, reason or error is, the same elements stand on the page, and it is UTF-8."""
    run = RunView(
        "r", sample.NOW, "failed", word=text, results=(ResultView("failed", text, 1, text, (text,)),)
    )
    task = TaskView(
        text, text, text, Verdict.FAILED, (text,), text, text, text, text, runs=(run,), last_run=run,
        next_run=sample.NOW, poll_error=ErrorView(text, text, text, text, text),
    )  # fmt: skip
    project = ProjectView(text, text, poll_ok=False, error=ErrorView(text, text, text, text, text))
    page = html(Overview(sample.NOW, "1", (project,), (task,), reload_error=text))
    assert page.count("<script") == 1
    assert page.count("<tr") == page.count("</tr>") == 4
    assert page.count("<img") == 1
