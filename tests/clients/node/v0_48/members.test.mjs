import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { address } from "../lib/server.mjs";
import { errors, refused, world } from "./world.mjs";

const it = world();

const add = (customer, fields = {}) =>
  it.polar.members.createMember({ customerId: customer.id, email: address(), ...fields });

test("create", async () => {
  const team = await it.team();
  const email = address();
  const member = await add(team, { email, name: "Jane Doe", externalId: "usr_1337", role: "billing_manager" });
  assert.deepEqual([member.email, member.name, member.externalId, member.role, member.customerId],
    [email, "Jane Doe", "usr_1337", "billing_manager", team.id]);
  assert.ok(member.createdAt instanceof Date);
  assert.equal(member.modifiedAt, null);
  assert.deepEqual(await add(team, { email: email.toUpperCase(), name: "Again" }), member);
});

test("create refuses bad fields", async () => {
  const team = await it.team();
  await refused(() => add(team, { email: "nope" }), errors.HTTPValidationError, "value_error body email");
  await refused(() => add(team, { name: "n".repeat(257) }), errors.HTTPValidationError, "string_too_long body name");
  await add(team, { externalId: "taken" });
  await refused(() => add(team, { externalId: "taken" }),
    errors.HTTPValidationError, "value_error body external_id");
});

test("create for nobody is not found", async () => {
  const error = await refused(() => add({ id: randomUUID() }), errors.ResourceNotFound);
  assert.equal(error.detail, "Customer not found");
});

test("create refuses a second member of an individual", async () => {
  const customer = await it.individual();
  // The SDK gives 403 no type of its own here; the body says which it is.
  const error = await refused(() => add(customer), 403);
  assert.equal(JSON.parse(error.body).error, "NotPermitted");
});

test("get, by id and by external id", async () => {
  const team = await it.team();
  const member = await add(team, { externalId: "ext" });
  assert.deepEqual(await it.polar.members.getMember({ id: member.id }), member);
  for (const customer of [{ customerId: team.id }, { externalCustomerId: team.externalId }]) {
    assert.deepEqual(await it.polar.members.getMemberByExternalId({ externalId: "ext", ...customer }), member);
  }
});

test("by external id, one customer must be named", async () => {
  const team = await it.team();
  await refused(() => it.polar.members.getMemberByExternalId({ externalId: "ext" }),
    errors.HTTPValidationError, "missing query");
  await refused(() => it.polar.members.getMemberByExternalId(
    { externalId: "ext", customerId: team.id, externalCustomerId: team.externalId }),
    errors.HTTPValidationError, "value_error query");
});

test("list", async () => {
  const team = await it.team();
  const { owner } = await it.members(team);
  const added = [];
  for (let i = 0; i < 4; i++) added.push(await add(team));
  const newestFirst = [...[...added].reverse(), owner];
  const found = [];
  for await (const page of await it.polar.members.listMembers({ customerId: team.id, limit: 2 })) {
    assert.deepEqual(page.result.pagination, { totalCount: 5, maxPage: 3 });
    found.push(...page.result.items);
  }
  assert.deepEqual(found, newestFirst);
  const owners = await it.polar.members.listMembers({ externalCustomerId: team.externalId, role: "owner" });
  assert.deepEqual(owners.result.items, [owner]);
  const none = await it.polar.members.listMembers({ customerId: randomUUID() });
  assert.deepEqual(none.result.items, []);
});

test("list refuses a page of nothing", () =>
  refused(() => it.polar.members.listMembers({ page: 0 }), errors.HTTPValidationError, "greater_than query page"));

test("update, by id and by external id", async () => {
  const team = await it.team();
  const member = await add(team, { name: "Before", externalId: "ext" });
  const updated = await it.polar.members.updateMember(
    { id: member.id, memberUpdate: { name: "After", role: "billing_manager" } });
  assert.deepEqual([updated.name, updated.role], ["After", "billing_manager"]);
  const again = await it.polar.members.updateMemberByExternalId(
    { externalId: "ext", customerId: team.id, memberUpdate: { name: "Again" } });
  assert.deepEqual([again.id, again.name], [member.id, "Again"]);
});

test("ownership moves and stays", async () => {
  const team = await it.team();
  const heir = await add(team);
  await it.polar.members.updateMember({ id: heir.id, memberUpdate: { role: "owner" } });
  const { owner, billing_manager: before } = await it.members(team);
  assert.deepEqual([owner.id, before.email], [heir.id, team.email]);
  await refused(() => it.polar.members.updateMember({ id: heir.id, memberUpdate: { role: "member" } }),
    errors.HTTPValidationError, "value_error body role");
  await refused(() => it.polar.members.deleteMember({ id: heir.id }),
    errors.HTTPValidationError, "value_error body");
});

test("delete, by id and by external id", async () => {
  const team = await it.team();
  const [first] = [await add(team), await add(team, { externalId: "ext" })];
  assert.equal(await it.polar.members.deleteMember({ id: first.id }), undefined);
  assert.equal(await it.polar.members.deleteMemberByExternalId({ externalId: "ext", customerId: team.id }), undefined);
  for (const call of [
    () => it.polar.members.getMember({ id: first.id }),
    () => it.polar.members.deleteMember({ id: first.id }),
    () => it.polar.members.updateMember({ id: first.id, memberUpdate: {} }),
    () => it.polar.members.deleteMemberByExternalId({ externalId: "ext", customerId: team.id }),
    () => it.polar.members.updateMemberByExternalId({ externalId: "ext", customerId: team.id, memberUpdate: {} }),
  ]) {
    assert.equal((await refused(call, errors.ResourceNotFound)).detail, "Member not found");
  }
});

test("what is another's is not found", async () => {
  const team = await it.team();
  const { owner } = await it.members(team);
  await refused(() => it.other.members.getMember({ id: owner.id }), errors.ResourceNotFound);
  await refused(() => it.other.members.updateMember({ id: owner.id, memberUpdate: { name: "Mine" } }),
    errors.ResourceNotFound);
  await refused(() => it.other.members.deleteMember({ id: owner.id }), errors.ResourceNotFound);
});

test("a missing scope is forbidden", async () => {
  const team = await it.team();
  const { owner } = await it.members(team);
  const reader = it.clientWith("members:read");
  assert.deepEqual(await reader.members.getMember({ id: owner.id }), owner);
  await refused(() => reader.members.deleteMember({ id: owner.id }), 403);
});
