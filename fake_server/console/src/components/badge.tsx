import type { Group } from "../format";

/** A state, told by its colour, its mark and its words. */
export function Badge({ group, text }: { group: Group; text: string }) {
  return <span class={`badge ${group}`}>{text}</span>;
}
