// Follows the link: reloads the page when it stands differently than shown, as after a verification on the phone.
(() => {
  const { state, version } = document.currentScript.dataset;
  const EVERY_MS = 1_000;
  const AT_MOST_MS = 30_000;
  let pauseMs = EVERY_MS;
  // While the button's answer is on its way, a reload would cancel it.
  let pressedAt = -Infinity;
  const isLeaving = () => performance.now() - pressedAt < AT_MOST_MS;
  addEventListener("submit", () => {
    pressedAt = performance.now();
  });
  // Back from the vendor's page, and the browser had kept this one.
  addEventListener("pageshow", () => {
    pressedAt = -Infinity;
  });

  async function look() {
    if (document.visibilityState === "hidden" || isLeaving()) return;
    const response = await fetch(state, { cache: "no-store", headers: { accept: "application/json" } });
    if (!response.ok) throw new Error(`status ${response.status}`);
    const now = await response.json();
    if (now.version !== version && !isLeaving()) location.reload();
  }

  async function follow() {
    try {
      await look();
      pauseMs = EVERY_MS;
    } catch {
      pauseMs = Math.min(pauseMs * 2, AT_MOST_MS);
    }
    setTimeout(follow, pauseMs);
  }

  setTimeout(follow, pauseMs);
})();
