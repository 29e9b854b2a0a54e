// The demo page's two buttons.

const chat = () => document.querySelector("switchboard-chat");
document.getElementById("open-chat").addEventListener("click", () => chat()?.show());

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
