// The card on the right: who is talking, their tags and notes, and where else they talk.

import { button, clock, fill, make } from "./console_dom.js";
import { chipText } from "./console_list.js";
import { initial, nameOf } from "./console_names.js";

export class Person {
  #box;
  #me;
  #on;

  /** `on.open(uuid)`, `on.tag(name)`, `on.untag(name)`, `on.ban()`, `on.unban()`; `on.may(role)`: at this bot. */
  constructor(box, me, on) {
    this.#box = box;
    this.#me = me;
    this.#on = on;
  }

  clear() {
    this.#box.replaceChildren();
  }

  show(card) {
    const typed = this.#box.querySelector("input");
    const was = typed === document.activeElement ? typed.value : null;
    const { number } = card;
    const called = { ...card, name: card.name || card.chat?.title };
    fill(this.#box,
      make("h2", {}, initial(called), make("span", { dir: "auto" }, nameOf(called))),
      card.username ? make("p", { class: "soft", dir: "auto" }, `@${card.username}`) : null,
      card.banned ? make("p", { class: "chip banned" }, `banned since ${clock(card.banned)}`) : null,
      card.blocked ? make("p", { class: "chip" }, `blocked the bot, ${clock(card.blocked)}`) : null,
      facts(card),
      ...(number === undefined ? [] : this.#tags(card.tags)),
      ...this.#others(card.others),
      ...notes(card.notes),
      ...(number !== undefined && this.#on.may("administer") ? [whatIsKept(card)] : []),
      ...(number !== undefined && this.#on.may("lead") ? [this.#ban(card)] : []),
    );
    if (was !== null) Object.assign(this.#box.querySelector("input") ?? {}, { value: was }) && this.#box.querySelector("input")?.focus();
  }

  #tags(tags) {
    const may = this.#on.may("answer");
    const all = tags.map((tag) => make("li", { class: "tag" }, make("span", { dir: "auto" }, tag),
      may ? button("×", () => this.#on.untag(tag), { "aria-label": `Take the tag ${tag} away` }) : null));
    const form = make("form", { class: "add-tag" }, make("input", { name: "tag", maxlength: 40, placeholder: "Add a tag", "aria-label": "Add a tag", autocomplete: "off" }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const name = form.tag.value.trim();
      form.tag.value = "";
      if (name) this.#on.tag(name);
    });
    return [make("h3", {}, "Tags"), make("ul", { class: "tag-list" }, ...all), may ? form : null].filter(Boolean);
  }

  #others(others) {
    if (!others.length) return [];
    const all = others.map((other) => make("li", {}, button("", () => this.#on.open(other.conversation), {})));
    all.forEach((item, at) => item.firstElementChild.append(...line(others[at], this.#me)));
    return [make("h3", {}, "Other conversations"), make("ul", { class: "others" }, ...all)];
  }

  #ban({ banned }) {
    const act = banned ? this.#on.unban : this.#on.ban;
    return make("p", { class: "danger" }, button(banned ? "Lift the ban" : "Ban this person", act));
  }
}

function whatIsKept({ conversation }) {
  return make("p", { class: "kept" }, make("a", { href: `/console/people/of/${conversation}/` }, "All that is kept"));
}

function facts(card) {
  const rows = {
    Protocol: card.protocol,
    Bot: card.bot,
    Language: card.language,
    Number: card.number,
    Account: card.account,
    Place: card.chat?.title,
    ...(card.details && typeof card.details === "object" ? card.details : {}),
  };
  const shown = Object.entries(rows).filter(([, value]) => typeof value === "string" || typeof value === "number").filter(([, value]) => value !== "");
  return make("dl", { class: "facts" }, ...shown.map(([name, value]) =>
    make("div", {}, make("dt", { dir: "auto" }, name), make("dd", { dir: "auto" }, String(value)))));
}

function line(frame, me) {
  return [
    make("span", { dir: "auto" }, frame.last || "no words yet"),
    make("small", {}, `${frame.protocol} · ${frame.bot} · ${chipText(frame, me)} · ${clock(frame.at)}`),
  ];
}

function notes(all) {
  if (!all?.length) return [];
  return [make("h3", {}, "Notes"), make("ul", { class: "notes" }, ...all.map(({ name, text, at }) =>
    make("li", {}, make("p", { dir: "auto" }, text), make("small", {}, make("bdi", {}, name), ` · ${clock(at)}`))))];
}
