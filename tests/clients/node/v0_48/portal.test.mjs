// Customer sessions and the portal they open.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { address } from "../lib/server.mjs";
import { errors, refused, world } from "./world.mjs";

const it = world();
const sessions = () => it.polar.customerSessions;

/** A session, and the portal as its person sees it. */
async function enter(customer, member) {
  const session = await sessions().create(
    { customerId: customer.id, returnUrl: "https://example.com/", ...(member && { memberId: member.id }) });
  const portal = it.connect(session.token).customerPortal;
  return { session, portal, security: member ? { memberSession: session.token } : { customerSession: session.token } };
}

/** A team with an owner, a billing manager and a member, and the portal as each sees it. */
async function staffed() {
  const team = await it.team();
  for (const role of ["billing_manager", "member"]) {
    await it.polar.members.createMember({ customerId: team.id, email: address(role.replace("_", "-")), role });
  }
  const people = await it.members(team);
  return {
    team, people,
    owner: await enter(team, people.owner),
    manager: await enter(team, people.billing_manager),
    plain: await enter(team, people.member),
  };
}

test("a session for an individual", async () => {
  const customer = await it.individual();
  const session = await sessions().create({ customerId: customer.id, returnUrl: "https://example.com/back" });
  assert.deepEqual([session.customerId, session.customer], [customer.id, customer]);
  assert.equal(session.returnUrl, "https://example.com/back");
  assert.equal(new URL(session.customerPortalUrl).searchParams.get("customer_session_token"), session.token);
  assert.ok(session.expiresAt - Date.now() > 55 * 60_000 && session.expiresAt - Date.now() <= 3_600_000);
  const external = await sessions().create({ externalCustomerId: customer.externalId });
  assert.equal(external.customerId, customer.id);
});

test("a session is refused to whom it does not know", async () => {
  const team = await it.team();
  for (const [body, place] of [
    [{ customerId: randomUUID() }, "customer_id"], [{ externalCustomerId: "nobody" }, "external_customer_id"],
    [{ customerId: team.id, memberId: randomUUID() }, "member_id"], [{ customerId: team.id }, "member_id"]]) {
    await refused(() => sessions().create(body), errors.HTTPValidationError, `value_error body ${place}`);
  }
  await refused(() => it.other.customerSessions.create({ customerId: team.id }), errors.HTTPValidationError);
  await refused(() => it.clientWith("customers:write").customerSessions.create({ customerId: team.id }), 403);
});

test("me", async () => {
  const customer = await it.individual();
  const { portal, security } = await enter(customer);
  const me = await portal.customers.get(security);
  assert.deepEqual([me.id, me.email, me.type], [customer.id, customer.email, "individual"]);
  const updated = await portal.customers.update(security, {
    billingName: "Ada & Co", billingAddress: { country: "FR", city: "Paris" }, taxId: "FR61954506077" });
  assert.deepEqual([updated.billingName, updated.billingAddress.city], ["Ada & Co", "Paris"]);
  assert.deepEqual(updated.taxId, ["FR61954506077", "eu_vat"]);
  assert.deepEqual(await portal.customers.get(security), updated);
});

test("me refuses bad fields, a plain member and no session", async () => {
  const { portal, security } = await enter(await it.individual());
  for (const body of [{ billingAddress: { country: "US", state: "ZZ" } }, { defaultPaymentMethodId: randomUUID() }]) {
    await refused(() => portal.customers.update(security, body), errors.HTTPValidationError);
  }
  const { plain } = await staffed();
  await refused(() => plain.portal.customers.update(plain.security, { billingName: "Mine" }), 403);
  await refused(() => portal.customers.get({ customerSession: "dead" }), 401);
  await refused(() => portal.customers.update({ customerSession: "dead" }, {}), 401);
});

test("the session", async () => {
  const { people, team, owner } = await staffed();
  const found = await owner.portal.customerSession.introspect(owner.security);
  assert.deepEqual([found.returnUrl, found.expiresAt instanceof Date], ["https://example.com/", true]);
  const user = await owner.portal.customerSession.getAuthenticatedUser(owner.security);
  assert.deepEqual([user.type, user.role, user.memberId, user.customerId],
    ["member", "owner", people.owner.id, team.id]);
  await refused(() => owner.portal.customerSession.introspect({ memberSession: "dead" }), 401);
  await refused(() => owner.portal.customerSession.getAuthenticatedUser({ memberSession: "dead" }), 401);
});

test("an e-mail change is asked for", async () => {
  const { id } = it.organization;
  const settings = (allowEmailChange) => it.polar.organizations.update({ id, organizationUpdate: {
    customerPortalSettings: { usage: { show: true }, subscription: { updateSeats: true, updatePlan: true },
      customer: { allowEmailChange } } } });
  const customer = await it.individual();
  const { portal, security } = await enter(customer);
  await refused(() => portal.customers.requestEmailUpdate(security, { email: address() }), 403);
  await settings(true);
  assert.equal(await portal.customers.requestEmailUpdate(security, { email: address() }), null);
  await refused(() => portal.customers.requestEmailUpdate(security, { email: customer.email }),
    errors.HTTPValidationError, "value_error body email");
  await settings(false);
});

test("an unknown e-mail change is refused", async () => {
  const anybody = it.connect().customerPortal.customers;
  await refused(() => anybody.checkEmailUpdate({ token: "nobody" }), 401);
  await refused(() => anybody.verifyEmailUpdate({ token: "nobody" }), 401);
});

test("members are listed and added", async () => {
  const { owner, people } = await staffed();
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
  const { owner, people } = await staffed();
  const { id } = people.member;
  const updated = await owner.portal.members.updateMember({ id, customerPortalMemberUpdate: {
    role: "billing_manager" } });
  assert.equal(updated.role, "billing_manager");
  assert.equal(await owner.portal.members.removeMember({ id }), undefined);
  await refused(() => owner.portal.members.removeMember({ id }), 404);
  await refused(() => owner.portal.members.updateMember({ id, customerPortalMemberUpdate: { name: "Gone" } }), 404);
});

test("members are managed by the rules", async () => {
  const { owner, manager, plain, people } = await staffed();
  const change = (who, target, role) => who.portal.members.updateMember(
    { id: people[target].id, customerPortalMemberUpdate: { role } });
  await refused(() => owner.portal.members.addMember({ email: "nope" }),
    errors.HTTPValidationError, "value_error body email");
  await refused(() => change(owner, "owner", "member"), errors.HTTPValidationError);
  await refused(() => change(manager, "member", "owner"), errors.HTTPValidationError);
  await refused(() => owner.portal.members.removeMember({ id: people.owner.id }), errors.HTTPValidationError);
  await refused(() => manager.portal.members.removeMember({ id: people.owner.id }), errors.HTTPValidationError);
  await refused(() => plain.portal.members.listMembers({}), 403);
  await refused(() => plain.portal.members.addMember({ email: address() }), 403);
  await refused(() => change(plain, "owner", "member"), 403);
  await refused(() => plain.portal.members.removeMember({ id: people.billing_manager.id }), 403);
  await refused(() => it.polar.customerPortal.members.listMembers({}), 401);
});

test("a public page of the organization", async () => {
  const { organizations } = it.connect().customerPortal;
  const page = await organizations.get({ slug: "NODE-SDK" });
  assert.deepEqual([page.organization.id, page.products], [it.organization.id, []]);
  await refused(() => organizations.get({ slug: "nobody-here" }), errors.ResourceNotFound);
  await refused(() => organizations.get({ slug: "node_sdk" }), errors.ResourceNotFound);
});
