import { icon, link, make } from "./dom.js";
export { dress } from "./more_style.js";

const LARGEST = 280; // pixels of a picture's side
const FILE = "M7 3h7l4 4v14H7zM14 3v4h4";

/** Files of a message. Pictures are shown only from the gateway itself: no other site learns who looks. */
export function show(files, home) {
  return make("div", { class: "files" }, ...files.map((file) => one(file, home)));
}

function one(file, home) {
  const url = file.url && URL.canParse(file.url, home) ? new URL(file.url, home) : null;
  if (!url || !/^https?:$/.test(url.protocol)) return make("span", { class: "file" }, ...described(file));
  const own = url.origin === home.origin;
  if (file.image && own) return link(url.href, picture(file, url));
  const card = link(url.href, ...described(file));
  card.className = "file";
  if (own) card.download = file.name ?? "";
  return card;
}

function picture({ name = "", width, height }, url) {
  const scale = Math.min(1, LARGEST / Math.max(width || LARGEST, height || 1));
  const size = width && height ? { width: Math.round(width * scale), height: Math.round(height * scale) } : {};
  return make("img", { src: url.href, alt: name, title: name, loading: "lazy", decoding: "async", ...size });
}

function described({ name = "", size }) {
  const about = make("small", {}, make("bdi", {}, size ? bytes(size) : ""));
  return [icon(FILE), make("span", {}, make("bdi", {}, name), about)];
}

/** `1234567` as "1.2 MB". */
export function bytes(size) {
  const step = Math.min(3, Math.floor(Math.log10(Math.max(size, 1)) / 3));
  return `${(size / 1000 ** step).toFixed(step > 1 ? 1 : 0)} ${["B", "kB", "MB", "GB"][step]}`;
}
