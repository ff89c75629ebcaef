import type { Clock } from "../lib/clock.ts";
import { Pii } from "../lib/pii.ts";

export interface Files {
  photo: Pii<Uint8Array>;
  video: Pii<Uint8Array>;
}

/** Files lag the verdict; the vendor advises three polls, two seconds apart (protocol.md 6.1). */
const POLLS = 3;
const POLL_MS = 2_000;
const NONE = new Pii(new Uint8Array(0));

/**
 * The files of an attempt; undefined when there are none. After a pass they are waited for; after any other verdict the
 * vendor may never have any (protocol.md 6.1).
 */
export async function collectMedia(
  fetchFiles: () => Promise<{ [File in keyof Files]: Files[File] | undefined }>,
  { passed, clock, signal }: { passed: boolean; clock: Clock; signal: AbortSignal },
): Promise<Files | undefined> {
  for (let poll = 1; ; poll++) {
    const { photo, video } = await fetchFiles();
    const complete = photo !== undefined && video !== undefined;
    if (complete || !passed || poll === POLLS) {
      return photo || video ? { photo: photo ?? NONE, video: video ?? NONE } : undefined;
    }
    await clock.sleep(POLL_MS, signal);
  }
}
