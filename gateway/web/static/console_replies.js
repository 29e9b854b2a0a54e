// Ready answers: "/" at the beginning of the field, or the button, opens them; letters search, arrows and Enter choose.

import { make } from "./console_dom.js";

const MOST = 8;

export class Replies {
  #composer;
  #text;
  #box;
  #opener;
  #all = [];
  #shown = [];
  #at = 0;
  bot = "";

  constructor(composer, text, box, opener) {
    this.#composer = composer;
    this.#text = text;
    this.#box = box;
    this.#opener = opener;
    text.addEventListener("input", () => this.#look());
    text.addEventListener("keydown", (event) => this.#key(event), true);
    text.addEventListener("blur", () => setTimeout(() => this.#close(), 150));
    opener.addEventListener("click", () => {
      if (text.disabled) return;
      if (!text.value.startsWith("/")) composer.write(`/${text.value}`);
      text.focus();
      text.setSelectionRange(1, 1);
      this.#look();
    });
  }

  set(replies) {
    this.#all = replies;
  }

  get #isOpen() {
    return !this.#box.hidden;
  }

  #look() {
    const { value } = this.#text;
    if (!value.startsWith("/") || value.includes("\n")) {
      this.#close();
      return;
    }
    const sought = value.slice(1).toLowerCase();
    const usable = this.#all.filter(({ bot }) => !bot || bot === this.bot);
    const starts = usable.filter(({ shortcut }) => shortcut.toLowerCase().startsWith(sought));
    const holds = usable.filter((reply) => !starts.includes(reply) && `${reply.shortcut} ${reply.text}`.toLowerCase().includes(sought));
    this.#shown = [...starts, ...holds].slice(0, MOST);
    this.#at = 0;
    this.#draw();
  }

  #draw() {
    const rows = this.#shown.map(({ shortcut, text }, at) => {
      const row = make("li", { role: "option", id: `reply-${at}`, "aria-selected": String(at === this.#at) },
        make("b", { dir: "auto" }, `/${shortcut}`), make("span", { dir: "auto" }, text));
      row.addEventListener("mousedown", (event) => (event.preventDefault(), this.#choose(at)));
      return row;
    });
    const none = make("li", { role: "option", "aria-selected": "false", "aria-disabled": "true" }, "No reply has this in it.");
    this.#box.replaceChildren(...(rows.length ? rows : [none]));
    this.#box.hidden = false;
    this.#opener.setAttribute("aria-expanded", "true");
    if (rows.length) this.#text.setAttribute("aria-activedescendant", `reply-${this.#at}`);
  }

  #key(event) {
    if (!this.#isOpen || event.isComposing) return;
    const steps = { ArrowDown: 1, ArrowUp: -1 };
    if (steps[event.key] && this.#shown.length) {
      this.#at = (this.#at + steps[event.key] + this.#shown.length) % this.#shown.length;
      this.#draw();
    } else if ((event.key === "Enter" || event.key === "Tab") && this.#shown.length) {
      this.#choose(this.#at);
    } else if (event.key === "Escape") {
      this.#close();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #choose(at) {
    this.#composer.write(this.#shown[at].text);
    this.#close();
    this.#text.focus();
  }

  #close() {
    this.#box.hidden = true;
    this.#opener.setAttribute("aria-expanded", "false");
    this.#text.removeAttribute("aria-activedescendant");
  }
}
