"use strict";
// The page is complete without this script. With it: times in the viewer's zone, a filter that answers while
// one types, and a page that stays fresh. All of it asks the server for the same page and swaps parts of it.
(() => {
  const REGIONS = ["summary", "projects", "results"];
  const FRESH_EVERY = 30_000; // milliseconds
  const TYPING_PAUSE = 250;
  const form = document.getElementById("filter");
  const parts = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
  const short = new Intl.DateTimeFormat("en-GB", parts);
  const full = new Intl.DateTimeFormat("en-GB", { ...parts, year: "numeric", timeZoneName: "long" });
  let paused = false;
  let request = null;
  let typing = 0;

  function showViewerTimes(root) {
    for (const node of root.querySelectorAll("time.viewer")) {
      const moment = new Date(node.dateTime);
      if (Number.isNaN(moment.getTime())) continue;
      node.title = `${full.format(moment)} = ${node.textContent}`;
      node.textContent = `${short.format(moment)} your time`;
    }
  }

  function addPause() {
    const button = document.createElement("button");
    const label = () => { button.textContent = paused ? "Refresh again" : "Pause refresh"; };
    button.id = "pause";
    button.type = "button";
    button.addEventListener("click", () => { paused = !paused; label(); });
    label();
    document.querySelector(".asof").append(button);
  }

  function swap(page) {
    const open = new Set([...document.querySelectorAll("details[open]")].map((node) => node.dataset.key));
    const focused = document.activeElement;
    const focusKey = focused && focused.matches("summary") ? focused.parentElement.dataset.key : null;
    const focusId = focused ? focused.id : "";
    for (const id of REGIONS) {
      document.getElementById(id).replaceWith(document.adoptNode(page.getElementById(id)));
    }
    document.title = page.title;
    for (const node of document.querySelectorAll("details")) {
      if (open.has(node.dataset.key)) node.open = true;
      if (focusKey !== null && node.dataset.key === focusKey) node.querySelector("summary").focus();
    }
    dress();
    if (focusId && document.activeElement === document.body) document.getElementById(focusId)?.focus();
  }

  function dress() {
    showViewerTimes(document);
    addPause();
  }

  async function load(url) {
    request?.abort();
    const mine = request = new AbortController();
    document.getElementById("results").setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(url, { signal: mine.signal, headers: { accept: "text/html" } });
      if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
      swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch (error) {
      if (mine.signal.aborted) return;
      document.getElementById("results").removeAttribute("aria-busy");
      document.querySelector(".asof time").textContent = `Not refreshed: ${error.message}; shown as of ${
        document.querySelector(".asof time").title}`;
    }
  }

  function go(url, { replace = false } = {}) {
    if (replace) history.replaceState(null, "", url); else history.pushState(null, "", url);
    syncForm();
    return load(url);
  }

  function syncForm() {
    const fields = new URLSearchParams(location.search);
    for (const name of ["q", "project", "state", "sort"]) {
      const input = form.elements.namedItem(name);
      if (!input) continue;
      const value = fields.get(name) ?? "";
      if (input !== document.activeElement || input.type !== "search") input.value = value;
      if (input.type === "hidden") input.disabled = value === "";
    }
  }

  function formUrl() {
    const fields = [...new FormData(form)].filter(([, value]) => value !== "");
    return `?${new URLSearchParams(fields)}`;
  }

  form.addEventListener("submit", (event) => { event.preventDefault(); clearTimeout(typing); go(formUrl()); });
  form.addEventListener("change", (event) => { if (event.target.matches("select")) go(formUrl()); });
  form.addEventListener("input", (event) => {
    if (!event.target.matches("[type=search]")) return;
    clearTimeout(typing);
    typing = setTimeout(() => go(formUrl(), { replace: true }), TYPING_PAUSE);
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-swap]");
    if (!link || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    go(link.getAttribute("href").split("#")[0]);
  });
  addEventListener("popstate", () => { syncForm(); load(location.search || "?"); });
  setInterval(() => { if (!paused && !document.hidden) load(location.search || "?"); }, FRESH_EVERY);
  dress();
})();
