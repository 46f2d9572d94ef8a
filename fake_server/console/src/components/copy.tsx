// A button that copies a text.
import { useState } from "preact/hooks";

/** Copy the text; return whether the browser allowed it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "hidden";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy"); // where the page's address is not a secure one
    area.remove();
    return done;
  }
}

/** A button that copies a text, and says that it did. */
export function Copy({ text, label = "Copy", of }: { text: string; label?: string; of: string }) {
  const [said, setSaid] = useState("");
  const copy = async (): Promise<void> => {
    setSaid((await copyText(text)) ? "Copied" : "Not allowed");
    setTimeout(() => setSaid(""), 2_000);
  };
  return (
    <button type="button" class="small" onClick={() => void copy()}>
      {said || label}
      <span class="hidden"> {of}</span>
      <span class="hidden" role="status">
        {said}
      </span>
    </button>
  );
}
