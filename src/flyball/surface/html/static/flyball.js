// A little script of our own. Every page works without it: it copies identifiers, keeps times fresh, switches the theme and
// refreshes the regions that say so (data-live), and nothing else. It loads nothing from elsewhere.
"use strict";

const root = document.documentElement;

function switchTheme() {
  const now = root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
  try { localStorage.setItem("flyball-theme", root.dataset.theme); } catch { /* the choice lasts for this page */ }
}

async function copy(button) {
  try { await navigator.clipboard.writeText(button.dataset.copy); button.dataset.said = "copied"; }
  catch { button.dataset.said = "not allowed"; }
  setTimeout(() => { delete button.dataset.said; }, 1200);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-copy], button[data-theme-toggle]");
  if (!button) return;
  if (button.hasAttribute("data-theme-toggle")) switchTheme();
  else copy(button);
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
// screen and nobody is typing or selecting in it.
function busy(region) {
  const selection = getSelection();
  return document.hidden || region.contains(document.activeElement)
    || (!selection.isCollapsed && region.contains(selection.anchorNode));
}
for (const region of document.querySelectorAll("[data-live]")) {
  const wait = Math.max(1, Number(region.dataset.live)) * 1000;
  let current = region;
  let shown = region.innerHTML;
  const again = async () => {
    if (!busy(current)) {
      try {
        const answer = await fetch(location.href, { headers: { accept: "text/html" } });
        if (answer.ok && !answer.redirected) {
          const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(current.id);
          if (fresh && fresh.innerHTML !== shown && !busy(current)) {
            shown = fresh.innerHTML;
            current.replaceWith(fresh);
            current = fresh;
            refreshTimes();
          }
        }
      } catch { /* the server is away: the page keeps what it has and tries again */ }
    }
    if (current.hasAttribute("data-live")) setTimeout(again, wait);
  };
  setTimeout(again, wait);
}
