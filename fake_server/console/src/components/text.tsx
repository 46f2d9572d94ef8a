// Texts of others: shown as text alone, cut, and apart from the direction of the text around them.
import { shown } from "../format";

interface TextProps {
  value: string;
  most?: number;
}

/** A text of others in one line. */
export function Text({ value, most }: TextProps) {
  return <bdi>{shown(value, most)}</bdi>;
}
