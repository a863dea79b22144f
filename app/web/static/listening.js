// Listening to the recordings of a check. The wave is drawn from our own peaks by wavesurfer; the sound itself is read by
// the plain player in ranges once somebody plays it, and that is what goes on record. An address that ends in
// #attempt-7&t=11.40 opens the page at that moment of that call: its player stands there, and its words are marked.
"use strict";
(() => {
  const STEP_S = 10;
  const LEAD_S = 0.5;
  const SPEEDS = [0.75, 1, 1.25, 1.5, 2];
  const MOST_PEAKS = 6000;
  const RATES = [200, 100, 50, 25, 10, 5, 1];
  const HEIGHT = 52;
  const sounds = new Map(); // By the player element.
  let chosen = null; // What the keys play: the player that was used last, else the first.

  const fixed = (seconds, digits = 1) => Number(seconds).toFixed(digits);

  class Sound {
    constructor(box) {
      this.box = box;
      this.audio = box.querySelector("audio");
      this.seconds = Number(box.dataset.seconds);
      this.loop = null; // [start, end] in seconds; end is null while it is being chosen.
      this.region = null;
      this.gains = null;
      const part = box.closest("article");
      this.rows = () => [...(part?.querySelectorAll(".said tr[data-from]") ?? [])];
      this.form = () => part?.querySelector(".sample-form form");
      this.audio.addEventListener("timeupdate", () => this.moved());
      this.audio.addEventListener("seeked", () => this.moved());
      this.audio.addEventListener("play", () => this.begun());
      // Bytes of the sound have come: its line in the audit trail was written before the first of them.
      this.audio.addEventListener("loadedmetadata", () => this.onRecord(), { once: true });
      this.tools();
      this.draw().catch(() => {
        // Without its picture it plays all the same.
      });
    }

    get at() {
      return this.audio.currentTime;
    }

    seek(seconds) {
      this.audio.currentTime = Math.min(Math.max(0, seconds), this.seconds || Infinity);
      this.moved();
    }

    play() {
      chosen = this;
      this.audio.play().catch(() => {
        // Paused before it began, or the file cannot be played: the player itself shows that.
      });
    }

    toggle() {
      if (this.audio.paused) this.play();
      else this.audio.pause();
    }

    begun() {
      chosen = this;
      for (const other of sounds.values()) if (other !== this) other.audio.pause();
    }

    onRecord() {
      const line = this.box.querySelector(".on-record");
      if (line) line.textContent = line.dataset.told;
    }

    tools() {
      const box = this.box.querySelector(".wave-tools");
      if (!box) return;
      box.hidden = false;
      box.addEventListener("click", (event) => this.act(event.target.closest("button")?.dataset.do));
      box.querySelector('[data-do="speed"]').addEventListener("change", (event) => this.speed(Number(event.target.value)));
      for (const slider of box.querySelectorAll("input[data-side]")) {
        slider.addEventListener("input", () => this.level(Number(slider.dataset.side), Number(slider.value) / 100));
      }
      this.moved();
    }

    act(what) {
      if (what === "play") this.toggle();
      else if (what === "back") this.seek(this.at - STEP_S);
      else if (what === "forward") this.seek(this.at + STEP_S);
      else if (what === "loop") this.chooseLoop();
      else if (what === "link") this.copy();
    }

    speed(value) {
      this.audio.playbackRate = value;
      const box = this.box.querySelector('[data-do="speed"]');
      if (box) box.value = String(value);
    }

    faster(by) {
      const now = SPEEDS.indexOf(this.audio.playbackRate);
      this.speed(SPEEDS[Math.min(Math.max((now < 0 ? 1 : now) + by, 0), SPEEDS.length - 1)]);
    }

    // The level of one side, 1 as recorded. The sound goes through a mixer only once somebody asks for that.
    level(side, value) {
      if (!this.gains) {
        const context = new AudioContext();
        const split = context.createChannelSplitter(2);
        const merge = context.createChannelMerger(2);
        context.createMediaElementSource(this.audio).connect(split);
        this.gains = [0, 1].map((channel) => {
          const gain = context.createGain();
          split.connect(gain, channel);
          gain.connect(merge, 0, channel);
          return gain;
        });
        merge.connect(context.destination);
        this.audio.addEventListener("play", () => context.resume());
        context.resume();
      }
      this.gains[side].gain.value = value;
    }

    // Start, end, and no loop any more, in turn.
    chooseLoop() {
      if (!this.loop) this.loop = [this.at, null];
      else if (this.loop[1] === null && this.at > this.loop[0] + 0.05) this.loop[1] = this.at;
      else this.loop = null;
      this.showLoop();
    }

    setLoop(start, end) {
      this.loop = [start, end];
      this.showLoop();
    }

    showLoop() {
      const [start, end] = this.loop ?? [null, null];
      const told = this.box.querySelector(".loop");
      const parts = (this.box.dataset.looping ?? "").split("{}");
      if (told) told.textContent = start === null ? "" : `${parts[0]}${fixed(start)}${parts[1]}${end === null ? "…" : fixed(end)}${parts[2]}`;
      if (this.regions && (start === null || end !== null)) {
        this.quiet = true;
        this.regions.clearRegions();
        if (start !== null) this.regions.addRegion({ start, end, color: "rgba(23, 63, 122, 0.16)" });
        this.quiet = false;
      }
      const form = this.form();
      if (form && end !== null) {
        form.elements.start.value = fixed(start, 2);
        form.elements.end.value = fixed(end, 2);
      }
    }

    async copy() {
      const address = new URL(`${this.box.dataset.link}&t=${fixed(this.at, 2)}`, location.href).href;
      const told = this.box.querySelector(".copied");
      try {
        await navigator.clipboard.writeText(address);
        told.textContent = this.box.dataset.copied;
      } catch {
        // Without a secure connection no script may write to the clipboard: it is shown to be copied by hand.
        told.textContent = address;
        getSelection().selectAllChildren(told);
      }
    }

    // Where it plays: the clock, the loop, the words.
    moved() {
      const at = this.at;
      if (this.loop && this.loop[1] !== null && !this.audio.paused && at >= this.loop[1]) this.seek(this.loop[0]);
      const clock = this.box.querySelector(".clock");
      if (clock) clock.textContent = (this.box.dataset.clock ?? "{}").replace("{}", `${fixed(at)} / ${fixed(this.seconds)}`);
      if (this.audio.paused && this.audio.readyState === 0 && at === 0) return;
      const rows = this.rows();
      const current = rows.findLast((row) => Number(row.dataset.from) <= at + 0.05);
      if (current === this.current) return;
      this.current?.removeAttribute("aria-current");
      this.current = current;
      current?.setAttribute("aria-current", "true");
      const box = current?.closest(".said-box");
      if (box && !this.audio.paused) {
        const [inner, outer] = [current.getBoundingClientRect(), box.getBoundingClientRect()];
        if (inner.top < outer.top || inner.bottom > outer.bottom) box.scrollTop += inner.top - outer.top - 40;
      }
    }

    async draw() {
      const place = this.box.querySelector(".wave-drawing");
      if (!window.Wave || !place) return;
      const rate = RATES.find((one) => one * this.seconds <= MOST_PEAKS) ?? 1;
      const answer = await fetch(`${this.box.dataset.peaks}?per_second=${rate}`);
      if (!answer.ok) return;
      const told = await answer.json();
      const peaks = ["us", "them"].map((side) => heights(told.channels[side] ?? []));
      this.box.querySelector(".wave").hidden = false;
      const { WaveSurfer, Regions } = window.Wave;
      this.regions = Regions.create();
      const colors = { cursorColor: "#b3261e", cursorWidth: 2 };
      const wave = WaveSurfer.create({
        container: place,
        media: this.audio,
        url: this.audio.src,
        peaks,
        duration: told.duration_ms / 1000,
        height: HEIGHT,
        normalize: false,
        hideScrollbar: true,
        cspNonce: document.getElementById("rows")?.dataset.nonce ?? "",
        splitChannels: [
          { waveColor: "#8a97a8", progressColor: "#4d5a6b", height: HEIGHT },
          { waveColor: "#6d93cc", progressColor: "#173f7a", height: HEIGHT },
        ],
        plugins: [this.regions],
        ...colors,
      });
      this.regions.enableDragSelection({ color: "rgba(23, 63, 122, 0.16)" });
      const dragged = (region) => {
        if (!this.quiet) this.setLoop(region.start, region.end);
      };
      this.regions.on("region-created", dragged);
      this.regions.on("region-updated", dragged);
      wave.on("interaction", () => this.moved());
      const whole = told.duration_ms / 1000;
      for (const mark of this.box.querySelectorAll(".wave-marks .mark")) {
        mark.style.left = `${Math.min(100, (100 * Number(mark.dataset.at)) / whole)}%`;
      }
    }
  }

  // From least and greatest of each stretch, of 128, to how far it reaches from silence.
  const heights = (pairs) => {
    const found = new Float32Array(Math.ceil(pairs.length / 2));
    for (let n = 0; n < found.length; n += 1) {
      found[n] = Math.max(Math.abs(pairs[2 * n]), Math.abs(pairs[2 * n + 1] ?? 0)) / 128;
    }
    return found;
  };

  const find = () => {
    for (const [box] of sounds) if (!box.isConnected) sounds.delete(box);
    for (const box of document.querySelectorAll(".player")) if (!sounds.has(box)) sounds.set(box, new Sound(box));
    if (chosen && !chosen.box.isConnected) chosen = null;
  };
  const soundOf = (id) => [...sounds.values()].find((sound) => sound.audio.id === id);

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-seek]");
    const sound = link && soundOf(link.dataset.player);
    if (!sound) return;
    event.preventDefault();
    sound.seek(Number(link.dataset.seek) - LEAD_S);
    sound.play();
    sound.box.scrollIntoView({ block: "nearest" });
  });

  const toMoment = () => {
    const [, attempt, t] = /^#attempt-(\d{1,18})&t=(\d{1,6}(?:\.\d{1,3})?)$/.exec(location.hash) || [];
    const part = attempt && document.getElementById(`attempt-${attempt}`);
    for (const row of document.querySelectorAll("tr.sought")) row.classList.remove("sought");
    if (!part) return;
    const sound = soundOf(`audio-${attempt}`);
    if (sound) {
      // It is played by a person: each listening is put on record.
      sound.seek(Number(t) - LEAD_S);
      chosen = sound;
    }
    const said = [...part.querySelectorAll(".said a[data-seek]")];
    const row = said.findLast((link) => Number(link.dataset.seek) <= Number(t) + 0.01)?.closest("tr");
    row?.classList.add("sought");
    (row || sound?.box || part).scrollIntoView({ block: "center" });
  };

  // To the next or the last moment of the list below the wave.
  const toMark = (sound, by) => {
    const moments = [...sound.box.querySelectorAll(".marks a[data-seek]")].map((link) => Number(link.dataset.seek));
    const at = sound.at + LEAD_S;
    const next = by > 0 ? moments.find((moment) => moment > at + 0.1) : moments.findLast((moment) => moment < at - 0.1);
    if (next !== undefined) sound.seek(next - LEAD_S);
  };

  const KEYS = {
    " ": (sound) => sound.toggle(),
    ArrowLeft: (sound, event) => sound.seek(sound.at - (event.shiftKey ? 1 : STEP_S)),
    ArrowRight: (sound, event) => sound.seek(sound.at + (event.shiftKey ? 1 : STEP_S)),
    ArrowUp: (sound) => toMark(sound, -1),
    ArrowDown: (sound) => toMark(sound, 1),
    F4: (sound) => sound.chooseLoop(),
    F6: (sound) => sound.faster(-1),
    F7: (sound) => sound.faster(1),
    F9: (sound) => sound.copy(),
  };
  document.addEventListener("keydown", (event) => {
    const sound = chosen ?? sounds.values().next().value;
    const act = KEYS[event.key];
    if (!sound || !act || event.ctrlKey || event.altKey || event.metaKey) return;
    // In a field keys are typed; arrows go up and down a page on which nothing is being played.
    const field = event.target.closest("input, select, textarea");
    const control = event.target.closest("a, button, summary, audio, [tabindex]");
    if (field || (control && !/^F\d/.test(event.key))) return;
    if (/^Arrow(Up|Down)$/.test(event.key) && sound.audio.readyState === 0) return;
    act(sound, event);
    event.preventDefault();
  });

  addEventListener("hashchange", toMoment);
  document.addEventListener("dutyring:parts", find);
  find();
  toMoment();
})();
