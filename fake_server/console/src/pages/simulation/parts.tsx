// What the tabs share: fields, tables, suggestions.
import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { ErrorText, TextField, type Action } from "../../components/form";
import { Text } from "../../components/text";
import { Link, pathOf } from "../../router";

/** RPCs that forms suggest; others have faults and are recorded, too. */
export const RPCS = ["Create", "Get", "List", "Update", "Delete", "Watch", "TailLogs", "UpdateStatus", "Lease", "Upload", "Token"];
export const CODES = [
  "CANCELED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE",
  "DATA_LOSS", "UNAUTHENTICATED",
];
/** How often a tab is read while the page is seen. */
export const READ_MS = 2_000;

interface AppFieldProps {
  value: string;
  change: (value: string) => void;
  action: Action;
}

/** The field that selects apps. */
export function AppField({ value, change, action }: AppFieldProps) {
  return <TextField label="App" placeholder="all, or web-*" value={value} change={change} error={action.error("app")} />;
}

/** A link to the page of an app that is written PROJECT/DOMAIN/NAME; any other text as it is. */
export function AppLink({ app }: { app: string }) {
  const [project, domain, name, ...more] = app.split("/");
  if (project === undefined || domain === undefined || name === undefined || more.length > 0) return <Text value={app} />;
  return (
    <Link to={pathOf({ project, domain, name })}>
      <Text value={app} />
    </Link>
  );
}

interface RowsProps {
  label: string;
  heads: readonly string[];
  empty: string;
  /** Why the rows couldn't be read, "" if they could. */
  error: string;
  loaded: boolean;
  count: number;
  children: ComponentChildren;
}

/** A table, or that it is empty. */
export function Rows({ label, heads, empty, error, loaded, count, children }: RowsProps) {
  return (
    <>
      <ErrorText text={error} />
      {loaded && count === 0 && <p class="quiet">{empty}</p>}
      {!loaded && error === "" && <p class="quiet">Loading…</p>}
      {count > 0 && (
        <div class="scrolled" tabIndex={0} role="region" aria-label={label}>
          <table class="grid">
            <thead>
              <tr>
                {heads.map((each) => (
                  <th key={each} scope="col">
                    {each === "" ? <span class="hidden">Actions</span> : each}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>{children}</tbody>
          </table>
        </div>
      )}
    </>
  );
}

/** Return the text of a field of a form, and the function that changes it. */
export function useText(initial = ""): [string, (value: string) => void] {
  return useState(initial);
}
