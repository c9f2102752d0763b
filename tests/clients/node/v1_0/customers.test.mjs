import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { address, unique } from "../lib/server.mjs";
import { refused, world } from "./world.mjs";

world((it, version) => {
  const { errors } = it;

  test(`${version}: create and get`, async () => {
    const [email, external_id] = [address(), unique("ext")];
    const metadata = { plan: "free", seats: 3, share: 0.5, beta: true };
    const made = await it.polar.customers.create({
      email, external_id, name: "Ada", metadata, billing_address: { country: "US", state: "CA" } });
    assert.deepEqual([made.type, made.email, made.external_id, made.organization_id],
      ["individual", email, external_id, it.organization.id]);
    assert.deepEqual([made.metadata, made.billing_address.state], [metadata, "US-CA"]);
    assert.deepEqual(await it.polar.customers.get(made.id), made);
    assert.deepEqual(await it.polar.customers.getExternal(external_id), made);
    const team = await it.polar.customers.create({ type: "team", owner: { email: address(), name: "Olga" } });
    assert.deepEqual([team.type, team.email], ["team", null]);
  });

  test(`${version}: create refuses`, async () => {
    const { email, external_id } = await it.individual();
    await refused(() => it.polar.customers.create({ type: "team" }),
      errors.HTTPValidationError, "value_error body team");
    await refused(() => it.polar.customers.create({ email, external_id }),
      errors.HTTPValidationError, "value_error body email", "value_error body external_id");
  });

  test(`${version}: list`, async () => {
    const word = unique("listed");
    const made = [];
    for (let i = 0; i < 3; i++) {
      made.push(await it.polar.customers.create({ email: address(word), metadata: { list: word } }));
    }
    const page = await it.polar.customers.list({ metadata: { list: word }, limit: 2 });
    assert.deepEqual(page, { items: [made[2], made[1]], pagination: { total_count: 3, max_page: 2 } });
    const found = [];
    for await (const customer of it.polar.customers.iterList({ query: word, limit: 2 })) found.push(customer);
    assert.deepEqual(found, [...made].reverse());
    await refused(() => it.polar.customers.list({ limit: 0 }),
      errors.HTTPValidationError, "greater_than query limit");
    await refused(() => it.polar.customers.list({ sorting: ["age"] }),
      errors.HTTPValidationError, "enum query sorting 0");
  });

  test(`${version}: update`, async () => {
    const [customer, team] = [await it.individual(), await it.team()];
    const updated = await it.polar.customers.update(customer.id, { name: "New name", metadata: { a: "b" } });
    assert.deepEqual([updated.name, updated.metadata], ["New name", { a: "b" }]);
    assert.equal((await it.polar.customers.updateExternal(customer.external_id, { name: null })).name, null);
    await refused(() => it.polar.customers.update(customer.id, { email: team.email, external_id: "another" }),
      errors.HTTPValidationError, "value_error body email", "value_error body external_id");
    await refused(() => it.polar.customers.updateExternal(customer.external_id, { email: team.email }),
      errors.HTTPValidationError, "value_error body email");
  });

  test(`${version}: delete`, async () => {
    const [customer, team] = [await it.individual(), await it.team()];
    assert.equal(await it.polar.customers.delete(customer.id), undefined);
    assert.equal(await it.polar.customers.deleteExternal(team.external_id), undefined);
    await refused(() => it.polar.customers.delete(customer.id), errors.ResourceNotFound);
    await refused(() => it.polar.customers.deleteExternal(team.external_id), errors.ResourceNotFound);
  });

  test(`${version}: what is unknown or another's is not found`, async () => {
    const customer = await it.individual();
    for (const [client, id, external_id] of [
      [it.polar, randomUUID(), "nobody"], [it.other, customer.id, customer.external_id]]) {
      for (const call of [
        () => client.customers.get(id), () => client.customers.update(id, {}),
        () => client.customers.getExternal(external_id), () => client.customers.updateExternal(external_id, {}),
        () => client.customers.deleteExternal(external_id)]) {
        const error = await refused(call, errors.ResourceNotFound);
        assert.deepEqual(error.error, { error: "ResourceNotFound", detail: "Not found" });
      }
    }
  });

  test(`${version}: a missing scope is forbidden`, async () => {
    const customer = await it.individual();
    const reader = it.clientWith("customers:read");
    assert.deepEqual(await reader.customers.get(customer.id), customer);
    await refused(() => reader.customers.delete(customer.id), 403);
    await refused(() => reader.customers.create({ email: address() }), 403);
  });
});
