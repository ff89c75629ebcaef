import { busy, byId, make, replace } from "./dom.js";
import { call } from "./http.js";
import { t } from "./language.js";

/** How often the code is looked at while the dialog is open: one that was used is replaced. */
const LOOK_MS = 1500;

/** The dialog that lets a phone in. */
export function createPhone() {
  const dialog = byId("phone-dialog");
  let shownCode;

  async function look(method = "GET") {
    const { answer } = await call("/sandbox/pairing", { method, ...(method === "POST" && { json: {} }) });
    const { open = false, link, code } = answer;
    byId("phone-closed").hidden = open;
    byId("phone-open").hidden = !open;
    if (!open || code === shownCode) return;
    shownCode = code;
    // A code only once: its picture must not come from the browser's cache.
    const qr =
      code &&
      make("img", { src: `/sandbox/pairing/qr.svg?${code}`, alt: t("phone_qr"), width: 220, height: 220 });
    replace(byId("phone-qr"), qr);
    byId("phone-link").textContent = link ? link.replace(/#.*/, "") : t("phone_ended");
    byId("phone-code").textContent = code ?? "–";
  }

  byId("phone").addEventListener("click", async () => {
    shownCode = undefined;
    await look();
    dialog.showModal();
  });
  byId("phone-renew").addEventListener("click", ({ currentTarget }) =>
    busy(currentTarget, () => look("POST")),
  );
  byId("phone-close").addEventListener("click", () => dialog.close());
  setInterval(() => dialog.open && look(), LOOK_MS);
}
