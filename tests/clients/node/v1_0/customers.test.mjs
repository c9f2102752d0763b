import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { address, unique } from "../lib/server.mjs";
import { expectError, forEachVersion } from "./environment.mjs";

forEachVersion((env, version) => {
  const { errors } = env;

  test(`${version}: create and get`, async () => {
    const [email, external_id] = [address(), unique("ext")];
    const metadata = { plan: "free", seats: 3, share: 0.5, beta: true };
    const created = await env.polar.customers.create({
      email, external_id, name: "Ada", metadata, billing_address: { country: "US", state: "CA" } });
    assert.deepEqual([created.type, created.email, created.external_id, created.organization_id],
      ["individual", email, external_id, env.organization.id]);
    assert.deepEqual([created.metadata, created.billing_address.state], [metadata, "US-CA"]);
    assert.deepEqual(await env.polar.customers.get(created.id), created);
    assert.deepEqual(await env.polar.customers.getExternal(external_id), created);
    const team = await env.polar.customers.create({ type: "team", owner: { email: address(), name: "Olga" } });
    assert.deepEqual([team.type, team.email], ["team", null]);
  });

  test(`${version}: create refuses`, async () => {
    const { email, external_id } = await env.createIndividual();
    await expectError(() => env.polar.customers.create({ type: "team" }),
      errors.HTTPValidationError, "value_error body team");
    await expectError(() => env.polar.customers.create({ email, external_id }),
      errors.HTTPValidationError, "value_error body email", "value_error body external_id");
  });

  test(`${version}: list`, async () => {
    const word = unique("listed");
    const created = [];
    for (let i = 0; i < 3; i++) {
      created.push(await env.polar.customers.create({ email: address(word), metadata: { list: word } }));
    }
    const page = await env.polar.customers.list({ metadata: { list: word }, limit: 2 });
    assert.deepEqual(page, { items: [created[2], created[1]], pagination: { total_count: 3, max_page: 2 } });
    const found = [];
    for await (const customer of env.polar.customers.iterList({ query: word, limit: 2 })) found.push(customer);
    assert.deepEqual(found, [...created].reverse());
    await expectError(() => env.polar.customers.list({ limit: 0 }),
      errors.HTTPValidationError, "greater_than query limit");
    await expectError(() => env.polar.customers.list({ sorting: ["age"] }),
      errors.HTTPValidationError, "enum query sorting 0");
  });

  test(`${version}: update`, async () => {
    const [customer, team] = [await env.createIndividual(), await env.createTeam()];
    const updated = await env.polar.customers.update(customer.id, { name: "New name", metadata: { a: "b" } });
    assert.deepEqual([updated.name, updated.metadata], ["New name", { a: "b" }]);
    assert.equal((await env.polar.customers.updateExternal(customer.external_id, { name: null })).name, null);
    await expectError(() => env.polar.customers.update(customer.id, { email: team.email, external_id: "another" }),
      errors.HTTPValidationError, "value_error body email", "value_error body external_id");
    await expectError(() => env.polar.customers.updateExternal(customer.external_id, { email: team.email }),
      errors.HTTPValidationError, "value_error body email");
  });

  test(`${version}: delete`, async () => {
    const [customer, team] = [await env.createIndividual(), await env.createTeam()];
    assert.equal(await env.polar.customers.delete(customer.id), undefined);
    assert.equal(await env.polar.customers.deleteExternal(team.external_id), undefined);
    await expectError(() => env.polar.customers.delete(customer.id), errors.ResourceNotFound);
    await expectError(() => env.polar.customers.deleteExternal(team.external_id), errors.ResourceNotFound);
  });

  test(`${version}: unknown customers and those of another organization are not found`, async () => {
    const customer = await env.createIndividual();
    for (const [client, id, external_id] of [
      [env.polar, randomUUID(), "unknown"], [env.other, customer.id, customer.external_id]]) {
      for (const call of [
        () => client.customers.get(id), () => client.customers.update(id, {}),
        () => client.customers.getExternal(external_id), () => client.customers.updateExternal(external_id, {}),
        () => client.customers.deleteExternal(external_id)]) {
        const error = await expectError(call, errors.ResourceNotFound);
        assert.deepEqual(error.error, { error: "ResourceNotFound", detail: "Not found" });
      }
    }
  });

  test(`${version}: a missing scope is forbidden`, async () => {
    const customer = await env.createIndividual();
    const reader = env.clientWith("customers:read");
    assert.deepEqual(await reader.customers.get(customer.id), customer);
    await expectError(() => reader.customers.delete(customer.id), 403);
    await expectError(() => reader.customers.create({ email: address() }), 403);
  });
});
