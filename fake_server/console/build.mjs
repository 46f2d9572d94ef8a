// Builds the console: `node build.mjs` writes its files into the Python package, `--check` compares them with those that
// are there, `--tests` bundles and runs the unit tests. The same sources make the same bytes, on any machine.
import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const HERE = dirname(fileURLToPath(import.meta.url));
const STATIC = join(HERE, "..", "flyteapps_fake", "console", "static");
const PREFIX = "/_flyteapps/console/";
const MAX_COMPRESSED_BYTES = 300_000;
const LICENCES = ["Apache-2.0", "MIT", "BSD-3-Clause", "(Apache-2.0 AND BSD-3-Clause)"];
const LICENCE_FILES = ["LICENSE", "LICENSE.md", "LICENSE.txt"];

/** Return the files of the console by name. */
async function files() {
  const built = await build({
    absWorkingDir: HERE,
    entryPoints: { app: "src/main.tsx" },
    outdir: "out",
    bundle: true,
    minify: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2022",
    charset: "utf8",
    legalComments: "none",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const made = new Map();
  for (const each of built.outputFiles) {
    const [stem, kind] = basename(each.path).split(".");
    made.set(`${stem}-${hash(each.contents)}.${kind}`, Buffer.from(each.contents));
  }
  const icon = readFileSync(join(HERE, "src", "icon.svg"));
  made.set(`icon-${hash(icon)}.svg`, icon);
  const named = (kind) => PREFIX + [...made.keys()].find((each) => each.endsWith(kind));
  const page = readFileSync(join(HERE, "src", "index.html"), "utf8")
    .replace("SCRIPT", named(".js"))
    .replace("STYLE", named(".css"))
    .replace("ICON", named(".svg"));
  made.set("index.html", Buffer.from(page));
  made.set("licenses.txt", Buffer.from(licences(Object.keys(built.metafile.inputs))));
  return made;
}

function hash(content) {
  return createHash("sha256").update(content).digest("hex").slice(0, 12);
}

/** Return the text of the licences of the packages that the inputs belong to. */
function licences(inputs) {
  const packages = new Set();
  for (const each of inputs) {
    const found = /^node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(each);
    if (found !== null) packages.add(found[1]);
  }
  const parts = ["The console's script contains these packages.\n"];
  for (const name of [...packages].sort()) {
    const folder = join(HERE, "node_modules", name);
    const { version, license } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    if (!LICENCES.includes(license)) throw new Error(`${name} has the licence ${license}: may it be bundled?`);
    const file = readdirSync(folder).find((each) => LICENCE_FILES.includes(each));
    const text = file !== undefined ? readFileSync(join(folder, file), "utf8") : "";
    parts.push(`${"-".repeat(80)}\n${name} ${version}: ${license}\n\n${text}`.trimEnd() + "\n");
  }
  const apache = readFileSync(join(HERE, "..", "..", "LICENSE"), "utf8");
  parts.push(`${"-".repeat(80)}\nThe text of Apache-2.0\n\n${apache}`);
  return parts.join("\n");
}

function present() {
  try {
    return new Map(readdirSync(STATIC).map((name) => [name, readFileSync(join(STATIC, name))]));
  } catch {
    return new Map();
  }
}

async function runTests() {
  const folder = join(HERE, ".tests");
  rmSync(folder, { recursive: true, force: true });
  const names = readdirSync(join(HERE, "tests")).filter((each) => each.endsWith(".test.ts"));
  await build({
    absWorkingDir: HERE,
    entryPoints: names.map((each) => join("tests", each)),
    outdir: folder,
    bundle: true,
    platform: "node",
    format: "esm",
    outExtension: { ".js": ".mjs" },
    logLevel: "error",
  });
  const paths = names.map((each) => join(folder, each.replace(/\.ts$/, ".mjs")));
  return spawnSync(process.execPath, ["--test", ...paths], { stdio: "inherit" }).status ?? 1;
}

async function main(argument) {
  if (argument === "--tests") return runTests();
  const made = await files();
  let size = 0;
  for (const content of made.values()) size += gzipSync(content, { level: 9 }).length;
  console.log(`console: ${made.size} files, ${size.toLocaleString("en")} bytes compressed`);
  if (size > MAX_COMPRESSED_BYTES) {
    console.error(`console: at most ${MAX_COMPRESSED_BYTES.toLocaleString("en")} bytes are allowed`);
    return 1;
  }
  const old = present();
  if (argument === "--check") {
    const names = new Set([...made.keys(), ...old.keys()]);
    const differing = [...names].filter((each) => !made.has(each) || !old.get(each)?.equals(made.get(each)));
    for (const each of differing) console.error(`console: static/${each} is not current: run \`make console\``);
    return differing.length > 0 ? 1 : 0;
  }
  rmSync(STATIC, { recursive: true, force: true });
  mkdirSync(STATIC, { recursive: true });
  for (const [name, content] of made) writeFileSync(join(STATIC, name), content);
  return 0;
}

process.exitCode = await main(process.argv[2]);
