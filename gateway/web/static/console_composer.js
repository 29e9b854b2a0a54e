// What the operator is saying: kept under one id until it is stored, put back into the field if it is refused. A begun text
// stays with its conversation, also over a reload. A note is for operators only.

import { keep, kept, newId } from "./console_dom.js";

const GROWS_TO = 180; // pixels
const TYPING_EVERY = 3000; // milliseconds
const MOST_DRAFTS = 200;

export class Composer {
  #form;
  #text;
  #on;
  #shelf;
  #drafts;
  #current = null;
  #mine = false;
  #hint = "";
  #typed = 0;
  mode = "say";
  unsent = new Map();

  /** `on.say({type, id, conversation, text})` sends; it is called again for each unsent one after the line was lost.
   * `on.typing(conversation)`: something is being written. */
  constructor(form, me, on) {
    this.#form = form;
    this.#text = form.elements.text;
    this.#on = on;
    this.#shelf = `switchboard-console-drafts:${me}`;
    this.#drafts = new Map(kept(this.#shelf, []));
    form.addEventListener("submit", (event) => this.#submit(event));
    this.#text.addEventListener("input", () => this.#changed());
    this.#text.addEventListener("keydown", (event) => {
      const composing = event.isComposing || event.keyCode === 229;
      if (event.key === "Enter" && !event.shiftKey && !composing && !event.defaultPrevented) this.#submit(event);
    });
    for (const tab of form.querySelectorAll("[data-mode]")) tab.addEventListener("click", () => this.turnInto(tab.dataset.mode, true));
  }

  get text() {
    return this.#text.value;
  }

  get conversation() {
    return this.#current;
  }

  turnTo(conversation) {
    if (conversation === this.#current) return;
    this.#current = conversation;
    this.#typed = 0;
    this.turnInto("say");
  }

  /** "say", or "note". */
  turnInto(mode, focus = false) {
    this.mode = mode;
    for (const tab of this.#form.querySelectorAll("[data-mode]")) tab.setAttribute("aria-pressed", String(tab.dataset.mode === mode));
    this.#form.dataset.mode = mode;
    this.write(this.#drafts.get(this.#place()) ?? "");
    this.enable(this.#mine, this.#hint);
    if (focus) this.focus();
  }

  /** `mine`: this operator holds the conversation. `canNote`: they may write notes at least. */
  enable(mine, hint, canNote = true) {
    this.#mine = mine;
    this.#hint = hint;
    const open = this.mode === "note" ? canNote : mine;
    this.#text.disabled = !open;
    this.#text.placeholder = this.mode === "note" ? "A note for operators. The visitor never sees it." : hint;
    this.#text.setAttribute("aria-label", this.mode === "note" ? "Your note" : "Your answer");
    this.#form.querySelector("[type=submit]").disabled = !open;
    this.#form.querySelector("[type=submit]").textContent = this.mode === "note" ? "Save note" : "Send";
    this.#form.hidden = !this.#current;
    // A hidden field has no height to measure.
    this.#grow();
  }

  focus() {
    this.#text.focus();
  }

  write(text) {
    this.#text.value = text;
    this.#keep();
    this.#grow();
  }

  stored(id) {
    this.unsent.delete(id);
  }

  /** The words go back to where they came from. Gives them, or undefined where they were not ours. */
  refused(id) {
    const words = this.unsent.get(id);
    if (!words) return undefined;
    this.unsent.delete(id);
    const place = placeOf(words.conversation, words.type);
    if (place === this.#place()) this.write(joined(words.text, this.#text.value));
    else this.#drafts.set(place, joined(words.text, this.#drafts.get(place)));
    return words;
  }

  again() {
    for (const words of this.unsent.values()) this.#on.say(words);
  }

  submit() {
    this.#submit(new Event("submit"));
  }

  #submit(event) {
    event.preventDefault();
    const text = this.#text.value.trim();
    if (!text || this.#text.disabled) return;
    const words = { type: this.mode, id: newId(), conversation: this.#current, text };
    this.unsent.set(words.id, words);
    this.write("");
    this.#typed = 0; // Words end the typing where it is shown: the next is told at once.
    this.#on.say(words);
  }

  #changed() {
    this.#keep();
    this.#grow();
    if (this.#text.value && Date.now() - this.#typed > TYPING_EVERY) {
      this.#typed = Date.now();
      this.#on.typing(this.#current);
    }
  }

  #place() {
    return placeOf(this.#current, this.mode);
  }

  #keep() {
    if (!this.#current) return;
    this.#drafts.delete(this.#place());
    if (this.#text.value) this.#drafts.set(this.#place(), this.#text.value);
    keep(this.#shelf, [...this.#drafts].slice(-MOST_DRAFTS));
  }

  #grow() {
    this.#text.style.height = "auto";
    this.#text.style.height = `${Math.min(GROWS_TO, this.#text.scrollHeight + 2)}px`;
  }
}

function placeOf(conversation, mode) {
  return mode === "note" ? `${conversation}#note` : conversation;
}

function joined(first, second) {
  return second ? `${first}\n${second}` : first;
}
