// Keeps the first page of the list, and the page of a call under way, up to date.
"use strict";
(() => {
  const section = document.getElementById("rows");
  const address = section && section.dataset.rows;
  if (!address) return;
  const BUSY_MS = 1500;
  const IDLE_MS = 10000;
  let shown = "";

  const busy = () => Number(document.getElementById("status")?.dataset.live) > 0;
  const wait = () => (busy() ? BUSY_MS : IDLE_MS);
  const listening = () => [...section.querySelectorAll("audio")].some((player) => !player.paused);

  const show = (text) => {
    if (text === shown) return;
    shown = text;
    const focused = section.contains(document.activeElement) ? document.activeElement.id : "";
    section.innerHTML = text;
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  };

  const refresh = async () => {
    try {
      if (!document.hidden && !listening()) {
        const answer = await fetch(address, { headers: { Accept: "text/html" } });
        if (answer.ok) show(await answer.text());
      }
    } catch {
      // The service is away for a moment; the next round tries again.
    }
    if (busy() || !section.dataset.ends) setTimeout(refresh, wait());
  };
  setTimeout(refresh, wait());
})();
