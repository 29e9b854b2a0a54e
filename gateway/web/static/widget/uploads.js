import { button, make } from "./dom.js";
import { bytes } from "./files.js";
import { dress } from "./more_style.js";
import "./words_more.js";

const CLIP = "M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7l-8.3 8.2a1.6 1.6 0 0 1-2.3-2.3L14.5 7";

/** Offers the button and the tray for files where `uploads` (`{max, types}`) allows them; null takes them away. */
export function offerFiles(chat, uploads) {
  chat.composer.extra ??= uploads && new Uploads(chat);
  chat.composer.extra?.allow(uploads);
}

/** Files that are uploaded as soon as they are chosen, and wait in a tray until the message is sent. */
class Uploads {
  #chat;
  #allowed;
  #files = new Set();
  #asked = false;

  constructor(chat) {
    const { panel, say } = (this.#chat = chat);
    dress(panel.panel.getRootNode());
    this.tray = make("div", { class: "tray", role: "list" });
    this.input = make("input", { type: "file", multiple: "", hidden: "", tabindex: "-1", "aria-label": say("attach") });
    this.attach = panel.add("attach", button("attach", "", CLIP, () => this.input.click()), "attach");
    panel.form.prepend(this.attach, this.input);
    panel.form.before(this.tray);
    this.#listen(panel);
  }

  allow(uploads) {
    this.#allowed = uploads;
    this.attach.hidden = !uploads;
    if (uploads) this.input.accept = (uploads.types ?? []).join(",");
  }

  /** The files that are ready, taken out of the tray; "busy" while one is on its way: then it is sent afterwards. */
  take() {
    const files = [...this.#files];
    this.#asked = files.some(({ request }) => request);
    if (this.#asked) return "busy";
    for (const file of files) this.#remove(file);
    return files.map(({ stored }) => stored).filter(Boolean);
  }

  #listen({ panel, text }) {
    this.input.addEventListener("change", () => {
      this.#add(this.input.files);
      this.input.value = "";
    });
    text.addEventListener("paste", (event) => this.#take(event, event.clipboardData));
    panel.addEventListener("drop", (event) => this.#take(event, event.dataTransfer));
    panel.addEventListener("dragover", (event) => {
      if (this.#allowed && event.dataTransfer.types.includes("Files")) event.preventDefault();
      panel.classList.toggle("drop", event.defaultPrevented);
    });
    for (const over of ["drop", "dragleave"]) panel.addEventListener(over, () => panel.classList.remove("drop"));
  }

  #take(event, { files }) {
    if (!this.#allowed || !files.length) return;
    event.preventDefault();
    this.#add(files);
  }

  #add(files) {
    for (const chosen of files) this.#begin(chosen);
  }

  #begin(chosen) {
    const { say } = this.#chat;
    const bar = make("progress", { max: "1", value: "0", "aria-label": say("uploading", { name: chosen.name }) });
    const file = { name: chosen.name, bar, node: make("div", { class: "waiting", role: "listitem" }, make("bdi", {}, chosen.name), bar) };
    const remove = button("remove", "", "M7 7l10 10M17 7L7 17", () => this.#remove(file));
    remove.setAttribute("aria-label", say("remove", { name: chosen.name }));
    file.node.append(remove);
    this.#files.add(file);
    this.tray.append(file.node);
    if (chosen.size > this.#allowed.max) this.#fail(file, "file_too_large");
    else this.#upload(file, chosen);
  }

  // fetch would tell nothing of how far it is.
  #upload(file, chosen) {
    const { place, talk } = this.#chat;
    const request = (file.request = new XMLHttpRequest());
    request.open("POST", new URL(`/chat/files/?bot=${encodeURIComponent(place.bot)}`, place.home));
    request.setRequestHeader("Authorization", `Bearer ${talk.shelf.get().token}`);
    request.setRequestHeader("X-File-Name", encodeURIComponent(chosen.name));
    request.setRequestHeader("Content-Type", chosen.type || "application/octet-stream");
    request.upload.onprogress = ({ loaded, total }) => (file.bar.value = loaded / (total || 1));
    request.onloadend = () => this.#uploaded(file, request);
    request.send(chosen);
  }

  #uploaded(file, { status, responseText }) {
    file.request = null;
    if (!this.#files.has(file)) return;
    const answer = parsed(responseText);
    if (status === 201) this.#ready(file, answer);
    else this.#fail(file, answer.code, answer.detail);
    if (this.#asked && ![...this.#files].some(({ request }) => request)) this.#chat.panel.form.requestSubmit();
  }

  #ready(file, stored) {
    const { panel, say } = this.#chat;
    file.stored = stored;
    file.bar.remove();
    panel.announce(say("uploaded", { name: file.name }));
  }

  #fail(file, code, detail) {
    const { panel, say } = this.#chat;
    const known = { file_too_large: code, file_type: code }[code] ?? "file_failed";
    const told = say(known, { name: file.name, size: bytes(this.#allowed?.max ?? 0) });
    file.bar.remove();
    file.node.classList.add("bad");
    file.node.firstChild.textContent = told;
    file.node.title = detail ?? "";
    panel.announce(told, true);
    this.#asked = false;
  }

  #remove(file) {
    file.request?.abort();
    this.#files.delete(file);
    file.node.remove();
    this.#chat.panel.text.focus();
  }
}

function parsed(text) {
  try {
    return JSON.parse(text) ?? {};
  } catch {
    return {};
  }
}
