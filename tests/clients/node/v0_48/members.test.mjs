import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { address } from "../lib/server.mjs";
import { errors, expectError, testEnvironment } from "./environment.mjs";

const env = testEnvironment();

const add = (customer, fields = {}) =>
  env.polar.members.createMember({ customerId: customer.id, email: address(), ...fields });

test("create", async () => {
  const team = await env.createTeam();
  const email = address();
  const member = await add(team, { email, name: "Jane Doe", externalId: "usr_1337", role: "billing_manager" });
  assert.deepEqual([member.email, member.name, member.externalId, member.role, member.customerId],
    [email, "Jane Doe", "usr_1337", "billing_manager", team.id]);
  assert.ok(member.createdAt instanceof Date);
  assert.equal(member.modifiedAt, null);
  assert.deepEqual(await add(team, { email: email.toUpperCase(), name: "Again" }), member);
});

test("create refuses invalid fields", async () => {
  const team = await env.createTeam();
  await expectError(() => add(team, { email: "nope" }), errors.HTTPValidationError, "value_error body email");
  await expectError(() => add(team, { name: "n".repeat(257) }), errors.HTTPValidationError, "string_too_long body name");
  await add(team, { externalId: "taken" });
  await expectError(() => add(team, { externalId: "taken" }),
    errors.HTTPValidationError, "value_error body external_id");
});

test("create for an unknown customer is not found", async () => {
  const error = await expectError(() => add({ id: randomUUID() }), errors.ResourceNotFound);
  assert.equal(error.detail, "Customer not found");
});

test("create refuses a second member of an individual", async () => {
  const customer = await env.createIndividual();
  // The SDK has no error type for a 403 here; the body tells which one it is.
  const error = await expectError(() => add(customer), 403);
  assert.equal(JSON.parse(error.body).error, "NotPermitted");
});

test("get, by id and by external id", async () => {
  const team = await env.createTeam();
  const member = await add(team, { externalId: "ext" });
  assert.deepEqual(await env.polar.members.getMember({ id: member.id }), member);
  for (const customer of [{ customerId: team.id }, { externalCustomerId: team.externalId }]) {
    assert.deepEqual(await env.polar.members.getMemberByExternalId({ externalId: "ext", ...customer }), member);
  }
});

test("a member by external id needs exactly one customer", async () => {
  const team = await env.createTeam();
  await expectError(() => env.polar.members.getMemberByExternalId({ externalId: "ext" }),
    errors.HTTPValidationError, "missing query");
  await expectError(() => env.polar.members.getMemberByExternalId(
    { externalId: "ext", customerId: team.id, externalCustomerId: team.externalId }),
    errors.HTTPValidationError, "value_error query");
});

test("list", async () => {
  const team = await env.createTeam();
  const { owner } = await env.membersByRole(team);
  const added = [];
  for (let i = 0; i < 4; i++) added.push(await add(team));
  const newestFirst = [...[...added].reverse(), owner];
  const found = [];
  for await (const page of await env.polar.members.listMembers({ customerId: team.id, limit: 2 })) {
    assert.deepEqual(page.result.pagination, { totalCount: 5, maxPage: 3 });
    found.push(...page.result.items);
  }
  assert.deepEqual(found, newestFirst);
  const owners = await env.polar.members.listMembers({ externalCustomerId: team.externalId, role: "owner" });
  assert.deepEqual(owners.result.items, [owner]);
  const none = await env.polar.members.listMembers({ customerId: randomUUID() });
  assert.deepEqual(none.result.items, []);
});

test("list refuses an invalid page", () =>
  expectError(() => env.polar.members.listMembers({ page: 0 }), errors.HTTPValidationError, "greater_than query page"));

test("update, by id and by external id", async () => {
  const team = await env.createTeam();
  const member = await add(team, { name: "Before", externalId: "ext" });
  const updated = await env.polar.members.updateMember(
    { id: member.id, memberUpdate: { name: "After", role: "billing_manager" } });
  assert.deepEqual([updated.name, updated.role], ["After", "billing_manager"]);
  const again = await env.polar.members.updateMemberByExternalId(
    { externalId: "ext", customerId: team.id, memberUpdate: { name: "Again" } });
  assert.deepEqual([again.id, again.name], [member.id, "Again"]);
});

test("ownership can be transferred but not given up", async () => {
  const team = await env.createTeam();
  const newOwner = await add(team);
  await env.polar.members.updateMember({ id: newOwner.id, memberUpdate: { role: "owner" } });
  const { owner, billing_manager: previous } = await env.membersByRole(team);
  assert.deepEqual([owner.id, previous.email], [newOwner.id, team.email]);
  await expectError(() => env.polar.members.updateMember({ id: newOwner.id, memberUpdate: { role: "member" } }),
    errors.HTTPValidationError, "value_error body role");
  await expectError(() => env.polar.members.deleteMember({ id: newOwner.id }),
    errors.HTTPValidationError, "value_error body");
});

test("delete, by id and by external id", async () => {
  const team = await env.createTeam();
  const [first] = [await add(team), await add(team, { externalId: "ext" })];
  assert.equal(await env.polar.members.deleteMember({ id: first.id }), undefined);
  assert.equal(await env.polar.members.deleteMemberByExternalId({ externalId: "ext", customerId: team.id }), undefined);
  for (const call of [
    () => env.polar.members.getMember({ id: first.id }),
    () => env.polar.members.deleteMember({ id: first.id }),
    () => env.polar.members.updateMember({ id: first.id, memberUpdate: {} }),
    () => env.polar.members.deleteMemberByExternalId({ externalId: "ext", customerId: team.id }),
    () => env.polar.members.updateMemberByExternalId({ externalId: "ext", customerId: team.id, memberUpdate: {} }),
  ]) {
    assert.equal((await expectError(call, errors.ResourceNotFound)).detail, "Member not found");
  }
});

test("members of another organization are not found", async () => {
  const team = await env.createTeam();
  const { owner } = await env.membersByRole(team);
  await expectError(() => env.other.members.getMember({ id: owner.id }), errors.ResourceNotFound);
  await expectError(() => env.other.members.updateMember({ id: owner.id, memberUpdate: { name: "Mine" } }),
    errors.ResourceNotFound);
  await expectError(() => env.other.members.deleteMember({ id: owner.id }), errors.ResourceNotFound);
});

test("a missing scope is forbidden", async () => {
  const team = await env.createTeam();
  const { owner } = await env.membersByRole(team);
  const reader = env.clientWith("members:read");
  assert.deepEqual(await reader.members.getMember({ id: owner.id }), owner);
  await expectError(() => reader.members.deleteMember({ id: owner.id }), 403);
});
