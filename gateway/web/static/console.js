// The operators' console: list, transcript and person, live, over /ws/chat/admin/.

import { Composer } from "./console_composer.js";
import { Dialogs } from "./console_dialogs.js";
import { button, make } from "./console_dom.js";
import { Filters } from "./console_filters.js";
import { isPlain, isTyping } from "./console_keys.js";
import { chipText, List } from "./console_list.js";
import { Line } from "./console_line.js";
import { nameOf } from "./console_names.js";
import { Notify } from "./console_notify.js";
import { Person } from "./console_person.js";
import { Presence } from "./console_presence.js";
import { Replies } from "./console_replies.js";
import { Transcript } from "./console_transcript.js";

const part = (id) => document.getElementById(id);
const rooms = part("rooms");
const me = rooms.dataset.operator;

const RECENT = 60;
const COUNT_EVERY = 2000; // milliseconds
const ROLES = ["none", "watch", "answer", "lead", "administer"];
const LINE = { connecting: "Connecting…", online: "Live", waiting: "No connection. Trying again…" };
const NO_LINE = "There is no connection just now. Please try again.";
const ERRORS = {
  held: "Somebody else has this conversation.",
  not_holder: "You do not hold this conversation any more. Take it over to answer.",
  not_ready: "The gateway is starting or stopping. Please try again in a moment.",
  unknown_conversation: "This conversation does not exist.",
  unknown_row: "This message does not exist.",
};

const transcripts = new Map();
const filters = new Filters(part("filters"), part("counts"), () => askForList());
const list = new List(part("list"), me, { open: go, fits: (frame) => filters.fits(frame, me) });
const composer = new Composer(part("composer"), me, { say, typing: (conversation) => line.send({ type: "typing", conversation }) });
const replies = new Replies(composer, part("text"), part("replies"), part("open-replies"));
const notify = new Notify({ sound: part("sound"), notify: part("notify") });
const presence = new Presence(part("presence"), me);
const person = new Person(part("card"), me, {
  open: go, may, tag: (tag) => ask("tag", { tag }), untag: (tag) => ask("untag", { tag }), ban: () => dialogs.ban(() => ask("ban")), unban: () => ask("unban"),
});
const dialogs = new Dialogs({ assign: (to) => ask("assign", { to }) });
let rights = { general: "watch", bots: {} };
let current = null;
let wantsToWrite = false;
let follows = true;
let asked = 0;
let counting = 0;

const first = JSON.parse(part("first-page").textContent);
list.page(first.conversations, first.more, false);
filters.count(first.counts);
showMore(first.more);
const line = new Line({ open: greet, frame: hear, state: showLine });

// ---------------------------------------------------------------- the socket

function greet() {
  notify.hush();
  line.send({ type: "hello", recent: 0 });
  askForList();
  line.send({ type: "replies" });
  if (current) watch(current);
  composer.again();
}

function hear(frame) {
  const hears = {
    conversation, message, history, ack, error: problem, list: page, counts: ({ counts }) => filters.count(counts), rights: know,
    person: card, replies: (frame) => replies.set(frame.replies), typing: (frame) => presence.typing(frame), present: (frame) => presence.present(frame),
    colleagues: ({ colleagues }) => dialogs.assign(colleagues, me),
  };
  hears[frame.type]?.(frame);
}

function know(frame) {
  rights = frame;
  showHead();
}

function may(role) {
  const frame = list.get(current);
  const mine = (frame && rights.bots[frame.bot]) ?? rights.general;
  return ROLES.indexOf(mine) >= ROLES.indexOf(role);
}

function askForList(before = "") {
  asked += 1;
  line?.send({ type: "list", id: `${asked}${before ? "+" : ""}`, before, ...filters.wanted });
}

function page({ id, conversations, more, counts }) {
  if (Number.parseInt(id, 10) !== asked) return; // Something else was asked for meanwhile.
  list.page(conversations, more, id.endsWith("+"));
  filters.count(counts);
  showMore(more);
  showHead();
}

function conversation(frame) {
  const before = list.show(frame);
  if (before?.state !== frame.state) countSoon();
  tell(frame, before);
  showEmpty();
  if (frame.conversation !== current) return;
  showHead();
  if (before && before.banned !== frame.banned) line.send({ type: "person", conversation: current });
}

