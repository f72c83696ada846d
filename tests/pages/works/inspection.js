// What a reader would complain about on the page as it is shown now; a list of sentences, empty when all is well.
() => {
  const found = [];
  const say = (what, element) => found.push(`${what}: ${(element?.outerHTML ?? "").replace(/\s+/g, " ").slice(0, 140)}`);
  const visible = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    && element.getClientRects().length > 0 && !element.closest(".visually-hidden, .skip");

  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth) {
    const wide = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > root.clientWidth + 1
      && !e.closest(".table, pre"));
    say(`the page is ${root.scrollWidth - root.clientWidth} px wider than the window`, wide.at(-1));
  }

  const headings = [...document.querySelectorAll("h1, h2, h3, h4")].filter(visible);
  if (headings.filter((h) => h.tagName === "H1").length !== 1) say("not exactly one h1", document.querySelectorAll("h1")[1]);
  headings.reduce((before, heading) => {
    const level = Number(heading.tagName[1]);
    if (level > before + 1) say("a heading skips a level", heading);
    return level;
  }, 0);
  if (document.querySelectorAll("main").length !== 1) say("not exactly one main");
  if (!document.title || !root.lang) say("no title, or no language");

  const named = (control) => (control.getAttribute("aria-label") ?? "").trim() || [...(control.labels ?? [])].map((l) => l.innerText).join("").trim()
    || (["A", "BUTTON", "SUMMARY"].includes(control.tagName) ? control.innerText.trim() : "");
  for (const control of document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a, summary, progress")) {
    if (!visible(control)) continue;
    if (!named(control)) say("a control without a name", control);
    const box = control.getBoundingClientRect();
    if (["BUTTON", "INPUT", "SELECT", "SUMMARY"].includes(control.tagName) && (box.height < 24 || box.width < 24)) say(`a target of ${box.width}×${box.height}`, control);
  }
  for (const picture of document.querySelectorAll("svg, img")) {
    if (visible(picture) && picture.getAttribute("aria-hidden") !== "true" && !picture.getAttribute("aria-label")) say("a picture without words", picture);
  }
  const ids = [...document.querySelectorAll("[id]")].map((e) => e.id);
  ids.filter((id, place) => ids.indexOf(id) !== place).forEach((id) => say(`the id ${id} twice`));
  document.querySelectorAll("[style]:not([style=\"\"]), [onclick], [onerror], script:not([src])").forEach((e) => say("style or script in the page", e));

  const channels = (text) => {
    const numbers = text.match(/-?[\d.]+(e-?\d+)?/g).map(Number);
    const unit = text.startsWith("color(srgb") ? 255 : 1;
    return [numbers[0] * unit, numbers[1] * unit, numbers[2] * unit, numbers[3] ?? 1];
  };
  const over = (front, back) => front.slice(0, 3).map((value, i) => value * front[3] + back[i] * (1 - front[3]));
  const luminance = (rgb) => rgb.map((v) => v / 255).map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (element) => {
    if (!element) return [255, 255, 255];
    const own = channels(getComputedStyle(element).backgroundColor);
    return own[3] === 1 ? own.slice(0, 3) : over(own, ground(element.parentElement));
  };
  const judged = new Set();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || judged.has(element) || !visible(element)) continue;
    judged.add(element);
    const behind = ground(element);
    const [bright, dim] = [luminance(over(channels(getComputedStyle(element).color), behind)), luminance(behind)].sort((a, b) => b - a);
    const contrast = (bright + 0.05) / (dim + 0.05);
    if (contrast < 4.5) say(`contrast ${contrast.toFixed(2)}`, element);
  }
  return [...new Set(found)].slice(0, 12);
}
