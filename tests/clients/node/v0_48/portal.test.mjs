// Customer sessions and the customer portal.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { address } from "../lib/server.mjs";
import { errors, expectError, testEnvironment } from "./environment.mjs";

const env = testEnvironment();
const sessions = () => env.polar.customerSessions;

/** Creates a session for a customer, or for one of its members, and opens the portal with it. */
async function openPortal(customer, member) {
  const session = await sessions().create(
    { customerId: customer.id, returnUrl: "https://example.com/", ...(member && { memberId: member.id }) });
  const portal = env.connect(session.token).customerPortal;
  return { session, portal, security: member ? { memberSession: session.token } : { customerSession: session.token } };
}

/** Creates a team with an owner, a billing manager and a member, and opens the portal for each of them. */
async function createTeamWithPortals() {
  const team = await env.createTeam();
  for (const role of ["billing_manager", "member"]) {
    await env.polar.members.createMember({ customerId: team.id, email: address(role.replace("_", "-")), role });
  }
  const people = await env.membersByRole(team);
  return {
    team, people,
    owner: await openPortal(team, people.owner),
    manager: await openPortal(team, people.billing_manager),
    plain: await openPortal(team, people.member),
  };
}

test("a session for an individual", async () => {
  const customer = await env.createIndividual();
  const session = await sessions().create({ customerId: customer.id, returnUrl: "https://example.com/back" });
  assert.deepEqual([session.customerId, session.customer], [customer.id, customer]);
  assert.equal(session.returnUrl, "https://example.com/back");
  assert.equal(new URL(session.customerPortalUrl).searchParams.get("customer_session_token"), session.token);
  assert.ok(session.expiresAt - Date.now() > 55 * 60_000 && session.expiresAt - Date.now() <= 3_600_000);
  const external = await sessions().create({ externalCustomerId: customer.externalId });
  assert.equal(external.customerId, customer.id);
});

test("a session is refused for unknown customers and members", async () => {
  const team = await env.createTeam();
  for (const [body, place] of [
    [{ customerId: randomUUID() }, "customer_id"], [{ externalCustomerId: "unknown" }, "external_customer_id"],
    [{ customerId: team.id, memberId: randomUUID() }, "member_id"], [{ customerId: team.id }, "member_id"]]) {
    await expectError(() => sessions().create(body), errors.HTTPValidationError, `value_error body ${place}`);
  }
  await expectError(() => env.other.customerSessions.create({ customerId: team.id }), errors.HTTPValidationError);
  await expectError(() => env.clientWith("customers:write").customerSessions.create({ customerId: team.id }), 403);
});

test("get and update the customer", async () => {
  const customer = await env.createIndividual();
  const { portal, security } = await openPortal(customer);
  const me = await portal.customers.get(security);
  assert.deepEqual([me.id, me.email, me.type], [customer.id, customer.email, "individual"]);
  const updated = await portal.customers.update(security, {
    billingName: "Ada & Co", billingAddress: { country: "FR", city: "Paris" }, taxId: "FR61954506077" });
  assert.deepEqual([updated.billingName, updated.billingAddress.city], ["Ada & Co", "Paris"]);
  assert.deepEqual(updated.taxId, ["FR61954506077", "eu_vat"]);
  assert.deepEqual(await portal.customers.get(security), updated);
});

test("update is refused for invalid fields, plain members and invalid sessions", async () => {
  const { portal, security } = await openPortal(await env.createIndividual());
  for (const body of [{ billingAddress: { country: "US", state: "ZZ" } }, { defaultPaymentMethodId: randomUUID() }]) {
    await expectError(() => portal.customers.update(security, body), errors.HTTPValidationError);
  }
  const { plain } = await createTeamWithPortals();
  await expectError(() => plain.portal.customers.update(plain.security, { billingName: "Mine" }), 403);
  await expectError(() => portal.customers.get({ customerSession: "invalid" }), 401);
  await expectError(() => portal.customers.update({ customerSession: "invalid" }, {}), 401);
});

test("introspect and authenticated user", async () => {
  const { people, team, owner } = await createTeamWithPortals();
  const found = await owner.portal.customerSession.introspect(owner.security);
  assert.deepEqual([found.returnUrl, found.expiresAt instanceof Date], ["https://example.com/", true]);
  const user = await owner.portal.customerSession.getAuthenticatedUser(owner.security);
  assert.deepEqual([user.type, user.role, user.memberId, user.customerId],
    ["member", "owner", people.owner.id, team.id]);
  await expectError(() => owner.portal.customerSession.introspect({ memberSession: "invalid" }), 401);
  await expectError(() => owner.portal.customerSession.getAuthenticatedUser({ memberSession: "invalid" }), 401);
});

