/** The field at the bottom: grows with its text, keeps a draft, sends with Enter. */
export class Composer {
  #text;
  #drafts;
  #send;
  extra = null; // what is sent along with the text: files

  /** `send(text)` takes what was written; `typing()` is called at every word. */
  constructor({ form, text }, drafts, { send, typing }) {
    this.#text = text;
    this.#drafts = drafts;
    this.#send = send;
    text.value = drafts.get().text ?? "";
    this.#changed();
    form.addEventListener("submit", (event) => this.#submit(event));
    text.addEventListener("input", () => {
      this.#changed();
      if (text.value) typing();
    });
    text.addEventListener("keydown", (event) => {
      // 229: Safari ends a composition before it tells of the Enter that ended it.
      const composing = event.isComposing || event.keyCode === 229;
      if (event.key === "Enter" && !event.shiftKey && !composing) this.#submit(event);
    });
  }

  /** Puts `text` back before what is written meanwhile. */
  put(text) {
    this.#text.value = [text, this.#text.value].filter(Boolean).join("\n");
    this.#changed();
    this.#text.focus();
  }

  grow() {
    const { style, scrollHeight } = this.#text;
    style.height = "auto";
    if (scrollHeight) style.height = `${this.#text.scrollHeight + 2}px`;
  }

  #changed() {
    const { value } = this.#text;
    this.#drafts.put({ text: value });
    // The hint stands in the direction of the language; what is written, in its own.
    if (value) this.#text.dir = "auto";
    else this.#text.removeAttribute("dir");
    this.grow();
  }

  #submit(event) {
    event.preventDefault();
    const text = this.#text.value.trim();
    const extra = this.extra?.take();
    if (extra === "busy" || (!text && !extra?.length)) return;
    this.#text.value = "";
    this.#changed();
    this.#send(text, extra);
    this.#text.focus();
  }
}
