import { createSecretKey } from "node:crypto";
import { describe, expect, test } from "vitest";
import { codeEntry } from "../../src/domain/codes.ts";
import { keyRing, type SealKey } from "../../src/domain/seal-keys.ts";
import { ServiceError, UpstreamError } from "../../src/errors.ts";
import { Secret } from "../../src/lib/redacted.ts";
import { createSealer } from "../../src/tickets/sealer.ts";
import { createRig, MINUTE, type Replica } from "./rig.ts";

const never = new AbortController().signal;
const key = (id: string): SealKey => ({
  id,
  key: createSecretKey(new Uint8Array(32).fill(id.charCodeAt(0))),
});

/** A process whose keys are read again while it runs. */
function withRing(rig: ReturnType<typeof createRig>, ...first: SealKey[]) {
  let ring = first;
  const replica = rig.started({ sealer: createSealer("app", () => ring) });
  return {
    ...replica,
    reload: (...next: SealKey[]) => {
      ring = next;
    },
  };
}

/** Uses the pair once a second, as requests do, and counts the seconds in which that fails. */
async function secondsDead(
  rig: ReturnType<typeof createRig>,
  { coordinator }: Replica,
  seconds: number,
): Promise<number> {
  let dead = 0;
  for (let i = 0; i < seconds; i++) {
    await rig.run(1_000);
    const { tickets } = coordinator;
    try {
      const pair = tickets.current();
      if (rig.upstream.isAlive(pair.accessToken.reveal())) {
        tickets.accepted(pair);
        continue;
      }
      void tickets.renewed(pair, "400103", never);
    } catch (error) {
      expect(error).toBeInstanceOf(ServiceError);
    }
    dead++;
  }
  return dead;
}

describe("keys and secrets that arrive in one process after the other", () => {
  test("a record that could not be opened is retried with the new key ring, without a second without a pair", async () => {
    const rig = createRig();
    const [old, next] = [key("old"), key("new")];
    const a = withRing(rig, old);
    await rig.run(2_000);
    const b = withRing(rig, old);
    await rig.run(10_000);
    a.reload(next, old);
    void a.coordinator.operator.forceRefresh(false, never);
    await rig.run(6_000);
    expect(b.told).toContainEqual({ event: "recordUnreadable", detail: { why: "key" } });
    b.reload(next, old);
    expect(await secondsDead(rig, b, 25 * 60)).toBe(0);
    // Told once, though it was looked at many times.
    expect(b.told.filter(({ event }) => event === "recordUnreadable")).toHaveLength(1);
    expect(rig.upstream.tokenCalls).toBe(3);
  });

  test("after a hasty change of the secret each process works again one poll after it got the new one", async () => {
    const rig = createRig();
    const [old, next] = [new Secret("old"), new Secret("next")];
    const real = { ...rig.client };
    let accepted = old;
    rig.client.fetchAccessToken = (secret, signal) =>
      secret.reveal() === "old" && accepted === next
        ? Promise.reject(new UpstreamError("access_token", "code", { entry: codeEntry("400103") }))
        : real.fetchAccessToken(secret, signal);
    const processOf = () => {
      let secrets = [old];
      let ring = keyRing(undefined, secrets);
      const replica = rig.started({ secrets: () => secrets, sealer: createSealer("app", () => ring) });
      return {
        ...replica,
        reload() {
          secrets = [old, next];
          ring = keyRing(undefined, secrets);
        },
      };
    };
    const a = processOf();
    await rig.run(2_000);
    const b = processOf();
    await rig.run(5 * MINUTE);
    accepted = next;
    rig.upstream.revoke();
    const downs = { a: 0, b: 0 };
    for (let second = 0; second < 600; second++) {
      if (second === 60) a.reload();
      if (second === 90) b.reload();
      downs.a += await secondsDead(rig, a, 1);
      downs.b += await secondsDead(rig, b, 0);
      const dead = !rig.upstream.isAlive(b.coordinator.tickets.current().accessToken.reveal());
      if (dead) downs.b++;
    }
    expect(downs.a).toBeLessThanOrEqual(67);
    expect(downs.b).toBeLessThanOrEqual(97);
  });
});

