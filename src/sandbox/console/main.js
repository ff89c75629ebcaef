import { createAttempts } from "./attempts.js";
import { createBreaches } from "./breaches.js";
import { createCalls } from "./calls.js";
import { createControls } from "./controls.js";
import { call } from "./http.js";
import { createInspector } from "./inspector.js";
import { onLanguage, startLanguages } from "./language.js";
import { createOrders } from "./orders.js";
import { createPerson } from "./person.js";
import { createPhone } from "./phone.js";
import { createRun } from "./run.js";
import { createSession } from "./session.js";
import { createVendor } from "./vendor.js";

/** How often the picture is taken, milliseconds. */
const PICTURE_MS = 1000;
const PATHS = ["picture", "backend", "backend/orders", "receiver", "attempts"];

let picture;
let pictureAt = 0;

/** Sandbox time now: that of the last picture, and what has passed since. */
const sandboxNow = () => (picture ? picture.now + (performance.now() - pictureAt) : Date.now());

const [{ answer: catalogue }, { answer: book }] = await Promise.all([
  call("/sandbox/scenarios"),
  call("/sandbox/rules"),
]);
const [scenarios, rules] = [catalogue.scenarios ?? [], book.rules ?? {}];

const open = (id, options) => inspector.open(id, options);
const vendor = createVendor({ sandboxNow, open });
const attempts = createAttempts({ scenarios, open });
const inspector = createInspector({
  rules,
  behind: (id) => attempts.behind(id),
  opened(id) {
    vendor.choose(id);
    attempts.reveal(id);
  },
});
const breaches = createBreaches({ rules, open });
const calls = createCalls({ open });
const controls = createControls({ changed: look });
const orders = createOrders({ sandboxNow, changed: look });
const person = createPerson({ scenarios });
const run = createRun({ person, sandboxNow, changed: look });
const session = createSession({ person, run, attempts, inspector, changed: look });
createPhone();

/** Counts the looks that have begun, and the latest that was shown. */
let looks = 0;
let shownLook = 0;
/** Backend, ledger, receiver and attempts. */
let latest = [{}, {}, {}, {}];

/** Looks at everything again. `newest`: an attempt has come further, and its latest step is opened. */
async function look(newest) {
  looks += 1;
  const mine = looks;
  const [seen, ...rest] = await Promise.all(PATHS.map((path) => call(`/sandbox/${path}`)));
  if (seen.status !== 200) return vendor.lost();
  // A later look has answered already.
  if (mine < shownLook) return undefined;
  shownLook = mine;
  picture = seen.answer;
  pictureAt = performance.now();
  latest = rest.map(({ answer }) => answer);
  show();
  if (newest) attempts.newest();
  return inspector.refresh();
}

function show() {
  if (!picture) return;
  const [backend, ledger, receiver, { attempts: list }] = latest;
  vendor.show(picture, backend);
  attempts.show(list, picture);
  breaches.show(picture);
  calls.show(picture);
  controls.show(picture, backend);
  run.show(backend);
  orders.show(ledger, receiver, picture);
  session.show(picture);
}

onLanguage(show);
startLanguages();
await look();
await session.follow();
document.documentElement.dataset.ready = "";
setInterval(() => {
  if (!document.hidden) void look();
}, PICTURE_MS);
setInterval(() => run.tick(), 250);
