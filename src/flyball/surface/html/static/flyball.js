// A little script of our own. Every page works without it: it copies identifiers, keeps times fresh, remembers the theme and
// refreshes the regions that say so (data-live), and nothing else. It loads nothing from elsewhere.
"use strict";

document.documentElement.classList.add("script");

const theme = {
  read() { try { return localStorage.getItem("flyball-theme"); } catch { return null; } },
  apply(name) { if (name) document.documentElement.dataset.theme = name; else delete document.documentElement.dataset.theme; },
  next() {
    const dark = matchMedia("(prefers-color-scheme: dark)").matches;
    const now = document.documentElement.dataset.theme || (dark ? "dark" : "light");
    const other = now === "dark" ? "light" : "dark";
    try { localStorage.setItem("flyball-theme", other); } catch { /* private mode: the choice lasts for this page */ }
    this.apply(other);
  },
};
theme.apply(theme.read());

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy], button[data-theme-toggle]");
  if (!button) return;
  if (button.hasAttribute("data-theme-toggle")) { theme.next(); return; }
  const before = button.textContent;
  try { await navigator.clipboard.writeText(button.dataset.copy); button.textContent = "copied"; }
  catch { button.textContent = "press Ctrl+C"; }
  setTimeout(() => { button.textContent = before; }, 1200);
});

function relative(milliseconds) {
  const seconds = Math.max(0, Math.round((Date.now() - milliseconds) / 1000));
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}
function refreshTimes() {
  for (const time of document.querySelectorAll("time[data-ms]")) time.textContent = relative(Number(time.dataset.ms));
}
setInterval(refreshTimes, 10_000);

// A region with data-live="seconds" is fetched again from the page's own address and replaced when it changed, while it is on
// screen and nobody is typing in it.
for (const region of document.querySelectorAll("[data-live]")) {
  const wait = Math.max(1, Number(region.dataset.live)) * 1000;
  let current = region;
  setInterval(async () => {
    if (document.hidden || current.contains(document.activeElement)) return;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok || answer.redirected) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(current.id);
      if (fresh && fresh.innerHTML !== current.innerHTML) { current.replaceWith(fresh); current = fresh; refreshTimes(); }
    } catch { /* the server is away: the page keeps what it has and tries again */ }
  }, wait);
}
