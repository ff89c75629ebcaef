import { byId } from "./dom.js";
import { call } from "./http.js";
import { startLanguages, t } from "./language.js";

/** The page of a phone that is not paired yet: the code comes with the QR code's link, or by hand. */
startLanguages();
const linked = location.hash.replace(/^#/, "");

async function pair(code) {
  const { status, answer } = await call("/pair", { method: "POST", json: { code } });
  const paired = status === 200;
  byId("pair").hidden = paired;
  byId("paired").hidden = !paired;
  byId("pair-fault").textContent = paired ? "" : t(status === 0 ? "no_answer" : "pair_wrong");
  if (!paired) return byId("code").focus();
  byId("base-url").textContent = answer.base_url;
  return byId("paired-title").focus();
}

byId("pair").addEventListener("submit", (event) => {
  event.preventDefault();
  void pair(byId("code").value.replaceAll(/\D/g, ""));
});
if (linked) {
  history.replaceState(undefined, "", location.pathname);
  await pair(linked);
}
document.documentElement.dataset.ready = "";
