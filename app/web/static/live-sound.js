// Plays the sound of a call under way as it comes: pieces of 8 kHz stereo (us, them), each laid behind the one before.
// Pieces are scheduled one by one and not through an AudioWorklet, which browsers refuse on plain http.
"use strict";
window.LiveEar = class {
  static RATE_HZ = 8000;
  static HEADER_BYTES = 16;
  static LEAD_S = 0.12; // So much lies ready: what comes later than this is heard late.
  static MOST_S = 0.35; // More than this is left out, or the ear would stay behind.

  // `told` learns of "wait", "sound" (with the delay in seconds), "over" and "failed"; `now` gives the office's time.
  constructor(address, told, now) {
    this.address = address;
    this.told = told;
    this.now = now;
    this.rest = new Uint8Array(0);
    this.at = 0;
    this.delays = [];
    this.context = new AudioContext({ sampleRate: LiveEar.RATE_HZ, latencyHint: "interactive" });
    this.gain = this.context.createGain();
    this.gain.connect(this.context.destination);
    this.apart = false;
    this.stopped = new AbortController();
  }

  async start() {
    this.told("wait");
    try {
      await this.context.resume();
      const answer = await fetch(this.address, { signal: this.stopped.signal, cache: "no-store" });
      if (!answer.ok) throw new Error(String(answer.status));
      const reader = answer.body.getReader();
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        this.take(value);
      }
      this.told("over");
    } catch {
      if (!this.stopped.signal.aborted) this.told("failed");
    }
  }

  stop() {
    this.stopped.abort();
    this.context.close();
  }

  set volume(value) {
    this.gain.gain.value = value;
  }

  take(bytes) {
    const all = new Uint8Array(this.rest.length + bytes.length);
    all.set(this.rest);
    all.set(bytes, this.rest.length);
    let from = 0;
    while (all.length - from >= LiveEar.HEADER_BYTES) {
      const view = new DataView(all.buffer, from);
      const began = view.getFloat64(0, true);
      const position = view.getUint32(8, true);
      const count = view.getUint32(12, true);
      const size = LiveEar.HEADER_BYTES + 4 * count;
      if (all.length - from < size) break;
      this.play(view, began, position, count);
      from += size;
    }
    this.rest = all.slice(from);
  }

  play(view, began, position, count) {
    const context = this.context;
    const end = began + (position + count) / LiveEar.RATE_HZ;
    if (this.at < context.currentTime + 0.01) this.at = context.currentTime + LiveEar.LEAD_S;
    else if (this.at > context.currentTime + LiveEar.MOST_S) return;
    const buffer = context.createBuffer(2, count, LiveEar.RATE_HZ);
    const [us, them] = [buffer.getChannelData(0), buffer.getChannelData(1)];
    for (let i = 0; i < count; i += 1) {
      const left = view.getInt16(LiveEar.HEADER_BYTES + 4 * i, true) / 32768;
      const right = view.getInt16(LiveEar.HEADER_BYTES + 4 * i + 2, true) / 32768;
      us[i] = this.apart ? left : left + right;
      them[i] = this.apart ? right : left + right;
    }
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.gain);
    source.start(this.at);
    this.at += count / LiveEar.RATE_HZ;
    const ahead = this.at - context.currentTime + (context.outputLatency || context.baseLatency || 0);
    this.delay = this.now() - end + ahead;
    this.delays.push(this.delay);
    if (this.delays.length > 600) this.delays.shift();
    this.told("sound", this.delay);
  }
};
