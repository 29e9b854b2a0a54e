// The demo page's buttons, and what the widget may be made to look like.

const chat = () => document.querySelector("switchboard-chat");
document.getElementById("open-chat").addEventListener("click", () => chat()?.open());

const copy = document.getElementById("copy-tag");
copy.addEventListener("click", async () => {
  const tag = document.getElementById("tag");
  try {
    await navigator.clipboard.writeText(tag.textContent);
    copy.textContent = "Copied";
  } catch {
    // No clipboard without TLS: the text is marked, ready for the keyboard.
    getSelection().selectAllChildren(tag);
    copy.textContent = "Marked";
  }
  setTimeout(() => (copy.textContent = "Copy"), 2000);
});

document.getElementById("language").addEventListener("change", ({ target }) => chat()?.setLanguage(target.value));
document.getElementById("theme").addEventListener("change", ({ target }) => chat()?.setAttribute("theme", target.value));
document.getElementById("accent").addEventListener("input", ({ target }) => {
  chat()?.style.setProperty("--switchboard-accent", target.value);
  chat()?.style.setProperty("--switchboard-accent-ink", isLight(target.value) ? "#10131f" : "#fff");
});

function isLight(colour) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * red + 0.587 * green + 0.114 * blue > 150;
}