function tell(frame, before) {
  const name = nameOf(frame);
  const mine = frame.holder === me && before && frame.seq > before.seq;
  if (frame.state === "waiting" && before?.state !== "waiting") notify.tell(frame.conversation, `${name} waits for a human.`, go);
  else if (mine && (frame.conversation !== current || document.hidden) && list.unread(frame.conversation)) notify.tell(frame.conversation, `${name} has answered you.`, go);
}

function countSoon() {
  if (counting) return;
  counting = setTimeout(() => {
    counting = 0;
    line.send({ type: "counts" });
  }, COUNT_EVERY);
}

function message(frame) {
  const transcript = transcriptOf(frame.conversation);
  const isFirst = !transcript.items.length;
  presence.said(frame);
  if (!transcript.add(frame) || frame.conversation !== current) return;
  if (isFirst) showRows(transcript);
  if (frame.kind === "note" && frame.from === "operator") line.send({ type: "person", conversation: current });
  if (follows) toBottom();
}

function history(frame) {
  const transcript = transcriptOf(frame.conversation);
  const box = part("transcript");
  const isFirst = !transcript.loaded;
  const height = box.scrollHeight - box.scrollTop;
  transcript.history(frame);
  if (frame.conversation !== current) return;
  showRows(transcript);
  if (isFirst || follows) toBottom();
  else box.scrollTop = box.scrollHeight - height;
}

function ack({ id }) {
  composer.stored(id);
  notice("");
}

function problem({ code, detail, id, conversation }) {
  const words = composer.refused(id);
  if (code === "stale" && words) stale(words);
  else if (conversation === undefined || conversation === current) notice(code === "held" && detail ? detail : (ERRORS[code] ?? detail ?? code));
}

// What somebody else has said meanwhile is shown with the choice.
function stale({ conversation }) {
  line.send({ type: "watch", conversation, since: transcriptOf(conversation).rev });
  notice("Somebody answered meanwhile. Read it first: your text is still in the field below.",
    button("Send mine as well", () => (notice(""), composer.submit())),
    button("Discard mine", () => (notice(""), composer.write(""))));
}

function watch(uuid) {
  const transcript = transcriptOf(uuid);
  line.send({ type: "watch", conversation: uuid, since: transcript.loaded ? transcript.rev : 0, recent: RECENT });
  line.send({ type: "person", conversation: uuid });
}

// `seen` is what was on screen when the words were written, also where the line was lost in between.
function say(words) {
  words.seen ??= transcriptOf(words.conversation).seen;
  line.send(words);
}

// ---------------------------------------------------------------- the page

function transcriptOf(uuid) {
  if (!transcripts.has(uuid)) transcripts.set(uuid, new Transcript(mend));
  return transcripts.get(uuid);
}

function go(uuid) {
  if (location.hash.slice(1) === uuid) open(uuid);
  else location.hash = uuid;
}

function open(uuid) {
  if (current && current !== uuid) line.send({ type: "unwatch", conversation: current });
  current = uuid || null;
  rooms.dataset.view = current ? "talk" : "list";
  part("talk-empty").hidden = Boolean(current);
  notice("");
  list.choose(current);
  composer.turnTo(current);
  presence.turnTo(current);
  person.clear();
  showRows(current ? transcriptOf(current) : new Transcript(mend));
  if (current) watch(current);
  showHead();
  follows = true;
  toBottom();
}

function showRows(transcript) {
  part("rows").replaceChildren(...transcript.items);
  part("older").hidden = !transcript.more;
}

function showHead() {
  const frame = list.get(current);
  const mine = frame?.state === "held" && frame.holder === me;
  const answers = may("answer");
  replies.bot = frame?.bot ?? "";
  part("head").hidden = !current;
  part("name").textContent = frame ? nameOf(frame) : "…";
  part("about").textContent = frame ? `${frame.protocol} · ${frame.bot} · ${chipText(frame, me)}` : "";
  part("take").hidden = !frame || frame.state === "held" || !answers;
  part("release").hidden = !mine;
  part("assign").hidden = !frame || !(mine || may("lead") || (answers && frame.state !== "held"));
  part("close").hidden = !frame || frame.state === "ended" || !(may("lead") || (answers && (mine || frame.state !== "held")));
  composer.enable(mine && answers, mine ? "Write an answer. The bot is silent. / for ready replies" : hintFor(frame), answers);
  if (mine && wantsToWrite) composer.focus();
  if (mine) wantsToWrite = false;
  showEmpty();
}

