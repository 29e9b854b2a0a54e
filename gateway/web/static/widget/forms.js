import { make } from "./dom.js";
import { dress } from "./more_style.js";
import "./words_more.js";

/** Shows `form` (`{when, fields}`) instead of the field, until it is filled in; null takes it away. */
export function askFirst(chat, form) {
  chat.form?.remove();
  chat.form = null;
  const { panel, say } = chat;
  panel.form.hidden = panel.hint.hidden = Boolean(form);
  if (!form) return;
  dress(panel.panel.getRootNode());
  chat.form = build(form, say);
  panel.scroll.insertBefore(chat.form, panel.typing);
  chat.form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (check(chat.form, say)) send(chat, form);
  });
  if (panel.isVisible && matchMedia("(pointer: fine)").matches) chat.form.querySelector("input, textarea")?.focus();
}

function build({ when, fields }, say) {
  const intro = make("p", {}, say(when === "before" ? "formBefore" : "formOffline"));
  const submit = make("button", { type: "submit", class: "primary" }, say(when === "before" ? "begin" : "submit"));
  const alert = make("p", { role: "alert", class: "problem" });
  return make("form", { class: "ask", novalidate: "" }, intro, ...fields.map(field), alert, submit);
}

function field({ name, label, type, required }, at) {
  const known = { name, id: `field-${at}`, "aria-describedby": `problem-${at}`, dir: "auto" };
  const kind = type === "textarea" ? {} : { type, autocomplete: type === "email" ? "email" : "on" };
  const input = make(type === "textarea" ? "textarea" : "input", { ...known, ...kind, ...(required ? { required: "" } : {}) });
  return make("label", {}, make("span", {}, label, required ? " *" : ""), input, make("em", { id: `problem-${at}` }));
}

/** True where everything is filled in; else what is missing is told beside each field, and the first has the focus. */
function check(form, say) {
  const inputs = [...form.querySelectorAll("input, textarea")];
  for (const input of inputs) {
    const blank = input.required && !input.value.trim();
    const problem = blank ? "missing" : input.validity.valid ? "" : "badEmail";
    input.setAttribute("aria-invalid", String(Boolean(problem)));
    form.querySelector(`#${input.id.replace("field", "problem")}`).textContent = problem && say(problem);
  }
  const first = inputs.find((input) => input.getAttribute("aria-invalid") === "true");
  first?.focus();
  return !first;
}

function send(chat, { when }) {
  const { form, talk, panel, say } = chat;
  form.querySelector("button").disabled = true;
  talk.ask({ type: "form", values: Object.fromEntries(new FormData(form)) }, (outcome) => {
    form.querySelector("button").disabled = false;
    if (outcome?.problem) {
      form.querySelector(".problem").textContent = outcome.detail || say("unsent");
      return;
    }
    talk.shelf.put({ form: true });
    askFirst(chat, null);
    if (when === "offline") chat.list.note(say("thanks"));
    panel.announce(say("thanks"));
    panel.text.focus();
  });
}
