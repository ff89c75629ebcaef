import type { JournalCall } from "../controls/journal.ts";
import type { SignedExplanation } from "./signed.ts";

/** A body as it was sent. */
export interface TranscribedBody {
  contentType: string;
  /** At most `MAX_BODY_CHARS` of it. */
  body: string;
  /** Length of the whole body, UTF-16 code units. */
  length: number;
}

/** What a call says of the attempt that it belongs to. */
export interface TranscriptFacts {
  orderNo?: string;
  userId?: string;
  idNo?: string;
  /** The message of the answer, and the verdict in it. */
  msg?: string;
  verdict?: string;
}

/**
 * One call with request and answer as sent. Contains whatever was typed in, tokens and tickets: it exists in the memory of
 * `npm run sandbox` only.
 */
export interface Transcript {
  call: JournalCall;
  request: TranscribedBody & { method: string; url: string };
  answer?: TranscribedBody & { status: number };
  /** What was signed, if the call carries a signature. */
  signed?: SignedExplanation;
  facts: TranscriptFacts;
}

/** The latest transcripts, bounded in number and in size. */
export interface Transcripts {
  add(transcript: Transcript): void;
  /** After a transcript has grown. */
  trim(): void;
  find(id: number): Transcript | undefined;
  /** Oldest first. */
  list(): readonly Transcript[];
  clear(): void;
}

/** Longer bodies are cut: a photo is recognisable by its beginning. */
const MAX_BODY_CHARS = 32 * 1024;
/** Limits of everything recorded; whichever comes first. */
const MAX_TRANSCRIPTS = 500;
const MAX_CHARS = 4 * 1024 * 1024;

export function createTranscripts(limits = { transcripts: MAX_TRANSCRIPTS, chars: MAX_CHARS }): Transcripts {
  // A Map keeps insertion order, so the oldest are at its front.
  const byId = new Map<number, Transcript>();

  return {
    add(transcript) {
      byId.set(transcript.call.id, transcript);
    },
    trim() {
      let chars = 0;
      for (const transcript of byId.values()) chars += sizeOf(transcript);
      for (const [id, transcript] of byId) {
        if (byId.size <= limits.transcripts && chars <= limits.chars) break;
        byId.delete(id);
        chars -= sizeOf(transcript);
      }
    },
    find: (id) => byId.get(id),
    list: () => [...byId.values()],
    clear: () => byId.clear(),
  };
}

const sizeOf = ({ request, answer }: Transcript): number =>
  request.url.length + request.body.length + (answer?.body.length ?? 0);

/** A body for a transcript. */
export const transcribedBody = (contentType: string, body: string): TranscribedBody => ({
  contentType,
  body: body.slice(0, MAX_BODY_CHARS),
  length: body.length,
});
