// Customer sessions and the customer portal.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { address } from "../lib/server.mjs";
import { expectError, forEachVersion } from "./environment.mjs";

forEachVersion((env, version) => {
  const { errors } = env;

  /** Creates a session for a customer, or for one of its members, and opens the portal with it. */
  async function openPortal(customer, member) {
    const { token } = await env.polar.customerSessions.create({
      customer_id: customer.id, return_url: "https://example.com/", ...(member && { member_id: member.id }) });
    return env.connect(token).customerPortal;
  }

  /** Creates a team with an owner, a billing manager and a member, and opens the portal for each of them. */
  async function createTeamWithPortals() {
    const team = await env.createTeam();
    for (const role of ["billing_manager", "member"]) {
      await env.polar.customers.members.create(team.id, { email: address(role.replace("_", "-")), role });
    }
    const people = await env.membersByRole(team);
    return {
      team, people,
      owner: await openPortal(team, people.owner),
      manager: await openPortal(team, people.billing_manager),
      plain: await openPortal(team, people.member),
    };
  }

  test(`${version}: a session`, async () => {
    const customer = await env.createIndividual();
    const session = await env.polar.customerSessions.create(
      { customer_id: customer.id, return_url: "https://example.com/back" });
    assert.deepEqual([session.customer, session.return_url], [customer, "https://example.com/back"]);
    assert.equal(new URL(session.customer_portal_url).searchParams.get("customer_session_token"), session.token);
    const external = await env.polar.customerSessions.create({ external_customer_id: customer.external_id });
    assert.equal(external.customer_id, customer.id);
  });

  test(`${version}: a session is refused for unknown customers and members`, async () => {
    const team = await env.createTeam();
    for (const [body, place] of [
      [{ customer_id: randomUUID() }, "customer_id"], [{ external_customer_id: "unknown" }, "external_customer_id"],
      [{ customer_id: team.id, member_id: randomUUID() }, "member_id"], [{ customer_id: team.id }, "member_id"],
      [{ customer_id: team.id, external_member_id: "unknown" }, "external_member_id"]]) {
      await expectError(() => env.polar.customerSessions.create(body),
        errors.HTTPValidationError, `value_error body ${place}`);
    }
    await expectError(() => env.polar.customerSessions.create({}), errors.HTTPValidationError);
    await expectError(() => env.other.customerSessions.create({ customer_id: team.id }), errors.HTTPValidationError);
    await expectError(() => env.clientWith("customers:write").customerSessions.create({ customer_id: team.id }), 403);
  });

  test(`${version}: get and update the customer`, async () => {
    const customer = await env.createIndividual();
    const portal = await openPortal(customer);
    const me = await portal.customers.get();
    assert.deepEqual([me.id, me.email, me.type], [customer.id, customer.email, "individual"]);
    const updated = await portal.customers.update({
      billing_name: "Ada & Co", billing_address: { country: "FR", city: "Paris" }, tax_id: "FR61954506077" });
    assert.deepEqual([updated.billing_name, updated.billing_address.city, updated.tax_id],
      ["Ada & Co", "Paris", ["FR61954506077", "eu_vat"]]);
    assert.deepEqual(await portal.customers.get(), updated);
    const methods = await portal.customers.listPaymentMethods();
    assert.deepEqual(methods.items, []);
    for (const body of [{ billing_address: { country: "US", state: "ZZ" } },
      { default_payment_method_id: randomUUID() }]) {
      await expectError(() => portal.customers.update(body), errors.HTTPValidationError);
    }
  });

  test(`${version}: the portal needs a session, and billing an owner or manager`, async () => {
    const { plain } = await createTeamWithPortals();
    await expectError(() => plain.customers.update({ billing_name: "Mine" }), 403);
    for (const portal of [env.polar.customerPortal, env.connect("invalid").customerPortal]) {
      await expectError(() => portal.customers.get(), 401);
      await expectError(() => portal.customers.update({}), 401);
      await expectError(() => portal.customerSession.introspect(), 401);
      await expectError(() => portal.customerSession.getAuthenticatedUser(), 401);
      await expectError(() => portal.members.listMembers(), 401);
    }
  });

  test(`${version}: introspect and authenticated user`, async () => {
    const { people, team, owner } = await createTeamWithPortals();
    assert.equal((await owner.customerSession.introspect()).return_url, "https://example.com/");
    const user = await owner.customerSession.getAuthenticatedUser();
    assert.deepEqual([user.type, user.role, user.member_id, user.customer_id],
      ["member", "owner", people.owner.id, team.id]);
  });

  test(`${version}: request an e-mail change`, async () => {
    const settings = (allow_email_change) => env.polar.organizations.update(env.organization.id, {
      customer_portal_settings: { usage: { show: true }, subscription: { update_seats: true, update_plan: true },
        customer: { allow_email_change } } });
    const customer = await env.createIndividual();
    const { customers } = await openPortal(customer);
    await expectError(() => customers.requestEmailUpdate({ email: address() }), 403);
    await settings(true);
    assert.equal(await customers.requestEmailUpdate({ email: address() }), null);
    await expectError(() => customers.requestEmailUpdate({ email: customer.email }),
      errors.HTTPValidationError, "value_error body email");
    await settings(false);
  });

  test(`${version}: an unknown e-mail change token is refused`, async () => {
    const { customers } = env.connect("invalid").customerPortal;
    await expectError(() => customers.checkEmailUpdate({ token: "unknown" }),
      errors.CustomerPortalCustomersCheckEmailUpdate401Error);
    await expectError(() => customers.verifyEmailUpdate({ token: "unknown" }),
      errors.CustomerPortalCustomersVerifyEmailUpdate401Error);
  });

  test(`${version}: members are listed, added, changed and removed`, async () => {
    const { owner: { members }, people } = await createTeamWithPortals();
    const page = await members.listMembers({ limit: 2 });
    assert.deepEqual([page.items.length, page.pagination], [2, { total_count: 3, max_page: 2 }]);
    const seen = [];
    for await (const member of members.iterListMembers({ limit: 2 })) seen.push(member.id);
    assert.deepEqual(seen.sort(), Object.values(people).map((member) => member.id).sort());
    const email = address("added");
    const added = await members.addMember({ email, name: "Added", role: "billing_manager" });
    assert.deepEqual([added.email, added.name, added.role], [email, "Added", "billing_manager"]);
    assert.equal((await members.updateMember(added.id, { name: "Renamed" })).name, "Renamed");
    assert.equal(await members.removeMember(added.id), undefined);
    await expectError(() => members.removeMember(added.id), errors.CustomerPortalMembersRemoveMember404Error);
    await expectError(() => members.updateMember(added.id, {}), errors.CustomerPortalMembersUpdateMember404Error);
  });

  test(`${version}: member management is limited by role`, async () => {
    const { owner, manager, plain, people } = await createTeamWithPortals();
    const change = (caller, target, role) => caller.members.updateMember(people[target].id, { role });
    await expectError(() => owner.members.addMember({ email: "nope" }),
      errors.HTTPValidationError, "value_error body email");
    await expectError(() => change(owner, "owner", "member"), errors.HTTPValidationError);
    await expectError(() => change(manager, "member", "owner"), errors.HTTPValidationError);
    await expectError(() => owner.members.removeMember(people.owner.id), errors.HTTPValidationError);
    await expectError(() => manager.members.removeMember(people.owner.id), errors.HTTPValidationError);
    await expectError(() => plain.members.listMembers(), errors.CustomerPortalMembersListMembers403Error);
    await expectError(() => plain.members.addMember({ email: address() }),
      errors.CustomerPortalMembersAddMember403Error);
    await expectError(() => change(plain, "owner", "member"), errors.CustomerPortalMembersUpdateMember403Error);
    await expectError(() => plain.members.removeMember(people.owner.id),
      errors.CustomerPortalMembersRemoveMember403Error);
  });

  test(`${version}: the public page of the organization`, async () => {
    // The SDK sends a token with every call; the page is public, so an invalid one must not matter.
    for (const portal of [env.polar.customerPortal, env.connect("invalid").customerPortal]) {
      const page = await portal.organizations.get("NODE-SDK");
      assert.deepEqual([page.organization.id, page.products], [env.organization.id, []]);
      await expectError(() => portal.organizations.get("unknown-slug"), errors.ResourceNotFound);
      await expectError(() => portal.organizations.get("node_sdk"), errors.ResourceNotFound);
    }
  });
});
