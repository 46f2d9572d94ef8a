import { useEffect, useRef } from "preact/hooks";
import type { ComponentChildren } from "preact";

interface ConfirmProps {
  title: string;
  /** The words of the button that does it. */
  yes: string;
  close: (confirmed: boolean) => void;
  children?: ComponentChildren;
}

/** A question before something that can't be undone; Escape and the first button leave all as it is. */
export function Confirm({ title, yes, close, children }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  return (
    <dialog ref={dialog} aria-label={title} onCancel={(event) => (event.preventDefault(), close(false))}>
      <h2>{title}</h2>
      {children}
      <div class="buttons">
        <button type="button" onClick={() => close(false)}>
          Cancel
        </button>
        <button type="button" class="danger" onClick={() => close(true)}>
          {yes}
        </button>
      </div>
    </dialog>
  );
}
