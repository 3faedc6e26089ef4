import { isReduced } from "./motion.js";

const LEVELS = [
  { health: 12, zone: 0.34, sweepMs: 1_500 },
  { health: 18, zone: 0.26, sweepMs: 1_250 },
  { health: 24, zone: 0.18, sweepMs: 1_050 },
];
const FULL_HIT = 3;
const GLANCE = 1;
const PLAIN_HIT = 2;
const RECOVER_MS = 320;

export const title = "Beat the boss";
export const hint = "Strike while the needle is in the green: three times the damage. Space or Enter strikes too.";

/** The boss: `level` 0–2 sets its health and how narrow the moment for a full hit is. Nothing can be lost but time. */
export function play(stage, { level, progress, onProgress }) {
  const { health, zone, sweepMs } = LEVELS[level];
  const arena = document.getElementById("fight").content.firstElementChild.cloneNode(true);
  const part = (name) => arena.querySelector(`.${name}`);
  const strike = part("strike");
  const needle = part("needle");
  const zoneStart = (1 - zone) / 2;
  let left = Math.round(health * (1 - progress));
  let position = 0;
  let frame = null;
  let recovered = null;

  part("zone").style.left = `${zoneStart * 100}%`;
  part("zone").style.width = `${zone * 100}%`;
  // A sweeping needle is nothing for who asked for less motion: then every strike is the same.
  part("gauge").hidden = isReduced();
  part("meter").max = health;
  arena.classList.add(`level-${level}`);

  function sweep(now) {
    const phase = (now % sweepMs) / sweepMs;
    position = phase < 0.5 ? phase * 2 : 2 - phase * 2;
    needle.style.transform = `translateX(${position * 100}%)`;
    frame = requestAnimationFrame(sweep);
  }

  function hit() {
    if (strike.getAttribute("aria-disabled") === "true") return;
    const isFull = position >= zoneStart && position <= zoneStart + zone;
    const damage = isReduced() ? PLAIN_HIT : isFull ? FULL_HIT : GLANCE;
    left = Math.max(left - damage, 0);
    show();
    flash(damage, isFull && !isReduced());
    onProgress(1 - left / health);
    if (left === 0) {
      end();
      return;
    }
    // Not `disabled`: that would take the focus from under the keyboard at every strike.
    strike.setAttribute("aria-disabled", "true");
    recovered = setTimeout(() => strike.setAttribute("aria-disabled", "false"), RECOVER_MS);
  }

  function show() {
    part("meter").value = left;
    part("health").textContent = `${left} / ${health}`;
  }

  function flash(damage, isFull) {
    const mark = part("damage");
    mark.textContent = `−${damage}`;
    mark.classList.toggle("full", isFull);
    if (isReduced()) return;
    mark.animate([{ opacity: 1, transform: "translate(-50%, 0)" }, { opacity: 0, transform: "translate(-50%, -36px)" }], 600);
    part("boss").animate([{ transform: "translateX(-7px) rotate(-3deg)" }, { transform: "translateX(6px) rotate(2deg)" }, { transform: "none" }], 220);
  }

  function end() {
    cancelAnimationFrame(frame);
    clearTimeout(recovered);
    arena.classList.add("beaten");
    strike.hidden = true;
    part("gauge").hidden = true;
  }

  strike.addEventListener("click", hit);
  stage.append(arena);
  show();
  if (left === 0) {
    end();
  } else {
    if (!isReduced()) frame = requestAnimationFrame(sweep);
    strike.focus({ preventScroll: true });
  }

  return () => {
    end();
    stage.replaceChildren();
  };
}
