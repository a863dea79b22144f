// Keeps the page of a check up while its call is under way or its words are to come: the parts that changed are put in
// the place of the old ones, never one that is being played, typed into or read with the mouse.
"use strict";
(() => {
  const rows = document.getElementById("rows");
  const address = rows?.dataset.rows;
  if (!address) return;
  const WAIT_MS = 1500;
  const shown = new Map(); // By the part's id, its HTML as the service last sent it.

  const partsOf = (article) => [...article.children].filter((part) => part.id);
  const busy = (part) =>
    [...part.querySelectorAll("audio")].some((player) => !player.paused) ||
    (part.contains(document.activeElement) && document.activeElement.matches("input, textarea, select")) ||
    (!document.getSelection().isCollapsed && part.contains(document.getSelection().anchorNode));

  for (const article of rows.querySelectorAll("article")) {
    for (const part of partsOf(article)) shown.set(part.id, part.outerHTML);
  }

  let pending = false; // A part that was in use waits to be exchanged.
  const patch = (article) => {
    const old = document.getElementById(article.id);
    if (!old) {
      rows.append(article);
      return;
    }
    let before = null;
    for (const part of partsOf(article)) {
      const known = document.getElementById(part.id);
      const html = part.outerHTML;
      if (!known) {
        if (before) before.after(part);
        else old.prepend(part);
      } else if (html !== shown.get(part.id)) {
        if (busy(known)) {
          before = known;
          pending = true;
          continue;
        }
        const focused = known.contains(document.activeElement) ? document.activeElement.id : "";
        known.replaceWith(part);
        if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
      }
      shown.set(part.id, html);
      before = document.getElementById(part.id);
    }
  };

  const status = (fresh) => {
    const old = document.getElementById("status");
    const now = fresh.getElementById("status");
    if (!now) old?.remove();
    else if (!old) rows.prepend(now);
    else if (old.innerHTML !== now.innerHTML) old.replaceWith(now);
  };

  const refresh = async () => {
    try {
      if (!document.hidden) {
        const answer = await fetch(`${address}?view=${rows.dataset.view}`, { headers: { Accept: "text/html" } });
        if (answer.ok) {
          const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
          pending = false;
          for (const article of fresh.querySelectorAll("article")) patch(article);
          status(fresh);
          document.dispatchEvent(new Event("dutyring:parts"));
        }
      }
    } catch {
      // The service is away for a moment; the next round tries again.
    }
    if (pending || document.getElementById("status")) setTimeout(refresh, WAIT_MS);
  };
  setTimeout(refresh, WAIT_MS);
})();
