// The lines of the SDK, the CLI and this project's client that do what the page does. Names are quoted for the language that
// they stand in.
import type { AppName } from "../../router";

export interface Snippet {
  title: string;
  lines: string;
}

/** Return a text as a literal of Python. */
export function python(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\uffff]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** Return a text as one word of a shell; with escapes of bash, where it has more than plain characters. */
export function shell(text: string): string {
  if (/^[A-Za-z0-9_./:@%+=,-]+$/.test(text)) return text;
  // eslint-disable-next-line no-control-regex
  if (/^[\u0020-\u007e]*$/.test(text)) return `'${text.replaceAll("'", "'\\''")}'`;
  const escaped = text.replace(/[\\']/g, "\\$&").replace(/[^\u0020-\u007e]/g, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return `$'${escaped}'`;
}

/** Return the lines, for an API at `endpoint`, such as localhost:8090. */
export function snippets({ name, project, domain }: AppName, endpoint: string, insecure: boolean): Snippet[] {
  const [n, p, d] = [name, project, domain].map(python);
  // an option's value may begin with a hyphen, hence "="; a name may, too, hence "--"
  const place = `--project=${shell(project)} --domain=${shell(domain)}`;
  const word = name.startsWith("-") ? `-- ${shell(name)}` : shell(name);
  const at = `flyte --endpoint ${shell(`dns:///${endpoint}`)}${insecure ? " --insecure" : ""}`;
  return [
    {
      title: "Flyte SDK",
      lines: `import flyte
from flyte.remote import App

flyte.init(endpoint=${python(`dns:///${endpoint}`)}, insecure=${insecure ? "True" : "False"}, project=${p}, domain=${d})
app = App.get(name=${n})
app = app.activate(wait=True)    # start
app = app.deactivate(wait=True)  # stop
app.show_logs(raw=True)          # the log, until Ctrl-C
App.delete(name=${n})
`,
    },
    {
      title: "Flyte CLI",
      lines: `${at} get app ${place} ${word}
${at} update app --activate --wait ${place} ${word}
${at} update app --deactivate --wait ${place} ${word}
${at} delete app ${place} ${word}
`,
    },
    {
      title: "flyteapps client",
      lines: `import flyteapps
from flyteapps import App

flyteapps.init(${python(endpoint)}, insecure=${insecure ? "True" : "False"}, project=${p}, domain=${d})
app = App.get(${n})
app.activate(wait=True)    # start
app.deactivate(wait=True)  # stop
for line in app.logs(follow=False):
    print(line)
App.delete(${n})
`,
    },
  ];
}

const FIRST_COMMAND = `["python", "-m", "http.server", "8080", "--bind", "127.0.0.1"]`;

/** Return the lines that deploy a first app to an API at `endpoint`; each is a whole program, and its app runs with --run, too. */
export function firstDeploys(endpoint: string, insecure: boolean): Snippet[] {
  const flag = insecure ? "True" : "False";
  return [
    {
      title: "flyteapps client",
      lines: `from flyteapps import Client, new_app

client = Client(${python(endpoint)}, insecure=${flag}, project="demo", domain="development")
command = ${FIRST_COMMAND}
app = client.apps.create(new_app("hello", image="python:3.12", command=command, port=8080))
print(app.url, flush=True)
app.watch(timeout=120)  # until it is active
`,
    },
    {
      title: "Flyte SDK",
      lines: `import flyte
from flyte.app import AppEnvironment

image = flyte.Image.from_debian_base(python_version=(3, 12))
env = AppEnvironment(name="hello", image=image, command=${FIRST_COMMAND}, port=8080)

if __name__ == "__main__":
    place = {"project": "demo", "domain": "development"}
    flyte.init(endpoint=${python(`dns:///${endpoint}`)}, insecure=${flag}, image_builder="remote", **place)
    print(flyte.serve(env).url)
`,
    },
  ];
}
