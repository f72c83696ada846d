// The chosen theme, set before the first paint so that nothing flashes. Without a choice, the system's.
"use strict";

document.documentElement.classList.add("script");
try {
  const chosen = localStorage.getItem("flyball-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
} catch { /* storage is closed to us: the system's choice stays */ }