describe("STORE_KEYS lost on the whole fleet", () => {
  async function lost() {
    const rig = createRig();
    const before = withRing(rig, key("one"));
    await rig.run(1_000);
    await before.coordinator.stop();
    const fleet = [withRing(rig, key("two")), withRing(rig, key("two"))] as const;
    await rig.run(10_000);
    return { rig, fleet };
  }

  test("with STORE_KEYS lost, calls and readiness report the cause at once, and no process rotates on its own", async () => {
    const { rig, fleet } = await lost();
    const why = "the stored ticket pair is sealed with a key that STORE_KEYS of this process lacks";
    for (const { coordinator } of fleet) {
      expect(coordinator.tickets.readiness()).toEqual({ ready: false, reason: why });
      expect(() => coordinator.tickets.current()).toThrow(why);
    }
    await rig.run(30 * MINUTE);
    expect(rig.upstream.tokenCalls).toBe(1);
  });

  test("ForceRefresh ends a loss of STORE_KEYS within half a minute, by one rotation", async () => {
    const { rig, fleet } = await lost();
    const forced = fleet[0].coordinator.operator.forceRefresh(false, never);
    await rig.run(30_000);
    expect((await forced).generation).toBeGreaterThan((await forced).previous);
    for (const { coordinator } of fleet) expect(coordinator.tickets.readiness().ready).toBe(true);
    expect(rig.upstream.tokenCalls).toBe(2);
  });

  test("a forced refresh is made by those that can open the record, if any, and the record stays theirs", async () => {
    const rig = createRig();
    const theirs = withRing(rig, key("one"));
    await rig.run(1_000);
    const ours = withRing(rig, key("two"));
    await rig.run(10_000);
    const forced = theirs.coordinator.operator.forceRefresh(false, never);
    await rig.run(5 * MINUTE);
    await forced;
    expect(rig.upstream.tokenCalls).toBe(2);
    expect(theirs.coordinator.tickets.readiness().ready).toBe(true);
    expect(ours.coordinator.tickets.readiness().ready).toBe(false);
  });
});

describe("an operator's request, and reasons to refuse it at once", () => {
  const refusal = (why: string) => ({ metadata: { why: expect.stringContaining(why) } });

  test("an operator's request overrides the wait that refusals incurred", async () => {
    const rig = createRig();
    const { coordinator } = rig.started();
    await rig.run(MINUTE);
    const { tickets, operator } = coordinator;
    // Seven rotations by refusals are the budget of an hour: the eighth waits.
    for (let i = 0; i < 8; i++) {
      void tickets.renewed(tickets.current(), "400103", never);
      await rig.run(4 * MINUTE);
    }
    expect(operator.status().doubtHoldMs).toBeGreaterThan(10 * MINUTE);
    const { generation } = tickets.current();
    const forced = operator.forceRefresh(false, never);
    await rig.run(1_000);
    expect((await forced).generation).toBeGreaterThan(generation);
  });

  test("an operator's request to a process that does not refresh is refused at once", async () => {
    const rig = createRig();
    rig.started();
    const { coordinator } = rig.started({ refreshes: false });
    await rig.run(10_000);
    const forced = coordinator.operator.forceRefresh(false, never);
    await expect(forced).rejects.toMatchObject(refusal("leaves refreshing to others"));
    await rig.run(MINUTE);
    expect(rig.upstream.tokenCalls).toBe(1);
  });

  test("an operator's request is refused at once if the state is a later release's", async () => {
    const rig = createRig();
    const { coordinator } = rig.started();
    rig.store.compareAndSet(rig.store.read().version, JSON.stringify({ schema: 2 }));
    await rig.run(10_000);
    const refused = expect(coordinator.operator.forceRefresh(false, never)).rejects.toMatchObject(
      refusal("later release"),
    );
    await rig.run(100);
    await refused;
    expect(coordinator.tickets.readiness().reason).toContain("later release");
  });

  test("an operator's request is refused at once if failed refreshes delay the next one for long", async () => {
    const rig = createRig();
    const { coordinator } = rig.started();
    await rig.run(MINUTE);
    rig.client.fetchAccessToken = () => Promise.reject(new UpstreamError("access_token", "throttled"));
    await rig.run(40 * MINUTE);
    const refused = expect(coordinator.operator.forceRefresh(false, never)).rejects.toMatchObject(
      refusal("the rotation begins in"),
    );
    await rig.run(100);
    await refused;
  });
});
