const STYLE = `
:host {
  --sunken: light-dark(#f1f3f9, #252938); --human: light-dark(#e0f4ec, #17382d); --human-ink: light-dark(#0d6a4b, #6fdcb1);
  --bad: light-dark(#bb2d3b, #ff8b96); --good: light-dark(#1f9d72, #58d3a5); --warm: light-dark(#b06a08, #f0b45c);
  --radius: var(--switchboard-radius, 18px);
}
textarea, input { font: inherit; color: inherit; margin: 0; }
.panel {
  position: absolute; bottom: 74px; inset-inline-end: 0; width: 392px; height: min(640px, calc(100dvh - 116px)); overflow: hidden; background: var(--ground);
  color: var(--ink); border: 1px solid var(--edge); border-radius: calc(var(--radius) + 2px); box-shadow: 0 28px 70px -24px rgb(15 20 50 / .5);
  animation: rise .18s ease-out; outline: 0;
}
.inside { display: flex; flex-direction: column; height: 100%; }
header { display: flex; align-items: center; gap: 12px; padding: 14px 12px 13px 20px; border-bottom: 1px solid var(--edge); }
[dir=rtl] header { padding: 14px 20px 13px 12px; }
[dir=rtl] .end svg { scale: -1 1; }
header > div:first-child { flex: 1; min-width: 0; }
h2 { margin: 0; font-size: 17px; font-weight: 650; letter-spacing: -.01em; line-height: 1.3; }
.status { margin: 1px 0 0; font-size: 13px; line-height: 1.35; color: var(--soft); }
.status::before { content: ""; display: inline-block; width: 8px; height: 8px; margin-inline-end: 7px; border-radius: 50%; background: var(--warm); }
.status[data-state=online]::before { background: var(--good); }
.status[data-state=refused]::before { background: var(--bad); }
.status:empty { display: none; }
.actions { display: flex; }
.actions button { width: 40px; height: 40px; padding: 8px; border-radius: 12px; color: var(--soft); }
.actions button:hover { background: var(--sunken); color: var(--ink); }
.scroll { position: relative; flex: 1; min-height: 0; overflow-y: auto; overscroll-behavior: contain; padding: 16px 16px 14px; display: flex; flex-direction: column; }
.list { display: flex; flex-direction: column; gap: 3px; }
.hint { display: none; margin: auto; max-width: 28ch; text-align: center; color: var(--soft); text-wrap: balance; }
.hint:lang(ko) { word-break: keep-all; }
.hint::before { content: "✦" / ""; display: block; width: 52px; margin: 0 auto 14px; border-radius: 50%; background: var(--sunken); color: var(--accent); font-size: 24px; line-height: 52px; }
.list:empty + .hint { display: block; }
.inside:has(.list:empty) .end { display: none; }
.earlier, .newer { align-self: center; padding: 5px 14px; border-radius: 16px; font-size: 13px; font-weight: 550; background: var(--sunken); }
.earlier { margin-bottom: 10px; color: var(--soft); }
.message { position: relative; display: flex; flex-direction: column; align-items: flex-start; --start: 36px; --after: 36px; padding-inline: var(--start) var(--after); border-radius: 8px; }
.message.first:not(:first-child) { margin-top: 12px; }
.message[data-day]::before { content: attr(data-day); align-self: stretch; margin: 6px 0 14px; margin-inline: calc(-1 * var(--start)) calc(-1 * var(--after)); text-align: center; font-size: 12px; font-weight: 550; color: var(--soft); }
.message::after { position: absolute; bottom: 0; inset-inline-start: 0; width: 27px; height: 27px; border-radius: 50%; font-size: 13px; line-height: 27px; text-align: center; font-weight: 600; }
.last:not(.visitor, .system)::after { content: attr(data-mark); content: attr(data-mark) / ""; background: var(--sunken); color: var(--soft); }
.bot.last::after { background: var(--accent); color: var(--accent-ink); }
.operator.last::after { background: var(--human); color: var(--human-ink); }
.last:not(.visitor, .system):has(> .meta:not(:empty))::after { bottom: 19px; }
.name { display: none; margin: 0 12px 3px; font-size: 12.5px; font-weight: 600; color: var(--soft); overflow-wrap: anywhere; }
.first > .name { display: block; }
.bubble {
  --top: 6px; --end: 6px; max-width: 100%; padding: 9px 14px; border-radius: var(--top) var(--radius) var(--radius) var(--end); background: var(--sunken);
  white-space: pre-wrap; overflow-wrap: anywhere;
}
.first > .bubble { --top: var(--radius); }
.last > .bubble { --end: var(--radius); }
.visitor > .bubble, [dir=rtl] .message:not(.visitor) > .bubble { border-radius: var(--radius) var(--top) var(--end) var(--radius); }
[dir=rtl] .visitor > .bubble { border-radius: var(--top) var(--radius) var(--radius) var(--end); }
a { color: inherit; text-underline-offset: 2px; }
.meta { display: none; margin: 2px 12px 0; font-size: 12px; line-height: 17px; color: var(--soft); }
.last > .meta, .message:has(+ .later) > .meta, [data-state=sending] > .meta, [data-state=failed] > .meta { display: block; }
.visitor { align-items: flex-end; --start: 54px; --after: 0px; }
.visitor > .name, .system > .name, .quiet { position: absolute; clip-path: inset(50%); width: 1px; height: 1px; overflow: hidden; white-space: nowrap; }
.visitor > .meta { text-align: end; }
.visitor > .bubble { background: var(--accent); color: var(--accent-ink); }
.visitor[data-state=sent] > .meta::after { content: " ✓" / ""; }
.operator > .bubble { background: var(--human); }
.operator > .name { color: var(--human-ink); }
.system { align-items: center; text-align: center; margin-block: 8px; --start: 24px; --after: 24px; }
.system > .bubble { background: none; padding: 2px 12px; font-size: 13px; color: var(--soft); }
.system > .meta { display: none !important; }
[data-state=failed] > .bubble { background: none; color: var(--ink); box-shadow: inset 0 0 0 1.5px var(--bad); }
[data-state=failed] > .meta { color: var(--bad); }
.mend { min-height: 24px; padding: 2px 4px; font-weight: 600; color: var(--accent); text-decoration: underline; }
.chips { display: flex; flex-direction: column; gap: 6px; margin-top: 7px; max-width: 100%; }
.row { display: flex; flex-wrap: wrap; gap: 6px; }
.chip { padding: 6px 14px; border: 1.5px solid var(--accent); border-radius: 17px; color: var(--accent); font-size: 14px; font-weight: 550; text-align: start; overflow-wrap: anywhere; }
.chip:hover:enabled { background: var(--accent); color: var(--accent-ink); }
.chip:disabled { border-color: var(--edge); color: var(--soft); cursor: default; }
.typing { display: flex; align-items: center; gap: 5px; width: max-content; max-width: 90%; margin: 10px 0 0 36px; padding: 11px 16px; border-radius: var(--radius); background: var(--sunken); }
[dir=rtl] .typing { margin: 10px 36px 0 0; }
.typing span { margin-inline-start: 4px; font-size: 13px; color: var(--soft); }
.typing i { width: 6px; height: 6px; border-radius: 50%; background: var(--soft); animation: blink 1.2s infinite both; }
.typing i:nth-child(2) { animation-delay: .2s; }
.typing i:nth-child(3) { animation-delay: .4s; }
@keyframes blink { 0%, 80%, 100% { opacity: .3; } 40% { opacity: 1; } }
.foot { position: relative; }
.newer { position: absolute; bottom: 100%; inset-inline-start: 50%; translate: -50% -8px; background: var(--ink); color: var(--ground); box-shadow: 0 6px 18px -8px rgb(15 20 50 / .6); }
.newer:dir(rtl) { translate: 50% -8px; }
form { display: flex; align-items: flex-end; gap: 8px; margin: 0; padding: 10px 12px max(12px, env(safe-area-inset-bottom)); }
textarea {
  flex: 1; min-width: 0; max-height: 132px; padding: 10px 14px; border: 1px solid light-dark(#868fa6, #6b7390); border-radius: 21px; background: var(--ground);
  resize: none; overflow-y: auto; font-size: 16px; line-height: 20px;
}
textarea:focus { border-color: var(--accent); outline: 1px solid var(--accent); outline-offset: -2px; }
textarea::placeholder { color: var(--soft); opacity: 1; }
.send { flex: none; width: 42px; height: 42px; padding: 9px; border-radius: 50%; background: var(--accent); color: var(--accent-ink); }
.send:hover { filter: brightness(1.08); }
:host([full]) { position: relative; inset: auto; display: block; height: 100%; z-index: auto; }
:host([full]) .panel { position: absolute; inset: var(--top, 0) 0 var(--below, 0); width: auto; height: auto; border: 0; border-radius: 0; box-shadow: none; animation: none; }
:host([full]) :is(.launcher, .preview, .close) { display: none; }
:host([full]) :is(.list, .foot, header) { width: 100%; max-width: 760px; margin-inline: auto; }
:host([full]) header { padding-inline: clamp(0px, (784px - 100%) * 99, 20px); }
:host([full]) .foot > form { padding-inline: clamp(0px, (760px - 100%) * 99, 12px); }
:host([full]) .typing { margin-inline: max(36px, 50% - 344px); }
@media (max-width: 480px), (max-height: 440px) {
  :host(:not([full])) .panel { position: fixed; inset: var(--top, 0) 0 auto; width: auto; height: var(--height, 100dvh); border: 0; border-radius: 0; }
  .launcher[aria-expanded=true] { display: none; }
}
@media (forced-colors: active) { .bubble, .launcher, .send { border: 1px solid; } }
`;

let shared;
/** The panel's style, beside the button's own: a constructed sheet is no inline style. */
export function sheet() {
  if (!shared) {
    shared = new CSSStyleSheet();
    shared.replaceSync(STYLE);
  }
  return shared;
}
