// The SDK 1.0 as a client of a real server, in every API version that both know.
import { after, before } from "node:test";

import * as april from "polar-1-0/2026-04";
import * as october from "polar-1-0/2026-10";

import { errorChecker } from "../lib/errors.mjs";
import { address, startServer, unique } from "../lib/server.mjs";

const versions = { "2026-04": april, "2026-10": october };

export const expectError = errorChecker((error) => error.error.detail);

/**
 * Starts a server for the calling test file and calls `tests(env, version)` for each API version, which declares the
 * tests. The fields of `env` that need the server are set once the tests run.
 */
export function forEachVersion(tests) {
  let server;
  const environments = Object.entries(versions).map(([version, sdk]) => {
    const env = { errors: sdk.errors, webhooks: sdk.webhooks };
    env.createTeam = () => env.polar.customers.create(
      { type: "team", name: "A team", email: address("team"), external_id: unique("team") });
    env.createIndividual = () => env.polar.customers.create(
      { name: "Someone", email: address("single"), external_id: unique("single") });
    return [version, sdk, env];
  });
  before(async () => {
    server = await startServer();
    const { cli } = server;
    const organization = cli.createOrganization("node-sdk", "Node SDK", "founder@example.com");
    const otherOrganization = cli.createOrganization("node-other", "Node Other", "other@example.com");
    const tokens = {
      polar: cli.createToken(organization.id),
      other: cli.createToken(otherOrganization.id),
      user: cli.createUserToken("founder@example.com"),
    };
    for (const [, sdk, env] of environments) {
      Object.assign(env, { server, organization, otherOrganization });
      env.connect = (accessToken, options = {}) => sdk.createPolar(
        { accessToken, baseUrl: server.base, timeout: 30, ...options });
      env.clientWith = (...scopes) => env.connect(cli.createToken(organization.id, ...scopes));
      for (const [name, token] of Object.entries(tokens)) env[name] = env.connect(token);
      /** The members of a customer by role. Does not use the SDK, which lists members only below a customer. */
      env.membersByRole = async (customer) => {
        const answer = await fetch(`${server.base}/v1/members/?customer_id=${customer.id}&limit=100`,
          { headers: { Authorization: `Bearer ${tokens.polar}` } });
        const { items } = await answer.json();
        return Object.fromEntries(items.map((member) => [member.role, member]));
      };
    }
  });
  after(() => server?.stop());
  for (const [version, , env] of environments) tests(env, version);
}
