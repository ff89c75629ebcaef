import { createCache } from "./cache.js";
import { createControls } from "./controls.js";
import { call } from "./dom.js";
import { createOrders } from "./orders.js";
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
const orders = createOrders({ sandboxNow, changed: () => look() });
const controls = createControls({ rules: book.rules ?? {}, changed: () => look() });

async function look() {
  const [seen, backend, ledger, receiver] = await Promise.all(
    ["/sandbox/picture", "/sandbox/backend", "/sandbox/backend/orders", "/sandbox/receiver"].map((path) =>
      call(path),
    ),
  );
  if (seen.status !== 200) return cache.lost();
  picture = seen.answer;
  pictureAt = performance.now();
  show([backend.answer, ledger.answer, receiver.answer]);
}

let latest = [{}, {}, {}];
function show(answers = latest) {
  latest = answers;
  const [backend, ledger, receiver] = answers;
  if (!picture) return;
  cache.show(picture, backend);
  controls.show(picture, backend);
  walk.show(backend);
  orders.show(ledger, receiver);
}

startLanguages();
onLanguage(() => show());
await look();
document.documentElement.dataset.ready = "";
setInterval(() => {
  if (!document.hidden) void look();
}, PICTURE_MS);
setInterval(() => walk.tick(), 250);