function hintFor(frame) {
  if (!may("answer")) return "You may read here.";
  return frame?.state === "held" ? `${frame.holder} has this conversation.` : "Take over to answer.";
}

function showMore(more) {
  part("more").hidden = !more;
  showEmpty();
}

function showEmpty() {
  const waiting = Number.parseInt(part("counts").querySelector('[data-state="waiting"] b').textContent, 10) || 0;
  notify.title(waiting);
  part("list-empty").hidden = part("list").childElementCount > 0;
  part("list-empty").firstElementChild.textContent = filters.isOn ? "Nothing fits." : "No conversation yet. The first word of a visitor shows up here by itself.";
  part("clear").hidden = !filters.isOn;
}

function card(frame) {
  if (frame.conversation === current) person.show(frame);
}

function showLine(state) {
  part("line").textContent = LINE[state];
  part("line").dataset.state = state;
}

function notice(text, ...choices) {
  part("notice").replaceChildren(...(text ? [make("span", {}, text), ...choices] : []));
  part("notice").hidden = !text;
}

function isAtBottom() {
  const { scrollHeight, scrollTop, clientHeight } = part("transcript");
  return scrollHeight - scrollTop - clientHeight < 80;
}

function toBottom() {
  part("transcript").scrollTop = part("transcript").scrollHeight;
}

function mend(choice, { conversation, row }) {
  notice("");
  if (!line.send({ type: choice, conversation, row })) notice(NO_LINE);
}

function ask(type, more = {}) {
  notice("");
  wantsToWrite = type === "take";
  if (!line.send({ type, conversation: current, ...more })) notice(NO_LINE);
}

function older() {
  const { oldest } = transcriptOf(current);
  if (oldest) line.send({ type: "history", conversation: current, before: oldest });
}

function togglePerson() {
  rooms.dataset.person = rooms.dataset.person === "shown" ? "" : "shown";
  part("show-person").setAttribute("aria-expanded", String(rooms.dataset.person === "shown"));
}

function press(id) {
  if (!part(id).hidden) part(id).click();
}

// Keys of this page. Those of every page are in console_keys.js.
const KEYS = {
  j: () => list.walk(1),
  k: () => list.walk(-1),
  "/": () => filters.focus(),
  t: () => press("take"),
  h: () => press("release"),
  a: () => press("assign"),
  x: () => press("close"),
  n: () => current && composer.turnInto("note", true),
  r: () => current && composer.turnInto("say", true),
  p: () => current && togglePerson(),
  Escape: () => rooms.dataset.person === "shown" && togglePerson(),
};

addEventListener("keydown", (event) => {
  if (event.key === "Escape" && isTyping(event) && !event.defaultPrevented) event.target.blur();
  if (isTyping(event) || !isPlain(event) || document.querySelector("dialog[open]")) return;
  const act = KEYS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

// Who reads the end keeps reading it, also where a notice or a growing field takes some of the room.
part("transcript").addEventListener("scroll", () => (follows = isAtBottom()));
new ResizeObserver(() => follows && toBottom()).observe(part("transcript"));
for (const act of ["take", "release"]) part(act).addEventListener("click", () => ask(act));
part("assign").addEventListener("click", () => ask("colleagues"));
part("close").addEventListener("click", () => dialogs.close(() => ask("close")));
part("back").addEventListener("click", () => go(""));
part("older").addEventListener("click", older);
part("more").addEventListener("click", () => askForList(list.last));
for (const chosen of part("export").elements.kind) chosen.addEventListener("click", () => (chosen.formAction = `/console/conversations/${current}/export/${chosen.value}/`));
part("clear").addEventListener("click", () => filters.clear());
part("show-person").addEventListener("click", togglePerson);
addEventListener("hashchange", () => open(location.hash.slice(1)));
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && list.choose(current));
open(location.hash.slice(1));
