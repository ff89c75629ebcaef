import { busy, byId, make, replace } from "./dom.js";
import { call } from "./http.js";
import { onLanguage, t } from "./language.js";
import { shortTime, timeOfDay } from "./times.js";

/** How many webhooks the list shows. */
const MOST_ITEMS = 8;

/** Orders as they end by themselves, and what became of their events. */
export function createOrders({ sandboxNow, changed }) {
  let failing = false;

  const redeliver = (button, orderNo) =>
    busy(button, async () => {
      const json = { order_no: orderNo };
      const { status, answer } = await call("/sandbox/backend/redeliver", { method: "POST", json });
      byId("orders-said").textContent =
        status === 200 ? t("said_redeliver") : t("said_refused", { msg: answer.msg ?? t("no_answer") });
      await changed();
    });

  byId("receiver-fails").addEventListener("click", ({ currentTarget }) =>
    busy(currentTarget, async () => {
      await call("/sandbox/receiver", { method: "PUT", json: { failing: !failing } });
      await changed();
    }),
  );
  onLanguage(() => {
    byId("orders-said").textContent = "";
  });

  function orderRow({ orderNo, state, verdict, createTime }, deliveries) {
    const delivery = deliveries.find((each) => each.orderNo === orderNo);
    const word = state.replace("ORDER_STATE_", "");
    const judged = verdict.replace("VERDICT_", "");
    const again = ({ currentTarget }) => redeliver(currentTarget, orderNo);
    const attributes = { type: "button", class: "link", "data-key": `redeliver-${orderNo}`, onclick: again };
    return make(
      "tr",
      { "data-order": orderNo, "data-state": word },
      make("td", {}, timeOfDay(createTime)),
      make("td", {}, make("code", { title: orderNo }, `…${orderNo.slice(-6)}`)),
      make("td", {}, t(`state_${word}`)),
      make("td", {}, judged === "UNSPECIFIED" ? "–" : t(`verdict_${judged}`)),
      make("td", {}, delivery ? deliveryText(delivery) : "–"),
      make("td", {}, delivery && make("button", attributes, t("redeliver"))),
    );
  }

  function deliveryText({ state, attempts, nextTryTime, lastResult }) {
    const word = t(`delivery_${state.replace("DELIVERY_STATE_", "")}`);
    const waitMs = Math.max(0, Date.parse(nextTryTime) - sandboxNow());
    const more = [
      attempts > 0 ? t("tries", { n: attempts }) : "",
      lastResult && lastResult !== "204" ? t("answered", { status: lastResult }) : "",
      state === "DELIVERY_STATE_WAITING" && waitMs > 0 ? t("next_try", { time: shortTime(waitMs) }) : "",
    ];
    return [word, ...more.filter((each) => each !== "")].join(" · ");
  }

  return {
    show({ orders, deliveries }, receiver, { startedAt }) {
      failing = receiver.failing === true;
      byId("receiver-fails").setAttribute("aria-pressed", String(failing));
      byId("no-ledger").hidden = orders !== null && orders !== undefined;
      // Older ones are from before the reset.
      const rows = (orders ?? [])
        .filter(({ createTime }) => Date.parse(createTime) >= startedAt)
        .map((order) => orderRow(order, deliveries ?? []));
      const none = make("tr", {}, make("td", { colspan: 6, class: "empty" }, t("orders_none")));
      replace(byId("order-list"), ...(rows.length > 0 ? rows : [none]));
      const items = (receiver.received ?? []).slice(-MOST_ITEMS).reverse().map(receivedItem);
      replace(
        byId("received-list"),
        ...(items.length > 0 ? items : [make("li", { class: "empty" }, t("received_none"))]),
      );
    },
  };
}

function receivedItem({ at, id, signed, repeated, status, type, verdict }) {
  const judged = String(verdict ?? "").replace("VERDICT_", "");
  const words = [
    type,
    ...(judged && judged !== "UNSPECIFIED" ? [t(`verdict_${judged}`)] : []),
    t(signed ? "signature_right" : "signature_wrong"),
    ...(repeated ? [t("received_again")] : []),
    t("answered", { status }),
  ];
  return make(
    "li",
    { "data-webhook": id },
    make("span", {}, words.join(" · ")),
    make("small", {}, timeOfDay(at), " · ", make("code", {}, `…${id.slice(-6)}`)),
  );
}
