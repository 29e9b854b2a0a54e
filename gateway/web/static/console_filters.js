// What the list shows: a state, words sought, a bot, a protocol, a tag, mine. The address keeps it.

const FIELDS = ["state", "search", "bot", "protocol", "tag", "mine"];
const PAUSE = 250; // milliseconds after the last letter

export class Filters {
  #form;
  #counts;
  #changed;
  #timer = 0;

  /** `changed()` is called when something else is wanted. The counts are links: without this script they work too. */
  constructor(form, counts, changed) {
    this.#form = form;
    this.#counts = counts;
    this.#changed = changed;
    form.addEventListener("submit", (event) => (event.preventDefault(), this.#apply()));
    form.addEventListener("change", () => this.#apply());
    form.search.addEventListener("input", () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#apply(), PAUSE);
    });
    counts.addEventListener("click", (event) => this.#choose(event));
    this.#mark();
  }

  /** As a `list` frame asks for it. */
  get wanted() {
    const { state, search, bot, protocol, tag, mine } = this.#form;
    return { state: state.value, search: search.value.trim(), bot: bot.value, protocol: protocol.value, tag: tag.value, mine: mine.checked };
  }

  get isOn() {
    return Object.values(this.wanted).some(Boolean);
  }

  /** Whether a conversation that has changed belongs in the list. What was sought, only the database knows. */
  fits(frame, me) {
    const { state, search, bot, protocol, tag, mine } = this.wanted;
    return !search && (!state || frame.state === state) && (!bot || frame.bot === bot) && (!protocol || frame.protocol === protocol)
      && (!tag || frame.tags?.includes(tag)) && (!mine || frame.holder === me);
  }

  count(counts) {
    for (const [state, number] of Object.entries(counts)) {
      const place = this.#counts.querySelector(`[data-state="${CSS.escape(state)}"] b`);
      if (place) place.textContent = number >= 9999 ? "9999+" : String(number);
    }
  }

  focus() {
    this.#form.search.focus();
    this.#form.search.select();
  }

  clear() {
    this.#form.reset();
    for (const name of FIELDS) if (name !== "mine") this.#form[name].value = "";
    this.#form.mine.checked = false;
    this.#apply();
  }

  #choose(event) {
    const link = event.target.closest("a[data-state]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const { state } = link.dataset;
    this.#form.state.value = this.#form.state.value === state ? "" : state;
    this.#apply();
  }

  #apply() {
    clearTimeout(this.#timer);
    const wanted = Object.entries(this.wanted).filter(([, value]) => value).map(([name, value]) => [name, value === true ? "1" : value]);
    const query = new URLSearchParams(wanted).toString();
    history.replaceState(null, "", `${location.pathname}${query ? `?${query}` : ""}${location.hash}`);
    this.#mark();
    this.#changed();
  }

  #mark() {
    for (const link of this.#counts.querySelectorAll("a[data-state]")) {
      if (link.dataset.state === this.#form.state.value) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    const { bot, protocol, tag, mine } = this.wanted;
    this.#form.querySelector("summary").classList.toggle("on", Boolean(bot || protocol || tag || mine));
  }
}
