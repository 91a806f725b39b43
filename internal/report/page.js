"use strict";
// The page can be read without this script. It adds values at the pointer, keys, and on a live page the look for changes.

for (const plot of document.querySelectorAll(".plot[data-points]")) {
  const points = JSON.parse(plot.dataset.points);
  const last = points.epochs.length - 1;
  const element = (name, parent) => parent.appendChild(document.createElement(name));
  const cursor = element("div", plot), tip = element("div", plot);
  cursor.className = "cursor";
  tip.className = "tip";
  let shown = last;
  const hide = () => { cursor.hidden = tip.hidden = true; };
  const show = (i) => {
    shown = Math.max(0, Math.min(last, i));
    cursor.replaceChildren();
    tip.replaceChildren();
    const head = element("div", tip);
    head.textContent = "epoch " + points.epochs[shown];
    const texts = [head.textContent];
    points.series.forEach((series, n) => {
      const text = series.text[shown];
      if (!text) return;
      const dot = element("i", cursor);
      dot.className = "s" + n;
      dot.style.top = series.at[shown] + "%";
      const row = element("div", tip), name = element("span", row), value = element("b", row);
      name.className = "s" + n;
      name.style.position = "static";
      element("i", name);
      name.append(series.name);
      value.textContent = text;
      texts.push(series.name + " " + text);
    });
    const at = points.at[shown];
    cursor.style.left = at + "%";
    tip.style.left = at < 55 ? "calc(" + at + "% + 12px)" : "auto";
    tip.style.right = at < 55 ? "auto" : "calc(" + (100 - at) + "% + 12px)";
    cursor.hidden = tip.hidden = false;
    plot.setAttribute("aria-valuenow", points.epochs[shown]);
    plot.setAttribute("aria-valuetext", texts.join(", "));
  };
  const nearest = (event) => {
    const box = plot.getBoundingClientRect();
    const at = (event.clientX - box.left) / box.width * 100;
    let best = 0;
    points.at.forEach((x, i) => { if (Math.abs(x - at) < Math.abs(points.at[best] - at)) best = i; });
    show(best);
  };
  plot.tabIndex = 0;
  plot.setAttribute("role", "slider");
  plot.setAttribute("aria-label", plot.querySelector("svg").getAttribute("aria-label"));
  plot.setAttribute("aria-valuemin", points.epochs[0]);
  plot.setAttribute("aria-valuemax", points.epochs[last]);
  show(last);
  hide();
  plot.addEventListener("pointermove", nearest);
  plot.addEventListener("pointerdown", nearest);
  plot.addEventListener("pointerleave", () => { if (document.activeElement !== plot) hide(); });
  plot.addEventListener("focus", () => show(shown));
  plot.addEventListener("blur", hide);
  plot.addEventListener("keydown", (event) => {
    const page = Math.max(1, Math.round(last / 10));
    const to = { ArrowLeft: shown - 1, ArrowDown: shown - 1, ArrowRight: shown + 1, ArrowUp: shown + 1, Home: 0, End: last, PageDown: shown - page, PageUp: shown + page }[event.key];
    if (to !== undefined) { show(to); event.preventDefault(); }
    if (event.key === "Escape") hide();
  });
}

// The cells of the matrix are one stop of the Tab key; the arrow keys go from cell to cell.
for (const matrix of document.querySelectorAll(".matrix")) {
  const rows = [...matrix.tBodies[0].rows].map((row) => [...row.cells].slice(1).map((cell) => cell.querySelector("button")));
  const cells = rows.flat().filter((cell) => cell);
  const choose = (cell) => {
    for (const other of cells) other.tabIndex = other === cell ? 0 : -1;
  };
  if (cells.length) choose(cells[0]);
  matrix.addEventListener("focusin", (event) => { if (cells.includes(event.target)) choose(event.target); });
  matrix.addEventListener("keydown", (event) => {
    const way = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    let r = rows.findIndex((row) => row.includes(event.target));
    if (!way || r < 0) return;
    event.preventDefault();
    let c = rows[r].indexOf(event.target), next;
    do {
      r += way[0];
      c += way[1];
      next = rows[r] && rows[r][c];
    } while (next === null);
    if (next) next.focus();
  });
}

addEventListener("beforeprint", () => { for (const details of document.querySelectorAll("details")) details.open = true; });

// A live page asks its server for the page's tag, and loads the page again when the tag has changed and no popup is open.
if (document.body.dataset.live) {
  let tag;
  const look = async () => {
    try {
      const answer = await fetch(location.pathname, { method: "HEAD", cache: "no-store" });
      const now = answer.headers.get("ETag");
      if (tag && now && now !== tag && !document.querySelector(":popover-open")) location.reload();
      tag = tag || now;
    } catch { /* the server has ended; the page stays */ }
    setTimeout(look, 2000);
  };
  look();
}