test("request an e-mail change", async () => {
  const { id } = env.organization;
  const settings = (allowEmailChange) => env.polar.organizations.update({ id, organizationUpdate: {
    customerPortalSettings: { usage: { show: true }, subscription: { updateSeats: true, updatePlan: true },
      customer: { allowEmailChange } } } });
  const customer = await env.createIndividual();
  const { portal, security } = await openPortal(customer);
  await expectError(() => portal.customers.requestEmailUpdate(security, { email: address() }), 403);
  await settings(true);
  assert.equal(await portal.customers.requestEmailUpdate(security, { email: address() }), null);
  await expectError(() => portal.customers.requestEmailUpdate(security, { email: customer.email }),
    errors.HTTPValidationError, "value_error body email");
  await settings(false);
});

test("an unknown e-mail change token is refused", async () => {
  const anonymous = env.connect().customerPortal.customers;
  await expectError(() => anonymous.checkEmailUpdate({ token: "unknown" }), 401);
  await expectError(() => anonymous.verifyEmailUpdate({ token: "unknown" }), 401);
});

test("members are listed and added", async () => {
  const { owner, people } = await createTeamWithPortals();
  const seen = [];
  for await (const page of await owner.portal.members.listMembers({ limit: 2 })) {
    assert.deepEqual(page.result.pagination, { totalCount: 3, maxPage: 2 });
    seen.push(...page.result.items.map((member) => member.id));
  }
  assert.deepEqual(seen.sort(), Object.values(people).map((member) => member.id).sort());
  const email = address("added");
  const added = await owner.portal.members.addMember({ email, name: "Added", role: "billing_manager" });
  assert.deepEqual([added.email, added.name, added.role], [email, "Added", "billing_manager"]);
  assert.equal((await owner.portal.members.addMember({ email })).id, added.id);
});

test("members are changed and removed", async () => {
  const { owner, people } = await createTeamWithPortals();
  const { id } = people.member;
  const updated = await owner.portal.members.updateMember({ id, customerPortalMemberUpdate: {
    role: "billing_manager" } });
  assert.equal(updated.role, "billing_manager");
  assert.equal(await owner.portal.members.removeMember({ id }), undefined);
  await expectError(() => owner.portal.members.removeMember({ id }), 404);
  await expectError(() => owner.portal.members.updateMember({ id, customerPortalMemberUpdate: { name: "Deleted" } }), 404);
});

test("member management is limited by role", async () => {
  const { owner, manager, plain, people } = await createTeamWithPortals();
  const change = (caller, target, role) => caller.portal.members.updateMember(
    { id: people[target].id, customerPortalMemberUpdate: { role } });
  await expectError(() => owner.portal.members.addMember({ email: "nope" }),
    errors.HTTPValidationError, "value_error body email");
  await expectError(() => change(owner, "owner", "member"), errors.HTTPValidationError);
  await expectError(() => change(manager, "member", "owner"), errors.HTTPValidationError);
  await expectError(() => owner.portal.members.removeMember({ id: people.owner.id }), errors.HTTPValidationError);
  await expectError(() => manager.portal.members.removeMember({ id: people.owner.id }), errors.HTTPValidationError);
  await expectError(() => plain.portal.members.listMembers({}), 403);
  await expectError(() => plain.portal.members.addMember({ email: address() }), 403);
  await expectError(() => change(plain, "owner", "member"), 403);
  await expectError(() => plain.portal.members.removeMember({ id: people.billing_manager.id }), 403);
  await expectError(() => env.polar.customerPortal.members.listMembers({}), 401);
});

test("the public page of the organization", async () => {
  const { organizations } = env.connect().customerPortal;
  const page = await organizations.get({ slug: "NODE-SDK" });
  assert.deepEqual([page.organization.id, page.products], [env.organization.id, []]);
  await expectError(() => organizations.get({ slug: "unknown-slug" }), errors.ResourceNotFound);
  await expectError(() => organizations.get({ slug: "node_sdk" }), errors.ResourceNotFound);
});
