// Selectors of apps and numbers, as forms have them. Pure functions.
import { create } from "@bufbuild/protobuf";
import { AppSelectorSchema, type AppSelector } from "../gen/flyteapps_control/v1/control_pb";

/** A value that isn't sent, since it can't be: which field, and why. */
export class FieldError extends Error {
  constructor(
    readonly field: string,
    message: string,
  ) {
    super(message);
  }
}

/** Return the selector of the apps that a text names: NAME, or PROJECT/DOMAIN/NAME, globs all; undefined for all. */
export function selectorOf(text: string): AppSelector | undefined {
  const given = text.trim();
  if (given === "" || given === "*") return undefined;
  const parts = given.split("/");
  if (parts.length === 1) return create(AppSelectorSchema, { name: given });
  if (parts.length !== 3) {
    throw new FieldError("app", "Apps are selected by NAME or PROJECT/DOMAIN/NAME, in which * stands for any text.");
  }
  const [project, domain, name] = parts.map((each) => (each === "*" ? "" : each));
  return create(AppSelectorSchema, { project: project!, domain: domain!, name: name! });
}

/** Return a selector as a text: "all apps", a name, or PROJECT/DOMAIN/NAME. */
export function selectorText(app: AppSelector | undefined): string {
  if (app === undefined || (app.project === "" && app.domain === "" && app.name === "")) return "all apps";
  if (app.project === "" && app.domain === "") return app.name;
  return [app.project, app.domain, app.name].map((each) => each || "*").join("/");
}

/** Return a whole number, 0 for an empty text. Throws a FieldError. */
export function whole(field: string, text: string): number {
  const given = text.trim();
  if (given === "") return 0;
  const value = Number(given);
  if (!/^[+-]?\d+$/.test(given) || Math.abs(value) > 2 ** 31 - 1) {
    throw new FieldError(field, "This must be a whole number, such as 3, or nothing for no limit.");
  }
  return value;
}
