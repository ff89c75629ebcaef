import type { JournalCall } from "../controls/journal.ts";
import { isJsonObject, readJsonObject, type SandboxRequest } from "../vendor/request.ts";
import { launchFields } from "../vendor/sdk.ts";
import type { State } from "../vendor/state.ts";
import { createCauses, type Intervention } from "./causes.ts";
import { proofOf } from "./signed.ts";
import { createTranscripts, type Transcript, type TranscriptFacts, transcribedBody } from "./transcripts.ts";

/** A request or answer, before it is cut. */
interface Body {
  contentType: string;
  body: string;
}

/** Records calls with request and answer, for the console. */
export interface Transcriber {
  opened(call: JournalCall, request: Body & { method: string; url: string }): void;
  /** After the vendor has judged the call: what it signed, and what lies behind its breaches. */
  judged(call: JournalCall, request: SandboxRequest): void;
  answered(call: JournalCall, answer: Body & { status: number }): void;
  /** After the call's end, however it ended. */
  left(call: JournalCall): void;
  intervened(kind: Intervention): void;
  /** Calls `listener` with each call that has ended. */
  onCall(listener: (transcript: Transcript) => void): void;
  find(id: number): Transcript | undefined;
  /** Oldest first. */
  list(): readonly Transcript[];
  clear(): void;
}

export function createTranscriber(state: State): Transcriber {
  const transcripts = createTranscripts();
  const causes = createCauses(state.clock, state.lifetimes.overlapMs);
  let listener: (transcript: Transcript) => void = () => undefined;
  return {
    opened(call, { method, url, contentType, body }) {
      const request = { method, url, ...transcribedBody(contentType, body) };
      transcripts.add({ call, request, facts: requestFacts(url, body) });
      transcripts.trim();
    },
    judged(call, request) {
      const transcript = transcripts.find(call.id);
      const { life, signed } = proofOf(request, state);
      if (transcript && signed) transcript.signed = signed;
      for (const breach of state.breaches.list) {
        if (breach.call !== call.id) continue;
        const cause = causes.causeOf(breach.rule, { caller: call.caller, life });
        if (cause !== undefined) breach.cause = cause;
      }
    },
    answered(call, { status, contentType, body }) {
      const transcript = transcripts.find(call.id);
      if (!transcript) return;
      transcript.answer = { status, ...transcribedBody(contentType, body) };
      Object.assign(transcript.facts, answerFacts(body, transcript.facts));
      transcripts.trim();
    },
    left(call) {
      const transcript = transcripts.find(call.id);
      if (transcript) listener(transcript);
    },
    onCall(next) {
      listener = next;
    },
    intervened: (kind) => causes.intervened(kind),
    find: (id) => transcripts.find(id),
    list: () => transcripts.list(),
    clear() {
      transcripts.clear();
      causes.clear();
    },
  };
}

function requestFacts(url: string, body: string): TranscriptFacts {
  const query = new URLSearchParams(url.split("?")[1] ?? "");
  const fields = launchFields({
    ...Object.fromEntries(query),
    ...(readJsonObject(body) ?? Object.fromEntries(new URLSearchParams(body))),
  });
  return pick(fields);
}

function answerFacts(body: string, known: TranscriptFacts): TranscriptFacts {
  const json = readJsonObject(body) ?? {};
  const { msg } = json;
  const result = isJsonObject(json["result"]) ? json["result"] : json;
  const { verdict } = result;
  return {
    ...pick(launchFields(json)),
    ...known,
    ...(typeof msg === "string" && { msg: msg.slice(0, 200) }),
    ...(typeof verdict === "string" && { verdict }),
  };
}

function pick({ orderNo, userId, idNo }: ReturnType<typeof launchFields>): TranscriptFacts {
  return { ...(orderNo && { orderNo }), ...(userId && { userId }), ...(idNo && { idNo }) };
}
