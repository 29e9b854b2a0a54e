const INSIDE = "a, button:enabled";
const STEPS = { ArrowUp: -1, ArrowDown: 1, ArrowLeft: -1, ArrowRight: 1 };

/** The messages are one stop of the Tab key: arrows move among them, and among what is in one. */
export function steer(parts) {
  const { list, inside, panel } = parts;
  new MutationObserver(() => keepOneStop(list)).observe(list, { childList: true, subtree: true });
  list.addEventListener("keydown", (event) => move(event, list, inside.dir));
  list.addEventListener("focusin", (event) => keepOneStop(list, event.target));
  panel.addEventListener("keydown", (event) => event.key === "Tab" && parts.coversAll && goRound(event, inside));
}

/** Only one thing in the list has a tabindex of 0: what had the focus last, until something new comes. */
function keepOneStop(list, focused = list.querySelector(":focus")) {
  const stop = focused ?? list.lastElementChild;
  for (const each of list.querySelectorAll(`.message, ${INSIDE}`)) each.tabIndex = each === stop ? 0 : -1;
}

/** What covers the whole page keeps the focus: after the last comes the first. */
function goRound(event, inside) {
  const all = [...inside.querySelectorAll("a, button, input, textarea, [tabindex]")];
  const stops = all.filter((each) => each.tabIndex >= 0 && !each.disabled && each.getClientRects().length);
  const [from, to] = event.shiftKey ? [stops[0], stops.at(-1)] : [stops.at(-1), stops[0]];
  if (event.target !== from) return;
  event.preventDefault();
  to.focus();
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
