// A moment in the evidence plays its sound; space plays and pauses, arrows move by ten seconds.
"use strict";
(() => {
  const STEP_S = 10;

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
    player.currentTime = Math.max(0, Number(link.dataset.seek) - 0.5);
    play(player);
    player.scrollIntoView({ block: "nearest" });
  });

  document.addEventListener("keydown", (event) => {
    const player = document.querySelector("audio");
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
