import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { address } from "../lib/server.mjs";
import { refused, world } from "./world.mjs";

world((it, version) => {
  const { errors } = it;
  const members = () => it.polar.customers.members;
  const add = (team, fields = {}) => members().create(team.id, { email: address(), ...fields });

  test(`${version}: create and get`, async () => {
    const team = await it.team();
    const member = await add(team, { name: "Jane", external_id: "ext", role: "billing_manager" });
    assert.deepEqual([member.customer_id, member.name, member.role], [team.id, "Jane", "billing_manager"]);
    assert.deepEqual(await members().get(team.id, member.id), member);
    assert.deepEqual(await members().getExternal(team.external_id, "ext"), member);
    const again = await members().createExternal(team.external_id, { email: member.email });
    assert.deepEqual(again, member);
  });

  test(`${version}: create refuses`, async () => {
    const [team, individual] = [await it.team(), await it.individual()];
    await refused(() => add(team, { email: "nope" }), errors.HTTPValidationError, "value_error body email");
    await refused(() => add(team, { role: "owner" }), errors.HTTPValidationError, "literal_error body role");
    await refused(() => members().createExternal(team.external_id, {}),
      errors.HTTPValidationError, "missing body email");
    await refused(() => add(individual), errors.NotPermitted);
    await refused(() => members().createExternal(individual.external_id, { email: address() }), errors.NotPermitted);
    await refused(() => add({ id: randomUUID() }), errors.ResourceNotFound);
    await refused(() => members().createExternal("nobody", { email: address() }), errors.ResourceNotFound);
  });

  test(`${version}: update`, async () => {
    const team = await it.team();
    const member = await add(team, { name: "Before", external_id: "ext" });
    assert.equal((await members().update(team.id, member.id, { name: "After" })).name, "After");
    const updated = await members().updateExternal(team.external_id, "ext", { role: "billing_manager" });
    assert.deepEqual([updated.id, updated.name, updated.role], [member.id, "After", "billing_manager"]);
    await refused(() => members().update(team.id, member.id, { email: team.email }),
      errors.HTTPValidationError, "value_error body email");
    await refused(() => members().updateExternal(team.external_id, "ext", { name: "n".repeat(257) }),
      errors.HTTPValidationError, "string_too_long body name");
  });

  test(`${version}: ownership moves and stays`, async () => {
    const team = await it.team();
    const heir = await add(team, { external_id: "heir" });
    assert.equal((await members().update(team.id, heir.id, { role: "owner" })).role, "owner");
    await refused(() => members().update(team.id, heir.id, { role: "member" }),
      errors.HTTPValidationError, "value_error body role");
    await refused(() => members().delete(team.id, heir.id), errors.HTTPValidationError, "value_error body");
    await refused(() => members().deleteExternal(team.external_id, "heir"),
      errors.HTTPValidationError, "value_error body");
  });

  test(`${version}: delete`, async () => {
    const team = await it.team();
    const [first] = [await add(team), await add(team, { external_id: "ext" })];
    assert.equal(await members().delete(team.id, first.id), undefined);
    assert.equal(await members().deleteExternal(team.external_id, "ext"), undefined);
    for (const call of [
      () => members().get(team.id, first.id), () => members().update(team.id, first.id, {}),
      () => members().delete(team.id, first.id), () => members().getExternal(team.external_id, "ext"),
      () => members().updateExternal(team.external_id, "ext", {}),
      () => members().deleteExternal(team.external_id, "ext")]) {
      assert.equal((await refused(call, errors.ResourceNotFound)).error.detail, "Member not found");
    }
  });

  test(`${version}: another's members and a missing scope`, async () => {
    const team = await it.team();
    const member = await add(team, { external_id: "mine" });
    const theirs = it.other.customers.members;
    await refused(() => theirs.get(team.id, member.id), errors.ResourceNotFound);
    await refused(() => theirs.create(team.id, { email: address() }), errors.ResourceNotFound);
    await refused(() => theirs.getExternal(team.external_id, "mine"), errors.ResourceNotFound);
    const reader = it.clientWith("members:read").customers.members;
    assert.deepEqual(await reader.get(team.id, member.id), member);
    await refused(() => reader.delete(team.id, member.id), 403);
  });
});
