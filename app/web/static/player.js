// A moment in the evidence plays its sound; space plays and pauses, arrows move by ten seconds. An address that ends in
// #attempt-7&t=11.40 opens the page at that moment of that call: its player stands there, and its words are marked.
"use strict";
(() => {
  const STEP_S = 10;
  const LEAD_S = 0.5;

  const play = (player) => {
    player.play().catch(() => {
      // Paused before it began, or the file cannot be played: the player itself shows that.
    });
  };

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-seek]");
    const player = link && document.getElementById(link.dataset.player);
    if (!player) return;
    event.preventDefault();
    player.currentTime = Math.max(0, Number(link.dataset.seek) - LEAD_S);
    play(player);
    player.scrollIntoView({ block: "nearest" });
  });

  let chosen = null; // What the keys play: the player of the call that was opened, else the first.
  const toMoment = () => {
    const [, attempt, t] = /^#attempt-(\d{1,18})&t=(\d{1,6}(?:\.\d{1,3})?)$/.exec(location.hash) || [];
    const player = attempt && document.getElementById(`audio-${attempt}`);
    const part = attempt && document.getElementById(`attempt-${attempt}`);
    for (const row of document.querySelectorAll("tr.sought")) row.classList.remove("sought");
    if (!part) return;
    if (player) {
      // It is played by a person: each listening is put on record.
      player.currentTime = Math.max(0, Number(t) - LEAD_S);
      chosen = player;
    }
    const said = [...part.querySelectorAll(".said a[data-seek]")];
    const row = said.findLast((link) => Number(link.dataset.seek) <= Number(t) + 0.01)?.closest("tr");
    row?.classList.add("sought");
    (row || player || part).scrollIntoView({ block: "center" });
  };
  addEventListener("hashchange", toMoment);
  toMoment();

  document.addEventListener("keydown", (event) => {
    const player = chosen?.isConnected ? chosen : document.querySelector("audio");
    const busy = event.target.closest("a, button, input, select, textarea, audio");
    if (!player || busy || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.key === " ") {
      if (player.paused) play(player);
      else player.pause();
    } else if (event.key === "ArrowLeft") player.currentTime = Math.max(0, player.currentTime - STEP_S);
    else if (event.key === "ArrowRight") player.currentTime += STEP_S;
    else return;
    event.preventDefault();
  });
})();
