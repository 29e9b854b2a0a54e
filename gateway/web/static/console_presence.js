// Who else looks at the conversation, and who is writing in it just now.

const TYPES_FOR = 4500; // milliseconds after the last sign of it
const WHO = { visitor: "The visitor", bot: "The bot", operator: "An operator" };

export class Presence {
  #box;
  #me;
  #current = null;
  #typing = new Map();
  #others = [];

  constructor(box, me) {
    this.#box = box;
    this.#me = me;
  }

  turnTo(conversation) {
    this.#current = conversation;
    this.#typing.clear();
    this.#others = [];
    this.#show();
  }

  typing({ conversation, from, name }) {
    if (conversation !== this.#current) return;
    const who = name || WHO[from] || from;
    clearTimeout(this.#typing.get(who));
    this.#typing.set(who, setTimeout(() => (this.#typing.delete(who), this.#show()), TYPES_FOR));
    this.#show();
  }

  /** A message has come: whoever sent it has stopped typing. */
  said({ conversation, from, name }) {
    if (conversation !== this.#current) return;
    for (const who of [name, WHO[from]]) if (this.#typing.delete(who)) this.#show();
  }

  present({ conversation, operators }) {
    if (conversation !== this.#current) return;
    this.#others = operators.filter(({ user }) => user !== this.#me).map(({ name }) => name);
    this.#show();
  }

  #show() {
    const types = [...this.#typing.keys()];
    const told = [
      types.length ? `${types.join(", ")} ${types.length > 1 ? "are" : "is"} typing…` : "",
      this.#others.length ? `Also here: ${this.#others.join(", ")}` : "",
    ].filter(Boolean).join(" · ");
    if (this.#box.textContent !== told) this.#box.textContent = told;
  }
}
