// Customer sessions and the portal they open.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { address } from "../lib/server.mjs";
import { refused, world } from "./world.mjs";

world((it, version) => {
  const { errors } = it;

  /** The portal as a customer's owner, or as one of its members, sees it. */
  async function enter(customer, member) {
    const { token } = await it.polar.customerSessions.create({
      customer_id: customer.id, return_url: "https://example.com/", ...(member && { member_id: member.id }) });
    return it.connect(token).customerPortal;
  }

  /** A team with an owner, a billing manager and a member, and the portal as each sees it. */
  async function staffed() {
    const team = await it.team();
    for (const role of ["billing_manager", "member"]) {
      await it.polar.customers.members.create(team.id, { email: address(role.replace("_", "-")), role });
    }
    const people = await it.members(team);
    return {
      team, people,
      owner: await enter(team, people.owner),
      manager: await enter(team, people.billing_manager),
      plain: await enter(team, people.member),
    };
  }

  test(`${version}: a session`, async () => {
    const customer = await it.individual();
    const session = await it.polar.customerSessions.create(
      { customer_id: customer.id, return_url: "https://example.com/back" });
    assert.deepEqual([session.customer, session.return_url], [customer, "https://example.com/back"]);
    assert.equal(new URL(session.customer_portal_url).searchParams.get("customer_session_token"), session.token);
    const external = await it.polar.customerSessions.create({ external_customer_id: customer.external_id });
    assert.equal(external.customer_id, customer.id);
  });

  test(`${version}: a session is refused to whom it does not know`, async () => {
    const team = await it.team();
    for (const [body, place] of [
      [{ customer_id: randomUUID() }, "customer_id"], [{ external_customer_id: "nobody" }, "external_customer_id"],
      [{ customer_id: team.id, member_id: randomUUID() }, "member_id"], [{ customer_id: team.id }, "member_id"],
      [{ customer_id: team.id, external_member_id: "nobody" }, "external_member_id"]]) {
      await refused(() => it.polar.customerSessions.create(body),
        errors.HTTPValidationError, `value_error body ${place}`);
    }
    await refused(() => it.polar.customerSessions.create({}), errors.HTTPValidationError);
    await refused(() => it.other.customerSessions.create({ customer_id: team.id }), errors.HTTPValidationError);
    await refused(() => it.clientWith("customers:write").customerSessions.create({ customer_id: team.id }), 403);
  });

  test(`${version}: me`, async () => {
    const customer = await it.individual();
    const portal = await enter(customer);
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
      await refused(() => portal.customers.update(body), errors.HTTPValidationError);
    }
  });

  test(`${version}: me is for sessions, and billing for owners and managers`, async () => {
    const { plain } = await staffed();
    await refused(() => plain.customers.update({ billing_name: "Mine" }), 403);
    for (const portal of [it.polar.customerPortal, it.connect("dead").customerPortal]) {
      await refused(() => portal.customers.get(), 401);
      await refused(() => portal.customers.update({}), 401);
      await refused(() => portal.customerSession.introspect(), 401);
      await refused(() => portal.customerSession.getAuthenticatedUser(), 401);
      await refused(() => portal.members.listMembers(), 401);
    }
  });

  test(`${version}: the session`, async () => {
    const { people, team, owner } = await staffed();
    assert.equal((await owner.customerSession.introspect()).return_url, "https://example.com/");
    const user = await owner.customerSession.getAuthenticatedUser();
    assert.deepEqual([user.type, user.role, user.member_id, user.customer_id],
      ["member", "owner", people.owner.id, team.id]);
  });

  test(`${version}: an e-mail change is asked for`, async () => {
    const settings = (allow_email_change) => it.polar.organizations.update(it.organization.id, {
      customer_portal_settings: { usage: { show: true }, subscription: { update_seats: true, update_plan: true },
        customer: { allow_email_change } } });
    const customer = await it.individual();
    const { customers } = await enter(customer);
    await refused(() => customers.requestEmailUpdate({ email: address() }), 403);
    await settings(true);
    assert.equal(await customers.requestEmailUpdate({ email: address() }), null);
    await refused(() => customers.requestEmailUpdate({ email: customer.email }),
      errors.HTTPValidationError, "value_error body email");
    await settings(false);
  });

  test(`${version}: an unknown e-mail change is refused`, async () => {
    const { customers } = it.connect("dead").customerPortal;
    await refused(() => customers.checkEmailUpdate({ token: "nobody" }),
      errors.CustomerPortalCustomersCheckEmailUpdate401Error);
    await refused(() => customers.verifyEmailUpdate({ token: "nobody" }),
      errors.CustomerPortalCustomersVerifyEmailUpdate401Error);
  });

  test(`${version}: members are listed, added, changed and removed`, async () => {
    const { owner: { members }, people } = await staffed();
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
    await refused(() => members.removeMember(added.id), errors.CustomerPortalMembersRemoveMember404Error);
    await refused(() => members.updateMember(added.id, {}), errors.CustomerPortalMembersUpdateMember404Error);
  });

  test(`${version}: members are managed by the rules`, async () => {
    const { owner, manager, plain, people } = await staffed();
    const change = (who, target, role) => who.members.updateMember(people[target].id, { role });
    await refused(() => owner.members.addMember({ email: "nope" }),
      errors.HTTPValidationError, "value_error body email");
    await refused(() => change(owner, "owner", "member"), errors.HTTPValidationError);
    await refused(() => change(manager, "member", "owner"), errors.HTTPValidationError);
    await refused(() => owner.members.removeMember(people.owner.id), errors.HTTPValidationError);
    await refused(() => manager.members.removeMember(people.owner.id), errors.HTTPValidationError);
    await refused(() => plain.members.listMembers(), errors.CustomerPortalMembersListMembers403Error);
    await refused(() => plain.members.addMember({ email: address() }),
      errors.CustomerPortalMembersAddMember403Error);
    await refused(() => change(plain, "owner", "member"), errors.CustomerPortalMembersUpdateMember403Error);
    await refused(() => plain.members.removeMember(people.owner.id),
      errors.CustomerPortalMembersRemoveMember403Error);
  });

  test(`${version}: a public page of the organization`, async () => {
    // The SDK sends a token with every call; one that is dead must not hide what is public.
    for (const portal of [it.polar.customerPortal, it.connect("dead").customerPortal]) {
      const page = await portal.organizations.get("NODE-TEN");
      assert.deepEqual([page.organization.id, page.products], [it.organization.id, []]);
      await refused(() => portal.organizations.get("nobody-here"), errors.ResourceNotFound);
      await refused(() => portal.organizations.get("node_ten"), errors.ResourceNotFound);
    }
  });
});
