import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";

import { address, unique } from "../lib/server.mjs";
import { errors, refused, world } from "./world.mjs";

const it = world();

test("create an individual", async () => {
  const [email, externalId] = [address(), unique("ext")];
  const metadata = { plan: "free", seats: 3, share: 0.5, beta: true };
  const customer = await it.polar.customers.create({
    type: "individual", email, externalId, name: "Ada", metadata, locale: "en-us",
    billingAddress: { country: "US", state: "CA", line1: " 1 Road " } });
  assert.deepEqual([customer.type, customer.email, customer.name, customer.externalId],
    ["individual", email, "Ada", externalId]);
  assert.deepEqual(customer.metadata, metadata);
  assert.deepEqual([customer.locale, customer.organizationId], ["en-US", it.organization.id]);
  assert.deepEqual([customer.billingAddress.state, customer.billingAddress.line1], ["US-CA", "1 Road"]);
  const { owner } = await it.members(customer);
  assert.equal(owner.email, email);
});

test("create a team with an owner of its own", async () => {
  const customer = await it.polar.customers.create({
    type: "team", name: "Team", owner: { email: address("owner"), name: "Olga", externalId: "olga" } });
  assert.equal(customer.type, "team");
  assert.equal((await it.members(customer)).owner.name, "Olga");
});

test("create refuses a team of nobody", () =>
  refused(() => it.polar.customers.create({ type: "team", name: "Nobody" }),
    errors.HTTPValidationError, "value_error body team"));

test("create refuses what is taken", async () => {
  const { email, externalId } = await it.individual();
  await refused(() => it.polar.customers.create({ type: "individual", email: email.toUpperCase(), externalId }),
    errors.HTTPValidationError, "value_error body email", "value_error body external_id");
});

test("get, by id and by external id", async () => {
  for (const customer of [await it.individual(), await it.team()]) {
    assert.deepEqual(await it.polar.customers.get({ id: customer.id }), customer);
    assert.deepEqual(await it.polar.customers.getExternal({ externalId: customer.externalId }), customer);
  }
});

test("list", async () => {
  const word = unique("listed");
  const made = [];
  for (let i = 0; i < 3; i++) {
    made.push(await it.polar.customers.create({ type: "individual", email: address(word), metadata: { list: word } }));
  }
  const pages = [];
  for await (const page of await it.polar.customers.list({ metadata: { list: word }, limit: 2 })) {
    assert.deepEqual(page.result.pagination, { totalCount: 3, maxPage: 2 });
    pages.push(page.result.items.map((customer) => customer.id));
  }
  assert.deepEqual(pages, [[made[2].id, made[1].id], [made[0].id]]);
  const sorted = await it.polar.customers.list({ query: word, sorting: ["created_at"] });
  assert.deepEqual(sorted.result.items.map((customer) => customer.id), made.map((customer) => customer.id));
});

test("list refuses a page of nothing", () =>
  refused(() => it.polar.customers.list({ limit: 0 }), errors.HTTPValidationError, "greater_than query limit"));

test("update", async () => {
  const customer = await it.individual();
  const email = address("changed");
  const updated = await it.polar.customers.update(
    { id: customer.id, customerUpdate: { email, name: "New name", metadata: { a: "b" } } });
  assert.deepEqual([updated.email, updated.name, updated.metadata], [email, "New name", { a: "b" }]);
  const cleared = await it.polar.customers.updateExternal(
    { externalId: customer.externalId, customerUpdateExternalID: { name: null } });
  assert.deepEqual([cleared.id, cleared.name], [customer.id, null]);
});

test("update refuses what is taken or fixed", async () => {
  const [customer, team] = [await it.individual(), await it.team()];
  await refused(() => it.polar.customers.update(
    { id: customer.id, customerUpdate: { email: team.email, externalId: "another" } }),
    errors.HTTPValidationError, "value_error body email", "value_error body external_id");
  await refused(() => it.polar.customers.updateExternal(
    { externalId: customer.externalId, customerUpdateExternalID: { email: team.email } }),
    errors.HTTPValidationError, "value_error body email");
});

test("delete, by id and by external id", async () => {
  const [customer, team] = [await it.individual(), await it.team()];
  assert.equal(await it.polar.customers.delete({ id: customer.id }), undefined);
  assert.equal(await it.polar.customers.deleteExternal({ externalId: team.externalId }), undefined);
  await refused(() => it.polar.customers.get({ id: customer.id }), errors.ResourceNotFound);
  await refused(() => it.polar.customers.delete({ id: customer.id }), errors.ResourceNotFound);
  await refused(() => it.polar.customers.deleteExternal({ externalId: team.externalId }), errors.ResourceNotFound);
});

test("what is unknown or another's is not found", async () => {
  const customer = await it.individual();
  for (const [client, id, externalId] of [
    [it.polar, randomUUID(), "nobody"], [it.other, customer.id, customer.externalId]]) {
    for (const call of [
      () => client.customers.get({ id }),
      () => client.customers.update({ id, customerUpdate: {} }),
      () => client.customers.getExternal({ externalId }),
      () => client.customers.updateExternal({ externalId, customerUpdateExternalID: {} }),
      () => client.customers.deleteExternal({ externalId }),
    ]) {
      const error = await refused(call, errors.ResourceNotFound);
      assert.equal(error.detail, "Not found");
    }
  }
});

test("a missing scope is forbidden", async () => {
  const customer = await it.individual();
  const reader = it.clientWith("customers:read");
  assert.deepEqual(await reader.customers.get({ id: customer.id }), customer);
  await refused(() => reader.customers.delete({ id: customer.id }), 403);
});
