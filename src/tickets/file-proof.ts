import { type Slots, slotName } from "./file-slots.ts";

/**
 * Whether the state `id` that was just linked as `number` is part of the history. It is not if the process was frozen
 * before the link for so long that the number was used by another, built upon, and pruned: then the link found a free
 * name far below the newest. Such a file is removed again (ticket-cache.md 2.12). Rejects if it can no longer be told.
 */
export async function proveSlot(slots: Slots, number: number, id: string): Promise<boolean> {
  const top = (await slots.numbers()).at(-1);
  // In this order: pruning removes the lower number first, so a true winner is never seen without its successor.
  const successor = await slots.read(number + 1);
  const own = await slots.read(number);
  if (successor?.prev === id) return true;
  if (own?.id !== id) throw new Error("the ticket store was frozen during a write: read again");
  if (top === number) return true;
  await slots.drop(slotName(number));
  return false;
}
