const STYLE = `
.bubble :is(p, pre, ul, blockquote) { margin: 4px 0; }
.bubble ul { padding-inline-start: 20px; white-space: normal; }
.bubble :is(code, pre) { font: 13px/1.5 ui-monospace, "SF Mono", Consolas, monospace; }
.bubble code { padding: 1px 5px; border-radius: 5px; background: color-mix(in srgb, currentColor 10%, transparent); }
.bubble pre { padding: 9px 12px; border-radius: 10px; background: color-mix(in srgb, currentColor 10%, transparent); white-space: pre-wrap; }
.bubble pre code { padding: 0; background: none; }
.bubble blockquote { padding-inline-start: 10px; border-inline-start: 3px solid color-mix(in srgb, currentColor 35%, transparent); }
.files { display: flex; flex-direction: column; align-items: inherit; gap: 4px; max-width: 100%; }
.bubble + .files { margin-top: 4px; }
.files a { border-radius: 14px; }
.files img { display: block; max-width: 100%; height: auto; max-height: 300px; object-fit: cover; border-radius: 14px; background: var(--sunken); }
.file { display: flex; align-items: center; gap: 10px; max-width: 100%; padding: 9px 14px 9px 10px; border: 1px solid var(--edge); border-radius: 14px; text-decoration: none; font-size: 14px; }
.file svg { flex: none; color: var(--accent); }
.file span { min-width: 0; overflow-wrap: anywhere; }
.file small { display: block; font-size: 12px; color: var(--soft); }
.attach { flex: none; width: 42px; height: 42px; padding: 9px; border-radius: 50%; color: var(--soft); }
.attach:hover { background: var(--sunken); color: var(--ink); }
.tray { display: flex; flex-wrap: wrap; gap: 6px; padding: 8px 14px 0; }
.tray:empty { display: none; }
.waiting { position: relative; display: flex; align-items: center; gap: 8px; max-width: 100%; padding: 5px 6px 5px 12px; overflow: hidden; border-radius: 12px; background: var(--sunken); font-size: 13px; }
.waiting bdi { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.waiting.bad { box-shadow: inset 0 0 0 1.5px var(--bad); color: var(--bad); }
.waiting.bad bdi { white-space: normal; }
.waiting button { flex: none; width: 28px; height: 28px; padding: 5px; border-radius: 8px; }
.waiting svg { width: 18px; height: 18px; }
.waiting progress { position: absolute; inset: auto 0 0; width: 100%; height: 3px; border: 0; appearance: none; background: none; accent-color: var(--accent); }
.waiting progress::-webkit-progress-bar { background: none; }
.waiting progress::-webkit-progress-value { background: var(--accent); }
.drop .scroll { outline: 2px dashed var(--accent); outline-offset: -8px; }
form.ask { display: flex; flex-direction: column; align-items: stretch; gap: 12px; margin: auto 0; padding: 6px 4px; }
.ask > p, .card p { margin: 0; }
.ask label { display: flex; flex-direction: column; gap: 5px; font-size: 13.5px; font-weight: 550; }
.ask :is(input, textarea), .card textarea { padding: 9px 12px; border: 1px solid light-dark(#868fa6, #6b7390); border-radius: 12px; background: var(--ground); font-size: 16px; font-weight: 400; }
.ask textarea { min-height: 92px; flex: none; }
.ask :is(input, textarea):focus { border-color: var(--accent); outline: 1px solid var(--accent); outline-offset: -2px; }
.ask [aria-invalid=true] { border-color: var(--bad); }
.ask em { font-style: normal; font-weight: 400; color: var(--bad); }
.ask em:empty { display: none; }
.primary, .plain { min-height: 40px; padding: 8px 18px; border-radius: 20px; font-weight: 600; }
.primary { background: var(--accent); color: var(--accent-ink); }
.plain { background: var(--sunken); }
.card { display: flex; flex-direction: column; align-items: center; gap: 10px; padding: 14px 18px 8px; border-top: 1px solid var(--edge); text-align: center; }
.card div { display: flex; flex-wrap: wrap; justify-content: center; gap: 8px; }
.card form { flex-direction: column; align-items: center; padding: 0; width: 100%; }
.card textarea { align-self: stretch; border-radius: 12px; }
.stars { display: flex; margin: 0; padding: 0; border: 0; flex-direction: row; }
.stars legend { margin: 0 auto 4px; padding: 0; }
.stars label { position: relative; padding: 4px; color: var(--soft); cursor: pointer; }
.stars input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: pointer; }
.stars svg { width: 32px; height: 32px; stroke-width: 1.6; }
.stars label:has(input:checked), .stars label:has(~ label > input:checked) { color: var(--warm); }
.stars label:has(input:checked) svg, .stars label:has(~ label > input:checked) svg { fill: currentColor; }
.stars label:has(:focus-visible) { outline: 2px solid var(--accent); border-radius: 10px; }
`;

let shared;
/** Gives `root` the style of what comes later: rich text, files, forms, the end. */
export function dress(root) {
  if (!shared) {
    shared = new CSSStyleSheet();
    shared.replaceSync(STYLE);
  }
  if (!root.adoptedStyleSheets.includes(shared)) root.adoptedStyleSheets = [...root.adoptedStyleSheets, shared];
}
