// The rights of the caller, as UserInfo has them. Pure functions.

export interface Person {
  subject: string;
  name: string;
  /** viewer, contributor or admin; another or none where the plane doesn't say. */
  role: string;
  /** Globs of the projects where a contributor may write. */
  projects: readonly string[];
}

/** Return whether the person may write in a project. */
export function mayWrite(person: Person, project: string): boolean {
  if (person.role === "admin") return true;
  return person.role === "contributor" && person.projects.some((glob) => globMatches(glob, project));
}

/** Return whether a glob of a shell matches the whole text. */
export function globMatches(glob: string, text: string): boolean {
  const pattern = glob.replace(/\[(!?)(\]?[^\]]*)\]|[\s\S]/g, (part, not: string | undefined, set: string | undefined) => {
    if (part === "*") return "[\\s\\S]*";
    if (part === "?") return "[\\s\\S]";
    if (set !== undefined) return `[${not === "!" ? "^" : ""}${set.replace(/[\\\]^[]/g, "\\$&")}]`;
    return part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  });
  try {
    return new RegExp(`^${pattern}$`).test(text);
  } catch {
    return false;
  }
}

/** Return the person of the claims of UserInfo. */
export function personOf(subject: string, name: string, claims: Readonly<Record<string, unknown>> | undefined): Person {
  const { role, projects } = claims ?? {};
  return {
    subject,
    name: name || subject,
    role: typeof role === "string" ? role : "",
    projects: Array.isArray(projects) ? projects.filter((each) => typeof each === "string") : [],
  };
}
