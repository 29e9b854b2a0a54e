const INSIDE = "a, button:enabled";
const STEPS = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -1, ArrowRight: 1 };

/** The messages are one stop of the Tab key: arrows move among them, and among what is in one. */
export function steer({ list, panel, inside, coversAll, ...parts }) {
  const watch = new MutationObserver(() => keepOneStop(list));
  watch.observe(list, { childList: true, subtree: true });
  list.addEventListener("keydown", (event) => move(event, list, inside.dir));
  list.addEventListener("focusin", (event) => keepOneStop(list, event.target));
}

/** Only one thing in the list has a tabindex of 0: what had the focus last, or the newest message. */
function keepOneStop(list, focused) {
  const stop = focused ?? list.querySelector("[tabindex='0']") ?? list.lastElementChild;
  for (const each of list.querySelectorAll(`.message, ${INSIDE}`)) each.tabIndex = each === stop ? 0 : -1;
}

function move(event, list, direction) {
  const message = event.target.closest(".message");
  const sideways = event.key === "ArrowLeft" || event.key === "ArrowRight";
  const step = STEPS[event.key] * (sideways && direction === "rtl" ? -1 : 1);
  const all = sideways ? [message, ...message.querySelectorAll(INSIDE)] : [...list.children];
  const from = all.indexOf(sideways ? event.target : message);
  const next = event.key === "Home" ? all[0] : event.key === "End" ? all.at(-1) : all[from + step];
  if (!next) return;
  event.preventDefault();
  next.focus();
}
