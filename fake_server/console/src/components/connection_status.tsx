// The state of the connection: always there, and announced to screen readers when it changes.
import type { Connection } from "../api/connection";
import { Text } from "./text";

const WORDS = {
  connecting: "Connecting…",
  live: "Live",
  polling: "Updated every",
  idle: "Nothing to follow",
  paused: "Paused",
  lost: "Disconnected",
  refused: "Not allowed",
} as const;

interface StatusProps {
  connection: Connection;
  retry: () => void;
}

/** The words for the state of the connection, with what to do about it. */
export function ConnectionStatus({ connection, retry }: StatusProps) {
  const { state } = connection;
  return (
    <div class={`connection ${state}`} role="status">
      <span class="dot" aria-hidden="true" />
      <span>
        {WORDS[state]}
        {state === "polling" && ` ${Math.round(connection.milliseconds / 1_000)} s`}
      </span>
      {state === "lost" && (
        <>
          <span class="detail">
            <Text value={connection.message} />
          </span>
          <button type="button" onClick={retry}>
            Try now
          </button>
        </>
      )}
      {state === "refused" && (
        <span class="detail">
          <Text value={connection.message} />
        </span>
      )}
    </div>
  );
}
