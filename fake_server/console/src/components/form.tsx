// Forms: fields with their labels and the reason why a value is refused, and actions that run once at a time.
import { ConnectError } from "@connectrpc/connect";
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { explain } from "../api/clients";
import { shown } from "../format";
import { FieldError } from "../selectors";

/** Return the reason of a failure for people: the plane's, or the page's own. */
export function reason(error: unknown): string {
  const own = error instanceof Error && !(error instanceof ConnectError) && !(error instanceof TypeError);
  return own ? error.message : explain(error);
}

export interface Action {
  busy: boolean;
  /** Return the reason why a field's value is refused, "" for none; of "", what concerns no field. */
  error(field?: string): string;
  /** The words of success. */
  done: string;
  /** Run an action: it returns words for its success. */
  run(work: () => Promise<string | undefined>): void;
}

/** Return an action whose refusals belong to the first field whose pattern the plane's message matches. */
export function useAction(patterns: Readonly<Record<string, RegExp>> = {}): Action {
  const [state, setState] = useState({ busy: false, field: "", message: "", done: "" });
  const busy = useRef(false);
  const mounted = useRef(true);
  useEffect(() => {
    mounted.current = true;
    return () => void (mounted.current = false);
  }, []);
  const run = async (work: () => Promise<string | undefined>): Promise<void> => {
    if (busy.current) return;
    busy.current = true;
    setState({ busy: true, field: "", message: "", done: "" });
    let next = { busy: false, field: "", message: "", done: "" };
    try {
      next = { ...next, done: (await work()) ?? "" };
    } catch (error) {
      const message = reason(error);
      const matching = Object.keys(patterns).find((each) => patterns[each]?.test(message));
      next = { ...next, message, field: error instanceof FieldError ? error.field : (matching ?? "") };
    }
    busy.current = false;
    if (mounted.current) setState(next);
  };
  return {
    busy: state.busy,
    done: state.done,
    error: (field = "") => (state.field === field ? state.message : ""),
    run: (work) => void run(work),
  };
}

interface FieldProps {
  label: string;
  value: string;
  change: (value: string) => void;
  error?: string;
  placeholder?: string;
  /** Suggestions. */
  options?: readonly string[];
  class?: string;
  type?: "text" | "password";
}

/** A text field; the reason of a refusal stands below it. */
export function TextField({ label, value, change, error = "", placeholder, options, class: name, type = "text" }: FieldProps) {
  const id = useId();
  const common = {
    id,
    value,
    maxLength: 100_000,
    autocomplete: "off",
    autocapitalize: "off",
    spellcheck: false,
    "aria-invalid": error !== "",
    onInput: (event: { currentTarget: HTMLInputElement }) => change(event.currentTarget.value),
    ...(placeholder !== undefined && { placeholder }),
    ...(error !== "" && { "aria-describedby": `${id}-error` }),
  } as const;
  return (
    <div class={`field ${name ?? ""}`}>
      <label for={id}>{label}</label>
      {type === "password" ? (
        <input type="password" {...common} />
      ) : options !== undefined ? (
        <input type="text" list={`${id}-options`} {...common} />
      ) : (
        <input type="text" {...common} />
      )}
      {options !== undefined && (
        <datalist id={`${id}-options`}>
          {options.map((each) => (
            <option key={each} value={each} />
          ))}
        </datalist>
      )}
      <ErrorText id={`${id}-error`} text={error} />
    </div>
  );
}

interface ChoiceProps {
  label: string;
  value: string;
  change: (value: string) => void;
  options: readonly (readonly [value: string, label: string])[];
  error?: string;
}

/** A field with a few values. */
export function ChoiceField({ label, value, change, options, error = "" }: ChoiceProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select
        id={id}
        value={value}
        aria-invalid={error !== ""}
        aria-describedby={error !== "" ? `${id}-error` : undefined}
        onChange={(event) => change(event.currentTarget.value)}
      >
        {options.map(([each, text]) => (
          <option key={each} value={each}>
            {text}
          </option>
        ))}
      </select>
      <ErrorText id={`${id}-error`} text={error} />
    </div>
  );
}

/** The reason of a refusal, announced when it appears. */
export function ErrorText({ text, id }: { text: string; id?: string }) {
  return (
    <p id={id} class={text === "" ? "hidden" : "error"} role="alert">
      {text !== "" && <bdi>{shown(text, 2_000)}</bdi>}
    </p>
  );
}

interface FormProps {
  action: Action;
  /** The button's words. */
  submit: string;
  send: () => Promise<string | undefined>;
  children?: ComponentChildren;
}

/** A form in a row, with the result of its action. */
export function Form({ action, submit, send, children }: FormProps) {
  return (
    <form
      class="form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        action.run(send);
      }}
    >
      {children}
      <button type="submit" class="primary" aria-disabled={action.busy}>
        {submit}
      </button>
      <Result action={action} />
    </form>
  );
}

/** What became of an action, but for refusals of a field. */
export function Result({ action }: { action: Action }) {
  return (
    <div class="result">
      <ErrorText text={action.error()} />
      <p role="status" class={action.done === "" ? "hidden" : "done"}>
        {action.done}
      </p>
    </div>
  );
}
