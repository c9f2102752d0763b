// Starts and stops a real tenantry server for one test file, and asks its command line.
import { execFileSync, spawn } from "node:child_process";
import { randomUUID, webcrypto } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

// Debian's Node 18 does not have it under this name; the SDK is made for later ones.
globalThis.crypto ??= webcrypto;

const here = dirname(fileURLToPath(import.meta.url));
const READY_PREFIX = "listening on ";
const FEATURES = ["member_model_enabled", "seat_based_pricing_enabled"];

function binary() {
  const path = resolve(process.env.TENANTRY_BIN ?? join(here, "../../../../target/release/tenantry"));
  if (!existsSync(path)) throw new Error(`no program to test at ${path}: build it, or set TENANTRY_BIN`);
  return path;
}

/**
 * The options that name a new database: a file in the folder or, when $TENANTRY_TEST_ENGINE is postgres, one
 * on the server of $TENANTRY_TEST_POSTGRES (see ../../../postgres.sh), which goes with the server.
 */
function database(directory) {
  if (process.env.TENANTRY_TEST_ENGINE !== "postgres") return ["--database", `sqlite:${join(directory, "tenantry.db")}`];
  const name = `test_${randomUUID().replaceAll("-", "")}`;
  const url = (of) => process.env.TENANTRY_TEST_POSTGRES.replace("/?", `/${of}?`);
  execFileSync("psql", ["-qX", "-v", "ON_ERROR_STOP=1", "-c", `CREATE DATABASE ${name}`, url("postgres")]);
  return ["--database", url(name), "--secret-key-file", join(directory, "tenantry.key")];
}

/** The administrative commands, on one database. */
class CommandLine {
  constructor(options) {
    this.options = options;
  }

  run(...args) {
    return execFileSync(binary(), [...args, ...this.options], { encoding: "utf8", timeout: 60_000 });
  }

  createOrganization(slug, name, ownerEmail) {
    const features = FEATURES.flatMap((feature) => ["--feature", feature]);
    return JSON.parse(this.run("organization", "create", "--name", name, "--slug", slug,
      "--owner-email", ownerEmail, ...features, "--json"));
  }

  /** A token of an organization; without scopes, with all of them. */
  createToken(organizationId, ...scopes) {
    const given = scopes.length ? scopes.flatMap((scope) => ["--scope", scope]) : ["--all-scopes"];
    return JSON.parse(this.run("token", "create", "--organization", organizationId, ...given, "--json")).token;
  }

  createUserToken(email) {
    return JSON.parse(this.run("user-token", "create", "--email", email, "--json")).token;
  }
}

/** A server on a free port with a database of its own: `{base, directory, cli, stop}`. */
export async function startServer() {
  const directory = mkdtempSync(join(tmpdir(), "tenantry-node-"));
  const options = database(directory);
  const child = spawn(binary(), ["serve", "--listen", "127.0.0.1:0", ...options,
    "--bootstrap", "false", "--rate-limit", "off"], { stdio: ["ignore", "pipe", "ignore"] });
  const ended = new Promise((done) => child.once("exit", done));
  const stop = async () => {
    child.kill("SIGTERM");
    const code = await ended;
    rmSync(directory, { recursive: true, force: true });
    if (code !== 0) throw new Error(`the server ended with ${code}`);
  };
  const ready = new Promise((found, failed) => {
    ended.then(() => failed(new Error("the server ended before it was ready")));
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith(READY_PREFIX)) found(line.slice(READY_PREFIX.length));
    });
    setTimeout(() => failed(new Error("the server was not ready within 30 s")), 30_000).unref();
  });
  try {
    return { base: await ready, directory, cli: new CommandLine(options), stop };
  } catch (error) {
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

let numbers = 0;

/** A word nobody used yet. */
export const unique = (word = "word") => `${word}-${++numbers}`;

/** An e-mail address nobody used yet. */
export const address = (word = "person") => `${unique(word)}@example.com`;

/** Asks until the answer is true; the answer. */
export async function eventually(condition, seconds, what) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${what}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
