import { say } from "./controls.js";
import { busy, byId } from "./dom.js";
import { call } from "./http.js";
import { copy } from "./inspector.js";
import { t } from "./language.js";
import { linkHash, readLink } from "./link.js";

/** What begins and ends a session: the link that brings it, repeating an attempt, and the reset. */
export function createSession({ person, run, attempts, inspector, changed }) {
  let picture = { faults: [], latencyMs: 0 };

  /** Faults in the link replace those that are planned, so that it may be opened twice. */
  async function follow() {
    const link = readLink(location.hash);
    if (!link) return;
    history.replaceState(undefined, "", location.pathname);
    person.set({ scenario: link.scenario, outcome: link.outcome ?? "" });
    const refused = [];
    const post = async (path, json, method = "POST") => {
      const { status, answer } = await call(path, { method, json });
      if (status !== 200) refused.push(answer.msg ?? t("no_answer"));
    };
    if (link.faults.length > 0) await post("/sandbox/faults", {}, "DELETE");
    for (const fault of link.faults) await post("/sandbox/faults", fault);
    if (link.latencyMs !== undefined) await post("/sandbox/latency", { latency_ms: link.latencyMs });
    say(
      refused.length > 0
        ? t("said_refused", { msg: refused.join("; ") })
        : t("said_link", { n: link.faults.length }),
    );
    await changed();
  }

  byId("copy-link").addEventListener("click", async () => {
    const { faults, latencyMs } = picture;
    const hash = linkHash({ scenario: person.scenario(), outcome: person.outcome(), latencyMs, faults });
    await copy(`${location.origin}/${hash}`, byId("said"));
    byId("link-shown").textContent = `${location.origin}/${hash}`;
    byId("link-shown").hidden = false;
  });

  byId("reset").addEventListener("click", ({ currentTarget }) =>
    busy(currentTarget, async () => {
      const { status, answer } = await call("/sandbox/reset", { method: "POST", json: {} });
      if (status !== 200) return say(t("said_refused", { msg: answer.msg ?? t("no_answer") }));
      person.reset();
      run.reset();
      inspector.close();
      byId("link-shown").hidden = true;
      say(t("said_reset"));
      return changed();
    }),
  );

  /** What the attempt that is shown sent in a step; "" if it did not, or not through the sandbox. */
  async function bodyOf(endpoint) {
    const id = attempts.current()?.steps.find((step) => step.endpoint === endpoint)?.id;
    if (id === undefined) return "";
    const { answer, status } = await call(`/sandbox/calls/${id}`);
    return status === 200 && answer.call.caller === "console" ? answer.request.body : "";
  }

  byId("repeat").addEventListener("click", ({ currentTarget }) =>
    busy(currentTarget, async () => {
      const form = new URLSearchParams(await bodyOf("get_face_params"));
      const [name, idNo] = [form.get("name"), form.get("id_no")];
      if (name === null || idNo === null) return say(t("said_no_repeat"));
      const played = await bodyOf("sdk_verify");
      const outcome = played && JSON.parse(played).outcome;
      person.set({ name, idNo, outcome: outcome ?? (played ? "" : undefined) });
      return run.repeat();
    }),
  );

  addEventListener("hashchange", follow);
  return {
    follow,
    show(next) {
      picture = next;
    },
  };
}
