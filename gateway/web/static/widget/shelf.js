/** JSON under one key. Storage may be forbidden, full or broken: then it remembers as long as the page lasts. */
export class Shelf {
  #memory = {};

  constructor(kind, key) {
    Object.assign(this, { kind, key });
  }

  get() {
    try {
      return { ...this.#memory, ...JSON.parse(globalThis[this.kind].getItem(this.key)) };
    } catch {
      return this.#memory;
    }
  }

  put(changes) {
    this.#memory = { ...this.get(), ...changes };
    try {
      globalThis[this.kind].setItem(this.key, JSON.stringify(this.#memory));
    } catch {
      // The memory has it.
    }
  }
}
