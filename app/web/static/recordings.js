// Plays the recordings of the list one after another. What is played goes on record, recording by recording.
"use strict";
(() => {
  const STEP_S = 10;
  const bar = document.getElementById("bar");
  const audio = bar?.querySelector("audio");
  const links = [...document.querySelectorAll("a.play")];
  if (!audio || !links.length) return;
  const onRecord = bar.querySelector(".on-record");
  const goesOn = bar.querySelector('input[type="checkbox"]');
  const speed = bar.querySelector("select");
  let now = -1;

  const start = (number) => {
    if (number < 0 || number >= links.length) return;
    document.querySelector("tr[aria-current]")?.removeAttribute("aria-current");
    now = number;
    const row = links[now].closest("tr");
    row.setAttribute("aria-current", "true");
    row.scrollIntoView({ block: "nearest" });
    bar.hidden = false;
    bar.querySelector(".now").textContent = links[now].dataset.name;
    onRecord.textContent = "";
    audio.src = links[now].href;
    audio.playbackRate = Number(speed.value);
    audio.play().catch(() => {
      // It cannot be played, or the next one was chosen before it began.
    });
  };

  for (const [number, link] of links.entries()) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      start(number);
    });
  }
  // Its line in the audit trail was written before its first byte came.
  audio.addEventListener("loadedmetadata", () => {
    onRecord.textContent = bar.dataset.told;
    audio.playbackRate = Number(speed.value);
  });
  audio.addEventListener("ended", () => {
    if (goesOn.checked) start(now + 1);
  });
  speed.addEventListener("change", () => {
    audio.playbackRate = Number(speed.value);
  });
  bar.addEventListener("click", (event) => {
    const what = event.target.closest("button")?.dataset.do;
    if (what === "previous") start(now - 1);
    else if (what === "next") start(now + 1);
  });

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("input, select, textarea, audio")) return;
    if (event.key === " " && !event.target.closest("a, button")) {
      if (now < 0) start(0);
      else if (audio.paused) audio.play();
      else audio.pause();
    } else if (event.key === "ArrowLeft" && now >= 0) audio.currentTime -= STEP_S;
    else if (event.key === "ArrowRight" && now >= 0) audio.currentTime += STEP_S;
    else if (event.key === "F6") start(now - 1);
    else if (event.key === "F7") start(now + 1);
    else return;
    event.preventDefault();
  });
})();
