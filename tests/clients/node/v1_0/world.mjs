// The SDK 1.0 pointed at a real server, in every API version that both know.
import assert from "node:assert/strict";
import { after, before } from "node:test";

import * as april from "polar-1-0/2026-04";
import * as october from "polar-1-0/2026-10";

import { address, startServer, unique } from "../lib/server.mjs";

export const versions = { "2026-04": april, "2026-10": october };

/** Starts a server for the file that calls this, with one set of clients for each version. */
export function world(tests) {
  const it = {};
  before(async () => {
    it.server = await startServer();
    const { cli } = it.server;
    it.organization = cli.createOrganization("node-ten", "Node Ten", "founder@example.com");
    it.otherOrganization = cli.createOrganization("node-ten-other", "Node Other", "other@example.com");
    const tokens = {
      polar: cli.createToken(it.organization.id),
      other: cli.createToken(it.otherOrganization.id),
      user: cli.createUserToken("founder@example.com"),
    };
    for (const [version, world_] of Object.entries(worlds)) {
      world_.server = it.server;
      world_.organization = it.organization;
      world_.otherOrganization = it.otherOrganization;
      world_.connect = (accessToken, options = {}) => versions[version].createPolar(
        { accessToken, baseUrl: it.server.base, timeout: 30, ...options });
      world_.clientWith = (...scopes) => world_.connect(cli.createToken(it.organization.id, ...scopes));
      for (const [name, token] of Object.entries(tokens)) world_[name] = world_.connect(token);
      // The SDK has no list of members but below a customer: asked without it.
      world_.members = async (customer) => {
        const answer = await fetch(`${it.server.base}/v1/members/?customer_id=${customer.id}&limit=100`,
          { headers: { Authorization: `Bearer ${tokens.polar}` } });
        const { items } = await answer.json();
        return Object.fromEntries(items.map((member) => [member.role, member]));
      };
    }
  });
  after(() => it.server?.stop());
  const worlds = {};
  for (const [version, { errors, webhooks }] of Object.entries(versions)) {
    const here = worlds[version] = { errors, webhooks };
    here.team = () => here.polar.customers.create(
      { type: "team", name: "A team", email: address("team"), external_id: unique("team") });
    here.individual = () => here.polar.customers.create(
      { name: "Someone", email: address("single"), external_id: unique("single") });
    tests(here, version);
  }
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
    assert.deepEqual(caught.error.detail.map((item) => [item.type, ...item.loc].join(" ")).sort(), places.sort());
  }
  return caught;
}
