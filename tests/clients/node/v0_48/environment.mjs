// The SDK 0.48 as a client of a real server.
import { after, before } from "node:test";

import { Polar } from "polar-0-48";
import { HTTPValidationError } from "polar-0-48/models/errors/httpvalidationerror";
import { NotPermitted } from "polar-0-48/models/errors/notpermitted";
import { ResourceNotFound } from "polar-0-48/models/errors/resourcenotfound";
import { Unauthorized } from "polar-0-48/models/errors/unauthorized";

import { errorChecker } from "../lib/errors.mjs";
import { address, startServer, unique } from "../lib/server.mjs";

export const errors = { HTTPValidationError, NotPermitted, ResourceNotFound, Unauthorized };

export const expectError = errorChecker((error) => error.detail);

/** Starts a server for the calling test file. The fields that need the server are set once the tests run. */
export function testEnvironment() {
  const env = {};
  before(async () => {
    env.server = await startServer();
    const { cli } = env.server;
    env.organization = cli.createOrganization("node-sdk", "Node SDK", "founder@example.com");
    env.otherOrganization = cli.createOrganization("node-other", "Node Other", "other@example.com");
    env.connect = (accessToken) => new Polar({ accessToken, serverURL: env.server.base });
    env.polar = env.connect(cli.createToken(env.organization.id));
    env.other = env.connect(cli.createToken(env.otherOrganization.id));
    env.user = env.connect(cli.createUserToken("founder@example.com"));
    env.clientWith = (...scopes) => env.connect(cli.createToken(env.organization.id, ...scopes));
  });
  after(() => env.server?.stop());
  env.createTeam = () => env.polar.customers.create(
    { type: "team", name: "A team", email: address("team"), externalId: unique("team") });
  env.createIndividual = () => env.polar.customers.create(
    { type: "individual", name: "Someone", email: address("single"), externalId: unique("single") });
  /** The members of a customer by role; of several with one role, the last in the list. */
  env.membersByRole = async (customer) => {
    const { result } = await env.polar.members.listMembers({ customerId: customer.id, limit: 100 });
    return Object.fromEntries(result.items.map((member) => [member.role, member]));
  };
  return env;
}
