import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { address } from "../lib/server.mjs";
import { expectError, forEachVersion } from "./environment.mjs";

forEachVersion((env, version) => {
  const { errors } = env;
  const members = () => env.polar.customers.members;
  const add = (team, fields = {}) => members().create(team.id, { email: address(), ...fields });

  test(`${version}: create and get`, async () => {
    const team = await env.createTeam();
    const member = await add(team, { name: "Jane", external_id: "ext", role: "billing_manager" });
    assert.deepEqual([member.customer_id, member.name, member.role], [team.id, "Jane", "billing_manager"]);
    assert.deepEqual(await members().get(team.id, member.id), member);
    assert.deepEqual(await members().getExternal(team.external_id, "ext"), member);
    const again = await members().createExternal(team.external_id, { email: member.email });
    assert.deepEqual(again, member);
  });

  test(`${version}: create refuses`, async () => {
    const [team, individual] = [await env.createTeam(), await env.createIndividual()];
    await expectError(() => add(team, { email: "nope" }), errors.HTTPValidationError, "value_error body email");
    await expectError(() => add(team, { role: "owner" }), errors.HTTPValidationError, "literal_error body role");
    await expectError(() => members().createExternal(team.external_id, {}),
      errors.HTTPValidationError, "missing body email");
    await expectError(() => add(individual), errors.NotPermitted);
    await expectError(() => members().createExternal(individual.external_id, { email: address() }), errors.NotPermitted);
    await expectError(() => add({ id: randomUUID() }), errors.ResourceNotFound);
    await expectError(() => members().createExternal("unknown", { email: address() }), errors.ResourceNotFound);
  });

  test(`${version}: update`, async () => {
    const team = await env.createTeam();
    const member = await add(team, { name: "Before", external_id: "ext" });
    assert.equal((await members().update(team.id, member.id, { name: "After" })).name, "After");
    const updated = await members().updateExternal(team.external_id, "ext", { role: "billing_manager" });
    assert.deepEqual([updated.id, updated.name, updated.role], [member.id, "After", "billing_manager"]);
    await expectError(() => members().update(team.id, member.id, { email: team.email }),
      errors.HTTPValidationError, "value_error body email");
    await expectError(() => members().updateExternal(team.external_id, "ext", { name: "n".repeat(257) }),
      errors.HTTPValidationError, "string_too_long body name");
  });

  test(`${version}: ownership can be transferred but not given up`, async () => {
    const team = await env.createTeam();
    const newOwner = await add(team, { external_id: "new-owner" });
    assert.equal((await members().update(team.id, newOwner.id, { role: "owner" })).role, "owner");
    await expectError(() => members().update(team.id, newOwner.id, { role: "member" }),
      errors.HTTPValidationError, "value_error body role");
    await expectError(() => members().delete(team.id, newOwner.id), errors.HTTPValidationError, "value_error body");
    await expectError(() => members().deleteExternal(team.external_id, "new-owner"),
      errors.HTTPValidationError, "value_error body");
  });

  test(`${version}: delete`, async () => {
    const team = await env.createTeam();
    const [first] = [await add(team), await add(team, { external_id: "ext" })];
    assert.equal(await members().delete(team.id, first.id), undefined);
    assert.equal(await members().deleteExternal(team.external_id, "ext"), undefined);
    for (const call of [
      () => members().get(team.id, first.id), () => members().update(team.id, first.id, {}),
      () => members().delete(team.id, first.id), () => members().getExternal(team.external_id, "ext"),
      () => members().updateExternal(team.external_id, "ext", {}),
      () => members().deleteExternal(team.external_id, "ext")]) {
      assert.equal((await expectError(call, errors.ResourceNotFound)).error.detail, "Member not found");
    }
  });

  test(`${version}: members of another organization, and a missing scope`, async () => {
    const team = await env.createTeam();
    const member = await add(team, { external_id: "mine" });
    const otherMembers = env.other.customers.members;
    await expectError(() => otherMembers.get(team.id, member.id), errors.ResourceNotFound);
    await expectError(() => otherMembers.create(team.id, { email: address() }), errors.ResourceNotFound);
    await expectError(() => otherMembers.getExternal(team.external_id, "mine"), errors.ResourceNotFound);
    const reader = env.clientWith("members:read").customers.members;
    assert.deepEqual(await reader.get(team.id, member.id), member);
    await expectError(() => reader.delete(team.id, member.id), 403);
  });
});
