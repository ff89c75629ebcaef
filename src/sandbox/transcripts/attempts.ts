import { type CallName, type JournalCall, PROXIED } from "../controls/journal.ts";
import { scenarioOf } from "../vendor/scenarios.ts";
import type { Transcript } from "./transcripts.ts";

/** A call of an attempt, with the vendor calls that the backend made for it. */
export interface Step extends JournalCall {
  /** The message of the answer. */
  msg?: string;
  behind: Step[];
}

/** One verification from its first call to its last, newest attempts first. Contains no name or ID number. */
export interface Attempt {
  /** That of its first call. */
  id: number;
  /** The order number; undefined if the attempt got none. */
  orderNo?: string;
  startedAt: number;
  /** The outcome that the ID number selects; undefined if it is not known. */
  scenario?: string;
  /** As the backend's latest answer has it. */
  verdict?: string;
  steps: Step[];
}

/** How many attempts are listed. */
const MAX_ATTEMPTS = 50;
/** Calls that an app or a browser makes. The others are the backend's. */
const STEPS: readonly CallName[] = [...PROXIED, "sdk_verify", "web_login"];

/** Sorts calls into attempts: by order number, by person and user, and where a call names none, by time. */
export function attemptsOf(transcripts: readonly Transcript[]): Attempt[] {
  const groups: Group[] = [];
  const begin = (first: Transcript) => {
    groups.push({ calls: [first] });
  };
  const isStep = ({ call }: Transcript) => STEPS.includes(call.endpoint);
  const later = [...transcripts].sort(
    (a, b) => Number(isStep(b)) - Number(isStep(a)) || a.call.id - b.call.id,
  );
  for (const transcript of later) {
    const group = groupFor(transcript, groups);
    if (group) group.calls.push(transcript);
    else if (isStep(transcript) || transcript.facts.orderNo !== undefined) begin(transcript);
  }
  return groups
    .map(toAttempt)
    .sort((a, b) => b.id - a.id)
    .slice(0, MAX_ATTEMPTS);
}

interface Group {
  calls: Transcript[];
}

function groupFor(transcript: Transcript, groups: readonly Group[]): Group | undefined {
  const { call, facts } = transcript;
  if (call.endpoint === "get_face_params") return undefined;
  const byOrder =
    facts.orderNo &&
    groups.findLast(({ calls }) => calls.some((each) => each.facts.orderNo === facts.orderNo));
  if (byOrder) return byOrder;
  const during = groups.filter(({ calls }) => calls.some((step) => covers(step.call, call)));
  switch (call.endpoint) {
    // One that was refused: its order number is not that of the launch.
    case "upload":
      return during.find(({ calls }) => calls[0]?.facts.idNo === facts.idNo);
    case "nonce_ticket":
      return (
        during.find(({ calls }) => calls.some((each) => each.facts.userId === facts.userId)) ?? during[0]
      );
    case "access_token":
    case "sign_ticket":
      return during[0];
    default:
      return undefined;
  }
}

/** Whether a step that the backend answers was under way when a call came. */
function covers(step: JournalCall, call: JournalCall): boolean {
  return (
    PROXIED.some((name) => name === step.endpoint) &&
    step.id < call.id &&
    (step.endedAt === undefined || call.startedAt <= step.endedAt)
  );
}

function toAttempt({ calls }: Group): Attempt {
  const ordered = [...calls].sort((a, b) => a.call.id - b.call.id) as [Transcript, ...Transcript[]];
  const steps: Step[] = [];
  for (const { call, facts } of ordered) {
    const step: Step = { ...call, ...(facts.msg !== undefined && { msg: facts.msg }), behind: [] };
    const isBehind = !STEPS.includes(call.endpoint);
    const above = isBehind ? steps.findLast((each) => covers(each, call)) : undefined;
    (above?.behind ?? steps).push(step);
  }
  const [first] = ordered;
  const numbered = ordered.find(
    ({ call, facts }) => STEPS.includes(call.endpoint) && facts.orderNo !== undefined,
  );
  const orderNo = (numbered ?? ordered.findLast(({ facts }) => facts.orderNo !== undefined))?.facts.orderNo;
  const idNo = ordered.find(({ facts }) => facts.idNo !== undefined)?.facts.idNo;
  const verdict = ordered.findLast(({ facts }) => facts.verdict !== undefined)?.facts.verdict;
  return {
    id: first.call.id,
    startedAt: first.call.startedAt,
    ...(orderNo !== undefined && { orderNo }),
    ...(idNo !== undefined && { scenario: scenarioOf(idNo).name }),
    ...(verdict !== undefined && { verdict }),
    steps,
  };
}
