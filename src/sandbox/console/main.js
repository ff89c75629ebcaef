import { createCache } from "./cache.js";
import { createControls } from "./controls.js";
import { call } from "./dom.js";
import { onLanguage, startLanguages } from "./texts.js";
import { createWalk } from "./walk.js";

/** How often the picture is taken, milliseconds. */
const PICTURE_MS = 1000;

let picture;
let pictureAt = 0;

/** Sandbox time now: that of the last picture, and what has passed since. */
const sandboxNow = () => (picture ? picture.now + (performance.now() - pictureAt) : Date.now());

const [{ answer: catalogue }, { answer: book }] = await Promise.all([
  call("/sandbox/scenarios"),
  call("/sandbox/rules"),
]);
const cache = createCache(sandboxNow);
const walk = createWalk({ scenarios: catalogue.scenarios ?? [], sandboxNow, changed: () => look() });
const controls = createControls({ rules: book.rules ?? {}, changed: () => look() });

async function look() {
  const [seen, backend] = await Promise.all([call("/sandbox/picture"), call("/sandbox/backend")]);
  if (seen.status !== 200) return cache.lost();
  picture = seen.answer;
  pictureAt = performance.now();
  show(backend.answer);
}

let lastBackend = {};
function show(backend = lastBackend) {
  lastBackend = backend;
  if (!picture) return;
  cache.show(picture, backend);
  controls.show(picture, backend);
  walk.show(backend);
}

startLanguages();
onLanguage(() => show());
await look();
document.documentElement.dataset.ready = "";
setInterval(() => {
  if (!document.hidden) void look();
}, PICTURE_MS);
setInterval(() => walk.tick(), 250);
