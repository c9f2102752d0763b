// better-auth with its organization plugin, over PostgreSQL, with one process for each processor.
//
//   node server.mjs setup DATABASE MEMBERS    makes the tables and the data, prints a token and ids as JSON
//   node server.mjs serve DATABASE PORT       serves on 127.0.0.1 until it is ended
import cluster from "node:cluster";
import { createServer } from "node:http";
import { availableParallelism } from "node:os";

import { betterAuth } from "better-auth";
import { getMigrations } from "better-auth/db/migration";
import { fromNodeHeaders, toNodeHandler } from "better-auth/node";
import { admin, bearer, organization } from "better-auth/plugins";
import pg from "pg";

const [command, database, number] = process.argv.slice(2);
const pool = new pg.Pool({ connectionString: database, max: 10 });
const externalId = { type: "string", required: false, unique: true };
const auth = betterAuth({
  baseURL: "http://127.0.0.1",
  secret: "a secret of the benchmark, which ends with it",
  database: pool,
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: false },
  telemetry: { enabled: false },
  logger: { level: "error" },
  plugins: [
    bearer(),
    admin(),
    organization({
      membershipLimit: 1_000_000_000,
      schema: { member: { additionalFields: { externalId } } },
    }),
  ],
});

const SEED = `
  WITH created AS (
    INSERT INTO "user" (id, name, email, "emailVerified", "createdAt", "updatedAt")
    SELECT 'user-' || i, 'Person ' || i, 'person-' || i || '@example.com', false, now(), now()
    FROM generate_series(1, $2::bigint) AS i RETURNING id)
  INSERT INTO member (id, "organizationId", "userId", role, "createdAt", "externalId")
  SELECT 'member-' || substr(id, 6), $1, id, 'member', now(), 'ext-' || substr(id, 6) FROM created`;

async function setup(members) {
  const { runMigrations } = await getMigrations(auth.options);
  await runMigrations();
  const owner = { email: "owner@example.com", name: "Owner", password: "a password of the benchmark" };
  const { token, user } = await auth.api.signUpEmail({ body: owner });
  await pool.query(`UPDATE "user" SET role = 'admin' WHERE id = $1`, [user.id]);
  const headers = new Headers({ authorization: `Bearer ${token}` });
  const made = await auth.api.createOrganization({ body: { name: "Bench", slug: "bench" }, headers });
  await pool.query(SEED, [made.id, members]);
  // For the search.
  await pool.query("CREATE EXTENSION pg_trgm");
  await pool.query('CREATE INDEX user_email_search ON "user" USING gin (email gin_trgm_ops)');
  await pool.query("VACUUM ANALYZE");
  console.log(JSON.stringify({ token, organization: made.id }));
  await pool.end();
}

// The library adds members only from the server's own code, to a user that exists: so an application has such a route.
async function addMember(request, response) {
  let text = "";
  for await (const part of request) text += part;
  const { email, name, external_id: externalId, organizationId } = JSON.parse(text);
  // This also checks the caller's token, so that the next call need not.
  const { user } = await auth.api.createUser({ body: { email, name }, headers: fromNodeHeaders(request.headers) });
  const member = await auth.api.addMember({ body: { userId: user.id, organizationId, role: "member", externalId } });
  response.writeHead(201, { "content-type": "application/json" }).end(JSON.stringify(member));
}

function serve(port) {
  const library = toNodeHandler(auth);
  const server = createServer((request, response) => {
    if (request.method !== "POST" || request.url !== "/members") return library(request, response);
    addMember(request, response).catch((error) => {
      response.writeHead(error.statusCode ?? 500).end(String(error));
    });
  });
  server.keepAliveTimeout = 75_000;
  server.listen(port, "127.0.0.1");
}

if (command === "setup") {
  await setup(Number(number));
} else if (cluster.isPrimary) {
  for (let worker = 0; worker < availableParallelism(); worker++) cluster.fork();
  cluster.on("exit", () => process.exit(1));
} else {
  serve(Number(number));
}
