// Starts and stops a real tenantry server for one test file, and runs its administrative commands.
import { execFileSync, spawn } from "node:child_process";
import { webcrypto } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

// Node 18 has no global `crypto`, which the SDKs use.
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
 * Creates a database and returns the options that name it: a SQLite file in the directory or, when
 * $TENANTRY_TEST_ENGINE is postgres, a database on the server of $TENANTRY_TEST_POSTGRES. That server is temporary (see
 * ../../../postgres.sh), so the database is not dropped.
 */
function database(directory) {
  if (process.env.TENANTRY_TEST_ENGINE !== "postgres") return ["--database", `sqlite:${join(directory, "tenantry.db")}`];
  const url = execFileSync("python3", [join(here, "../../../lib/new_database.py")], { encoding: "utf8" }).trim();
  return ["--database", url, "--secret-key-file", join(directory, "tenantry.key")];
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

  /** Creates a token of an organization with these scopes, or with every scope when none is given. */
  createToken(organizationId, ...scopes) {
    const options = scopes.length ? scopes.flatMap((scope) => ["--scope", scope]) : ["--all-scopes"];
    return JSON.parse(this.run("token", "create", "--organization", organizationId, ...options, "--json")).token;
  }

  createUserToken(email) {
    return JSON.parse(this.run("user-token", "create", "--create-user", "--email", email, "--json")).token;
  }
}

/** Starts a server on a free port with a new database; returns `{base, directory, cli, stop}`. */
export async function startServer() {
  const directory = mkdtempSync(join(tmpdir(), "tenantry-node-"));
  const options = database(directory);
  const child = spawn(binary(), ["serve", "--listen", "127.0.0.1:0", ...options,
    "--bootstrap", "false", "--rate-limit", "off"], { stdio: ["ignore", "pipe", "ignore"] });
  const ended = new Promise((done) => child.once("exit", done));
  const stop = async () => {
    child.kill("SIGTERM");
    const deadline = setTimeout(() => child.kill("SIGKILL"), 30_000);
    const code = await ended;
    clearTimeout(deadline);
    rmSync(directory, { recursive: true, force: true });
    if (code !== 0) throw new Error(`the server ended with exit status ${code}`);
  };
  const ready = new Promise((resolve, reject) => {
    ended.then(() => reject(new Error("the server ended before it was ready")));
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith(READY_PREFIX)) resolve(line.slice(READY_PREFIX.length));
    });
    setTimeout(() => reject(new Error("the server was not ready within 30 s")), 30_000).unref();
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

/** Returns a word that is not in use. */
export const unique = (word = "word") => `${word}-${++numbers}`;

/** Returns an e-mail address that is not in use. */
export const address = (word = "person") => `${unique(word)}@example.com`;

/** Polls `condition()` until it is true and returns its value. Throws an error after `seconds`. */
export async function eventually(condition, seconds, description) {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > deadline) throw new Error(`not within ${seconds} s: ${description}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
