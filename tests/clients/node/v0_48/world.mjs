// The SDK 0.48 pointed at a real server.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import { Polar } from "polar-0-48";
import { HTTPValidationError } from "polar-0-48/models/errors/httpvalidationerror";
import { NotPermitted } from "polar-0-48/models/errors/notpermitted";
import { ResourceNotFound } from "polar-0-48/models/errors/resourcenotfound";
import { Unauthorized } from "polar-0-48/models/errors/unauthorized";

import { address, startServer, unique } from "../lib/server.mjs";

export const errors = { HTTPValidationError, NotPermitted, ResourceNotFound, Unauthorized };

/** Starts a server for the file that calls this; its fields are there once the tests run. */
export function world() {
  const it = {};
  before(async () => {
    it.server = await startServer();
    const { cli } = it.server;
    it.organization = cli.createOrganization("node-sdk", "Node SDK", "founder@example.com");
    it.otherOrganization = cli.createOrganization("node-other", "Node Other", "other@example.com");
    it.connect = (accessToken) => new Polar({ accessToken, serverURL: it.server.base });
    it.polar = it.connect(cli.createToken(it.organization.id));
    it.other = it.connect(cli.createToken(it.otherOrganization.id));
    it.user = it.connect(cli.createUserToken("founder@example.com"));
    it.clientWith = (...scopes) => it.connect(cli.createToken(it.organization.id, ...scopes));
  });
  after(() => it.server?.stop());
  it.team = () => it.polar.customers.create(
    { type: "team", name: "A team", email: address("team"), externalId: unique("team") });
  it.individual = () => it.polar.customers.create(
    { type: "individual", name: "Someone", email: address("single"), externalId: unique("single") });
  it.members = async (customer) => {
    const { result } = await it.polar.members.listMembers({ customerId: customer.id, limit: 100 });
    return Object.fromEntries(result.items.map((member) => [member.role, member]));
  };
  return it;
}

/** The call must be refused with the SDK's own error for it; the error. */
export async function refused(call, kind, ...places) {
  const caught = await call().then(() => assert.fail("was not refused"), (error) => error);
  if (typeof kind === "number") {
    assert.equal(caught.statusCode, kind, String(caught));
    return caught;
  }
  assert.ok(caught instanceof kind, `${caught?.name}: ${caught}`);
  if (places.length) {
    assert.deepEqual(caught.detail.map((item) => [item.type, ...item.loc].join(" ")).sort(), places.sort());
  }
  return caught;
}
