// What the operator is saying: kept under one id until it is stored, put back into the field if it is refused.

import { newId } from "./console_dom.js";

const GROWS_TO = 180; // pixels

export class Composer {
  #form;
  #text;
  #say;
  #typing = new Map();
  #current = null;
  unsent = new Map();

  /** `say({id, conversation, text})` sends; it is called again for each unsent one after the line was lost. */
  constructor(form, text, say) {
    this.#form = form;
    this.#text = text;
    this.#say = say;
    form.addEventListener("submit", (event) => this.#submit(event));
    text.addEventListener("input", () => this.#grow());
    text.addEventListener("keydown", (event) => {
      const composing = event.isComposing || event.keyCode === 229;
      if (event.key === "Enter" && !event.shiftKey && !composing) this.#submit(event);
    });
  }

  /** Each conversation keeps the text that was begun in it. */
  turnTo(conversation) {
    if (conversation === this.#current) return;
    if (this.#current) this.#typing.set(this.#current, this.#text.value);
    this.#current = conversation;
    this.#write(this.#typing.get(conversation) ?? "");
  }

  enable(mine, hint) {
    this.#text.disabled = !mine;
    this.#text.placeholder = hint;
    this.#form.querySelector("button").disabled = !mine;
    this.#form.hidden = !this.#current;
    // A hidden field has no height to measure.
    this.#grow();
  }

  focus() {
    this.#text.focus();
  }

  stored(id) {
    this.unsent.delete(id);
  }

  /** The words go back to where they came from; false if they were not ours. */
  refused(id) {
    const words = this.unsent.get(id);
    if (!words) return false;
    this.unsent.delete(id);
    if (words.conversation === this.#current) this.#write(joined(words.text, this.#text.value));
    else this.#typing.set(words.conversation, joined(words.text, this.#typing.get(words.conversation)));
    return true;
  }

  again() {
    for (const words of this.unsent.values()) this.#say(words);
  }

  #submit(event) {
    event.preventDefault();
    const text = this.#text.value.trim();
    if (!text || this.#text.disabled) return;
    const words = { id: newId(), conversation: this.#current, text };
    this.unsent.set(words.id, words);
    this.#write("");
    this.#say(words);
  }

  #write(text) {
    this.#text.value = text;
    this.#grow();
  }

  #grow() {
    this.#text.style.height = "auto";
    this.#text.style.height = `${Math.min(GROWS_TO, this.#text.scrollHeight + 2)}px`;
  }
}

function joined(first, second) {
  return second ? `${first}\n${second}` : first;
}
