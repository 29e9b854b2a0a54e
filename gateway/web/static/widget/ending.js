import { button, icon, make } from "./dom.js";
import { dress } from "./more_style.js";
import "./words_more.js";

const DOOR = "M14 4h5v16h-5M10 8l-4 4 4 4M6 12h9";
const STAR = "M12 3.5l2.7 5.5 6 .9-4.4 4.2 1 6-5.3-2.8-5.3 2.8 1-6-4.4-4.2 6-.9z";

/** A button at the top that ends the conversation, once something was said. */
export function offerEnd(chat) {
  const { panel } = chat;
  if (panel.end) return;
  dress(panel.panel.getRootNode());
  panel.actions.prepend(panel.add("end", button("end", "", DOOR, () => ask(chat)), "end"));
}

function ask(chat) {
  const { talk, say } = chat;
  const yes = button("primary", say("yes"), null, () => {
    close(chat);
    if (talk.tell({ type: "end" })) return;
    chat.panel.announce(say("waiting"), true);
  });
  const no = button("plain", say("no"), null, () => close(chat));
  show(chat, make("p", {}, say("endAsk")), make("div", {}, no, yes));
  yes.focus();
}

/** It has ended: to be rated, if `rate`; whoever writes on goes on, whoever begins anew leaves it behind. */
export function ended(chat, rate) {
  const { talk, say } = chat;
  const anew = button("plain", say("anew"), null, () => {
    close(chat);
    talk.anew();
  });
  const said = make("p", { role: "status" }, say("ended"));
  dress(chat.panel.panel.getRootNode());
  show(chat, said, ...(rate ? [rating(chat)] : []), make("div", {}, anew));
}

function rating({ talk, say }) {
  const star = (n) => make("label", {}, make("input", { type: "radio", name: "score", value: n, "aria-label": say("stars", { n }) }), icon(STAR));
  const stars = make("fieldset", { class: "stars" }, make("legend", {}, say("rate")), ...[1, 2, 3, 4, 5].map(star));
  const text = make("textarea", { name: "text", rows: "1", dir: "auto", "aria-label": say("comment"), placeholder: say("comment") });
  const send = make("button", { type: "submit", class: "primary" }, say("submit"));
  const form = make("form", {}, stars, text, send);
  text.hidden = send.hidden = true;
  stars.addEventListener("change", () => (text.hidden = send.hidden = false));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { score, text } = Object.fromEntries(new FormData(form));
    talk.ask({ type: "rate", score: Number(score), text }, (outcome) => {
      form.replaceWith(make("p", { role: "status" }, say(outcome?.problem ? "unsent" : "thanks")));
    });
  });
  return form;
}

function show(chat, ...inside) {
  chat.card?.remove();
  chat.card = make("div", { class: "card" }, ...inside);
  chat.panel.foot.insertBefore(chat.card, chat.panel.form);
  chat.panel.bottom();
}

function close(chat) {
  chat.card?.remove();
  chat.card = null;
  chat.panel.text.focus();
}
