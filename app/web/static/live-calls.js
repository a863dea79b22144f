// 实时: one stream for the page. Rows are patched by their key, never drawn anew; seconds count here, by the office's clock.
"use strict";
(() => {
  const table = document.getElementById("live");
  const body = table.tBodies[0];
  const pattern = document.getElementById("live-row").content.firstElementChild;
  const words = JSON.parse(table.dataset.words);
  const status = document.getElementById("live-status");
  const empty = document.getElementById("live-empty");
  const SILENT_MS = 12000;
  const rows = new Map();
  let ahead = Number(table.dataset.now) - Date.now() / 1000; // The office's clock against ours.
  const now = () => Date.now() / 1000 + ahead;

  const set = (node, text) => {
    if (node.textContent !== text) node.textContent = text;
  };
  const fill = (word, name, value) => word.replace(`{${name}}`, value);
  const seconds = (value) => fill(words.seconds, "s", Math.max(0, value).toFixed(1));

  // Only what is in sight counts its seconds.
  const inSight = new Set();
  const eye = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) inSight[isIntersecting ? "add" : "delete"](Number(target.dataset.id));
  });

  const make = (element) => {
    const fields = {};
    for (const node of element.querySelectorAll("[data-f]")) fields[node.dataset.f] = node;
    const hear = element.querySelector("[data-act=hear]");
    return { element, fields, hear, call: null };
  };

  // Seconds that go on are written by `tick`; those that stand still here.
  const times = (row) => {
    const { call, fields } = row;
    if (call.ring_from === null) set(fields.ring, call.answered === null && call.phase !== "answered" ? "" : words.unknown);
    else if (call.answered !== null) set(fields.ring, seconds(call.answered - call.ring_from));
    else if (call.phase === "ringing") set(fields.ring, seconds(now() - call.ring_from));
    if (call.answered !== null && call.phase === "answered") set(fields.talk, seconds(now() - call.answered));
    else if (call.answered === null && call.phase === "answered") set(fields.talk, words.unknown);
  };

  const show = (row, call) => {
    row.call = call;
    const { element, fields } = row;
    const over = call.phase === "over";
    element.className = `phase-${call.phase}${call.tone ? ` tone-${call.tone}` : ""}`;
    set(fields.phase, over ? words.code[call.code] || words.phase.over : words.phase[call.phase] || call.phase);
    fields.phase.title = fields.phase.textContent;
    set(fields.unit, call.unit);
    fields.unit.title = call.unit;
    set(fields.line, call.line);
    set(fields.kind, words.kind[call.kind] || call.kind);
    set(fields.rings, call.rings === 1 ? words.ring : call.rings ? fill(words.rings, "n", call.rings) : "");
    set(fields.early, call.early === null ? words.unknown : words.early[call.early] || call.early);
    set(fields.words, call.words);
    set(fields.acts, over ? words.noted : words.acts);
    set(fields.notes, call.notes ? fill(words.notes, "n", call.notes) : "");
    row.hear.hidden = over || call.phase === "ending";
    times(row);
    sift(row);
  };

  const put = (call) => {
    let row = rows.get(call.id);
    if (!row) {
      row = make(pattern.cloneNode(true));
      row.element.id = `call-${call.id}`;
      row.element.dataset.id = call.id;
      row.fields.unit.href = `/checks/${call.check}`;
      row.fields.acts.href = `/live/calls/${call.id}`;
      row.fields.acts.dataset.panel = `/live/calls/${call.id}/panel`;
      rows.set(call.id, row);
      body.append(row.element);
      eye.observe(row.element);
    }
    show(row, call);
  };
  const drop = (id) => {
    const row = rows.get(id);
    if (!row) return;
    eye.unobserve(row.element);
    inSight.delete(id);
    row.element.remove();
    rows.delete(id);
  };

  const find = document.getElementById("live-find");
  const phase = document.getElementById("live-phase");
  const sift = (row) => {
    const { call, element } = row;
    const wanted = find.value.trim();
    const fits = (!wanted || call.unit.includes(wanted) || call.line.includes(wanted)) && (!phase.value || call.phase === phase.value);
    if (element.hidden === fits) element.hidden = !fits;
  };
  for (const field of [find, phase]) field.addEventListener("input", () => rows.forEach(sift));

  const sum = () => {
    const counts = { dialling: 0, ringing: 0, answered: 0 };
    for (const { call } of rows.values()) if (call.phase in counts) counts[call.phase] += 1;
    for (const node of document.querySelectorAll("[data-sum]")) set(node, String(counts[node.dataset.sum]));
    empty.hidden = rows.size > 0;
  };

  const say = (what) => {
    set(status, status.dataset[what]);
    status.classList.toggle("lost", what !== "live");
  };

  // What the server rendered is known by its key; the stream's first message says what each row is.
  for (const element of [...body.rows]) {
    rows.set(Number(element.dataset.id), make(element));
    eye.observe(element);
  }

  let stream = null;
  let heard = Date.now();
  let stops = null;
  const hearStops = (standing) => {
    const key = standing.join();
    if (stops !== null && key !== stops) {
      fetch("/stops/banner", { headers: { "HX-Request": "true" } })
        .then((answer) => (answer.ok ? answer.text() : Promise.reject(new Error(String(answer.status)))))
        .then((text) => {
          document.getElementById("stop-banners").outerHTML = text;
        })
        .catch(() => {});
    }
    stops = key;
  };
  const take = (event) => {
    heard = Date.now();
    const news = JSON.parse(event.data);
    ahead = news.now - Date.now() / 1000;
    if (news.all) {
      const there = new Set(news.calls.map((call) => call.id));
      for (const id of [...rows.keys()]) if (!there.has(id)) drop(id);
    }
    news.calls.forEach(put);
    news.gone.forEach(drop);
    hearStops(news.stops);
    sum();
    say(!news.readable ? "unreadable" : ["starting", "failing"].includes(news.phone) ? "phone" : "live");
  };
  const open = () => {
    stream?.close();
    heard = Date.now();
    stream = new EventSource(table.dataset.stream);
    stream.addEventListener("calls", take);
    stream.addEventListener("beat", () => {
      heard = Date.now();
      if (status.classList.contains("lost") && status.textContent === status.dataset.lost) say("live");
    });
    stream.addEventListener("over", () => {
      stream.close();
      stream = null;
      say("over");
    });
    stream.addEventListener("error", () => say("lost"));
  };
  open();
  setInterval(() => {
    if (stream && (Date.now() - heard > SILENT_MS || stream.readyState === EventSource.CLOSED)) {
      say("lost");
      open();
    }
  }, 3000);

  setInterval(() => {
    if (document.hidden) return;
    for (const id of inSight) if (rows.get(id)?.call) times(rows.get(id));
  }, 200);

  // Listening in.
  const panel = document.getElementById("ear");
  const part = (name) => panel.querySelector(`[data-ear=${name}]`);
  let ear = null;
  const quiet = () => {
    ear?.stop();
    ear = null;
    panel.hidden = true;
  };
  const told = (what, delay) => {
    const word = { wait: panel.dataset.wait, over: panel.dataset.over, failed: panel.dataset.failed }[what];
    set(part("state"), word || fill(panel.dataset.delay, "s", delay.toFixed(1)));
  };
  body.addEventListener("click", (event) => {
    const button = event.target.closest("[data-act=hear]");
    if (!button) return;
    const id = Number(button.closest("tr").dataset.id);
    quiet();
    set(part("unit"), rows.get(id).call.unit);
    panel.hidden = false;
    ear = window.dutyringEar = new LiveEar(`/live/calls/${id}/sound`, told, now);
    ear.volume = Number(part("volume").value);
    ear.apart = part("sides").checked;
    ear.start();
    part("stop").focus();
  });
  part("stop").addEventListener("click", quiet);
  part("volume").addEventListener("input", (event) => {
    if (ear) ear.volume = Number(event.target.value);
  });
  part("sides").addEventListener("change", (event) => {
    if (ear) ear.apart = event.target.checked;
  });
})();
