// Keys that work on every page of the console, and their help. A page's own keys stay out of fields.

const help = document.getElementById("keys");
let went = 0;

/** Whether a key belongs to what is being typed. */
export function isTyping(event) {
  const { target } = event;
  return target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName ?? "");
}

export function isPlain(event) {
  return !event.ctrlKey && !event.metaKey && !event.altKey && !event.defaultPrevented;
}

function goTo(number) {
  document.querySelectorAll(".rail nav a")[number - 1]?.click();
}

// On a phone the pages are a row that is wider than the screen.
document.querySelector(".rail [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

document.getElementById("help").addEventListener("click", () => help.showModal());
addEventListener("keydown", (event) => {
  if (isTyping(event) || !isPlain(event) || document.querySelector("dialog[open]")) return;
  if (event.key === "?") {
    event.preventDefault();
    help.showModal();
  } else if (Date.now() - went < 1500 && /^[1-9]$/.test(event.key)) {
    goTo(Number(event.key));
  }
  went = event.key === "g" ? Date.now() : 0;
});
