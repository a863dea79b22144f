// What every page needs: the token of the session with each request, forms that ask before they destroy, panels that open
// above the page, and keys: F1 help, F2 the first field, F8 emergency stop, arrows within a table.
"use strict";
(() => {
  const token = document.querySelector('meta[name="csrf-token"]').content;
  document.addEventListener("htmx:configRequest", (event) => {
    if (token) event.detail.headers["X-CSRF-Token"] = token;
  });

  // Requests of our own scripts that change something.
  window.dutyring = {
    send: (address, options = {}) =>
      fetch(address, { ...options, headers: { ...(options.headers || {}), "X-CSRF-Token": token } }),
  };

  // <form data-confirm="..."> names what it destroys, and asks.
  document.addEventListener("submit", (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });

  // <a data-panel="/address"> opens what stands at that address above the page; without it the link is followed.
  const panel = document.getElementById("panel");
  const open = async (link) => {
    try {
      const back = encodeURIComponent(location.pathname + location.search);
      const answer = await fetch(`${link.dataset.panel}?back=${back}`, { headers: { "HX-Request": "true" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const body = panel.querySelector(".panel-body");
      body.innerHTML = await answer.text();
      window.htmx?.process(body);
      if (!panel.open) panel.showModal();
      (body.querySelector("textarea") || body.querySelector("select, input:not([type=hidden])"))?.focus();
    } catch {
      location.href = link.href;
    }
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-panel]");
    if (!link || !panel || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(link);
  });

  const FIELDS = "select, textarea, input:not([type=hidden])";
  const first = () =>
    document.querySelector(`main .filter :is(${FIELDS})`) || document.querySelector(`main :is(${FIELDS})`);

  // The link or button by which a row is opened.
  const handle = (row) => row.querySelector("a[href], button");
  const move = (event) => {
    const row = event.target.closest?.("table tbody tr");
    const typing = event.target.closest?.(`${FIELDS}, audio, video, [role=tree], [role=slider]`);
    if (typing) return false;
    const table = row ? row.closest("table") : document.querySelector("main table tbody a[href]")?.closest("table");
    if (!table || (!row && event.target !== document.body)) return false;
    const rows = [...table.querySelectorAll("tbody tr")].filter(handle);
    if (!rows.length) return false;
    const at = row ? rows.indexOf(row) : -1;
    const last = rows.length - 1;
    const to = { ArrowDown: Math.min(at + 1, last), ArrowUp: Math.max(at - 1, 0), Home: 0, End: last }[event.key];
    handle(rows[to]).focus();
    return true;
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.shiftKey || event.isComposing) return;
    const link = /^F\d+$/.test(event.key) && document.querySelector(`a[data-key="${event.key}"]`);
    if (link) {
      event.preventDefault();
      link.click();
    } else if (event.key === "F2" && !panel?.open && first()) {
      event.preventDefault();
      first().focus();
    } else if (["ArrowDown", "ArrowUp", "Home", "End"].includes(event.key) && move(event)) {
      event.preventDefault();
    }
  });
})();
