// The operators' console: list and transcript, live, over /ws/chat/admin/.

import { Composer } from "./console_composer.js";
import { chipText, List } from "./console_list.js";
import { Line } from "./console_line.js";
import { Transcript } from "./console_transcript.js";

const part = (id) => document.getElementById(id);
const rooms = part("rooms");
const me = rooms.dataset.operator;

const LINE = { connecting: "Connecting…", online: "Live", waiting: "No connection. Trying again…" };
const ERRORS = {
  held: "Somebody else has this conversation.",
  stale: "Somebody answered meanwhile. Read it first: your text is still in the field below.",
  not_holder: "You do not hold this conversation any more. Take it over to answer.",
  not_ready: "The gateway is starting or stopping. Please try again in a moment.",
  unknown_conversation: "This conversation does not exist.",
  unknown_row: "This message does not exist.",
};

const transcripts = new Map();
const list = new List({ list: part("list"), count: part("count"), empty: part("list-empty"), me }, go);
const composer = new Composer(part("composer"), part("text"), say);
let current = null;
let wantsToWrite = false;
let follows = true;
const line = new Line({ open: greet, frame: hear, state: showLine });

// ---------------------------------------------------------------- the socket

function greet() {
  line.send({ type: "hello" });
  if (current) watch(current);
  composer.again();
}

function hear(frame) {
  const hears = { conversation: conversation, message: message, ack: ack, error: problem };
  hears[frame.type]?.(frame);
}

function conversation(frame) {
  list.show(frame);
  if (frame.conversation === current) showHead();
}

function message(frame) {
  const transcript = transcriptOf(frame.conversation);
  if (!transcript.add(frame) || frame.conversation !== current) return;
  if (transcript.items.length === 1) part("transcript").replaceChildren(...transcript.items);
  if (follows) toBottom();
}

function ack({ id }) {
  composer.stored(id);
  notice("");
}

function problem({ code, detail, id }) {
  composer.refused(id);
  notice(code === "held" && detail ? detail : (ERRORS[code] ?? detail ?? code));
}

function watch(uuid) {
  line.send({ type: "watch", conversation: uuid, since: transcriptOf(uuid).rev });
}

// `seen` is what was on screen when the words were written, also where the line was lost in between.
function say(words) {
  words.seen ??= transcriptOf(words.conversation).seen;
  line.send({ type: "say", ...words });
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
  current = uuid || null;
  rooms.dataset.view = current ? "talk" : "list";
  part("talk-empty").hidden = Boolean(current);
  notice("");
  list.choose(current);
  composer.turnTo(current);
  part("transcript").replaceChildren(...(current ? transcriptOf(current).items : []));
  if (current) watch(current);
  showHead();
  follows = true;
  toBottom();
}

function showHead() {
  const frame = list.get(current);
  const mine = frame?.state === "held" && frame.holder === me;
  part("head").hidden = !current;
  part("name").textContent = frame?.name || (frame ? "Visitor" : "…");
  part("about").textContent = frame ? `${frame.protocol} · ${frame.bot} · ${chipText(frame, me)}` : "";
  part("take").hidden = !frame || frame.state === "held";
  part("release").hidden = !mine;
  composer.enable(mine, mine ? "Write an answer…" : hintFor(frame));
  if (mine && wantsToWrite) composer.focus();
  if (mine) wantsToWrite = false;
}

function hintFor(frame) {
  return frame?.state === "held" ? `${frame.holder} has this conversation.` : "Take the conversation over to answer.";
}

function showLine(state) {
  part("line").textContent = LINE[state];
  part("line").dataset.state = state;
}

function notice(text) {
  part("notice").textContent = text;
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
  if (!line.send({ type: choice, conversation, row })) notice("There is no connection just now. Please try again.");
}

function ask(type) {
  notice("");
  wantsToWrite = type === "take";
  if (!line.send({ type, conversation: current })) notice("There is no connection just now. Please try again.");
}

// Who reads the end keeps reading it, also where a notice or a growing field takes some of the room.
part("transcript").addEventListener("scroll", () => (follows = isAtBottom()));
new ResizeObserver(() => follows && toBottom()).observe(part("transcript"));
part("take").addEventListener("click", () => ask("take"));
part("release").addEventListener("click", () => ask("release"));
part("back").addEventListener("click", () => go(""));
addEventListener("hashchange", () => open(location.hash.slice(1)));
document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && list.choose(current));
open(location.hash.slice(1));
