// Questions that are asked before something is done: to whom, and whether really.

import { make } from "./console_dom.js";

const part = (id) => document.getElementById(id);

export class Dialogs {
  #act = () => {};

  /** `on.assign(user)`: somebody was chosen. */
  constructor(on) {
    part("assign-form").addEventListener("submit", () => {
      const chosen = part("assign-to").value;
      if (chosen) on.assign(chosen);
    });
    part("sure-form").addEventListener("submit", () => this.#act());
    for (const cancel of document.querySelectorAll("dialog [data-cancel]")) {
      cancel.addEventListener("click", () => cancel.closest("dialog").close());
    }
  }

  assign(colleagues, me) {
    const all = colleagues.map(({ user, name }) => make("option", { value: user }, user === me ? `${name || user} (you)` : name ? `${name} (${user})` : user));
    part("assign-to").replaceChildren(...all);
    part("assign-dialog").showModal();
  }

  close(act) {
    this.#sure("Close this conversation?", "The bot starts anew with the next word.", "Close", act);
  }

  ban(act) {
    this.#sure("Ban this person?", "What they write is kept, and neither the bot nor anybody answers it by itself.", "Ban", act);
  }

  #sure(title, text, yes, act) {
    this.#act = act;
    part("sure-title").textContent = title;
    part("sure-text").textContent = text;
    part("sure-yes").textContent = yes;
    part("sure").showModal();
  }
}
